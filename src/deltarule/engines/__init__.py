"""The choice of an engine: what computes a plan, by name."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, NamedTuple

from deltarule.engines.footprint import check_memory
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import SettingError, SlowerEngineWarning
from deltarule.network import Network, Parameters, checked_parameters
from deltarule.optimizers import Optimizer
from deltarule.registry import Registry
from deltarule.regularization import Regularization
from deltarule.spec import keywords_checked

ENGINES: Registry[str] = Registry(
    "engine",
    str,
    {
        "native": "deltarule.engines.native",
        "reference": "deltarule.engines.reference",
        "jax": "deltarule.engines.jax",
    },
)
"""Engines by name: modules with ``refusal(plan, options)`` and ``start``."""

AUTO = ("native", "reference")
"""What ``"auto"`` chooses from, the preferred first. Not jax: to import it and to compile takes
longer than many a whole run here, so it is for those who ask for it."""


class Choice(NamedTuple):
    """An engine, and why it was chosen.

    Attributes
    ----------
    name : str
    reason : str
        One clause, for people.
    """

    name: str
    reason: str


def choose(plan: Plan, engine: str = "auto", options: EngineOptions | None = None) -> Choice:
    """The engine for a plan: the one asked for, or with ``"auto"`` the first that covers it.

    Raises
    ------
    UnknownNameError
        For an engine that does not exist.
    SettingError
        Where the engine asked for does not cover the plan, with the reason.

    Examples
    --------
    >>> from deltarule import Dense
    >>> choose(Plan(Network(2, [Dense(1)])), "reference").name
    'reference'
    """
    options = options or EngineOptions()
    if engine != "auto":
        ENGINES.entry(engine)
        why_not = _module(engine).refusal(plan, options)
        if why_not is not None:
            raise SettingError(f"engine {engine!r} cannot run this plan: {why_not}")
        return Choice(engine, "asked for")
    refusals: list[str] = []
    for name in AUTO:
        why_not = _module(name).refusal(plan, options)
        if why_not is None:
            if refusals:
                _warn_slower(name, refusals[0])
            return Choice(name, "; ".join(refusals) or "covers the plan")
        refusals.append(f"{name} cannot: {why_not}")
    raise SettingError("no engine can run this plan: " + "; ".join(refusals))


@keywords_checked
def start(
    network: Network,
    *,
    optimizer: Optimizer | str = "adam",
    regularization: Regularization | None = None,
    engine: str = "auto",
    options: EngineOptions | None = None,
    dtype: Any = "float32",
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Runner:
    """A runner for a custom loop: ``step``, ``step_from``, ``predict_into``, ``jacobian``.

    Parameters
    ----------
    network : Network
        The layers and the cost.
    optimizer : str or Optimizer
        How parameters are updated: an optimizer, or a name of
        :data:`~deltarule.optimizers.OPTIMIZERS` with or without its rate (``"sgd(0.1)"``).
    regularization : Regularization, optional
        Penalties, clipping and limits. Default: none.
    engine : str
        ``"auto"`` or the name of an engine.
    options : EngineOptions, optional
        The device, how precisely it multiplies, how many threads it uses.
    dtype : dtype
        float32 or float64: what every array passed to the runner must be.
    seed : int
        Of initial parameters and dropout masks.
    parameters : Parameters, optional
        To begin from, in place of the initializers'.

    Returns
    -------
    Runner
        See :class:`deltarule.engines.plan.Runner`.

    Raises
    ------
    SettingError, UnknownNameError
        For settings that do not go together, or an engine that cannot run them.
    ShapeError, TypeMismatchError, DataError
        For parameters that do not fit the network.
    OutOfMemoryError
        Where this process has too little memory for the parameters and the optimizer's state.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> network = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(2)])
    >>> runner = dr.start(network, optimizer=dr.SGD(1e-2))
    >>> x, y = np.ones((1, 3), np.float32), np.zeros((1, 2), np.float32)
    >>> cost = runner.step(x, y)
    >>> runner.jacobian(x).shape
    (1, 2, 3)
    """
    plan = Plan(network, optimizer, regularization or Regularization(), dtype, seed)
    name = choose(plan, engine, options).name
    own = options or EngineOptions()
    check_memory(network, plan.optimizer_row, plan.dtype, name, own, batch_size=1)
    return start_plan(plan, name, parameters, options)


def start_plan(
    plan: Plan,
    engine: str,
    parameters: Parameters | None = None,
    options: EngineOptions | None = None,
) -> Runner:
    """A runner for a plan on an engine, from given or initial parameters."""
    if parameters is None:
        parameters = plan.network.initial_parameters(plan.seed, plan.dtype)
    else:
        parameters = checked_parameters(plan.network, parameters, plan.dtype)
    runner: Runner = _module(engine).start(plan, parameters, options or EngineOptions())
    return runner


def _warn_slower(name: str, refusal: str) -> None:
    """Say that a slower engine was chosen; Python's filter shows the same text once."""
    warnings.warn(
        f"engine {name!r} is used, which is slower: {refusal}. To choose it without this warning "
        f"write engine={name!r}; engine='jax' compiles custom rows, too.",
        SlowerEngineWarning,
        stacklevel=2,
    )


def _module(engine: str) -> Any:
    return importlib.import_module(ENGINES.entries[engine])  # type: ignore[arg-type]
