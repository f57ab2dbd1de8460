"""``get_params`` and ``set_params`` that reach into option objects, which are frozen."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

from sklearn.base import BaseEstimator

from deltarule.errors import SettingError
from deltarule.estimators.parameters import OPTIONS
from deltarule.optimizers import OPTIMIZERS


class NestedParameters(BaseEstimator):  # type: ignore[misc]
    """An estimator whose option objects' fields are parameters, as ``stopping__patience``."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name.

        Parameters
        ----------
        deep : bool
            Whether the fields of option objects are among them, as ``object__field``.
        """
        found: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, value in list(found.items()):
                if is_dataclass(value) and name in (*OPTIONS, "optimizer"):
                    for entry in fields(value):
                        found[f"{name}__{entry.name}"] = getattr(value, entry.name)
        return found

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; a field of an option object as ``object__field``.

        An option object that is None so far begins from its defaults; an optimizer that is a name
        from that row's.

        Raises
        ------
        ValueError
            For a name there is not.
        """
        known = super().get_params(deep=False)
        for key in params:
            if key.partition("__")[0] not in known:
                raise SettingError(
                    f"Invalid parameter {key!r} for estimator {type(self).__name__}. Valid "
                    f"parameters are: {', '.join(sorted(known))}."
                )
        for key in (key for key in params if "__" not in key):
            setattr(self, key, params[key])
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, separator, field = key.partition("__")
            if separator:
                nested.setdefault(name, {})[field] = value
        for name, changes in nested.items():
            setattr(self, name, replace(self._options(name, changes), **changes))
        return self

    def _options(self, name: str, changes: dict[str, Any]) -> Any:
        """The option object a parameter holds, or the default one."""
        value = getattr(self, name)
        if value is None and name in OPTIONS:
            value = OPTIONS[name]()
        elif name == "optimizer" and value is None:
            value = OPTIMIZERS(self.solver)
        elif name == "optimizer" and isinstance(value, str):
            value = OPTIMIZERS(value)
        if name not in (*OPTIONS, "optimizer"):
            raise SettingError(
                f"Invalid parameter: {name!r} of {type(self).__name__} has no parts."
            )
        known = {entry.name for entry in fields(value)}
        for field in changes:
            if field not in known:
                raise SettingError(
                    f"Invalid parameter {name}__{field!s} for estimator {type(self).__name__}: "
                    f"{type(value).__name__} has {', '.join(sorted(known))}."
                )
        return value
