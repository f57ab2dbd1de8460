"""What training many networks leaves: their parameters and costs, and each member's own result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines import start_plan
from deltarule.network import Network, Parameters
from deltarule.sparse import checked_rows
from deltarule.spec import OneLine
from deltarule.training.events import EpochEnded
from deltarule.training.history import History
from deltarule.training.predictions import Labels, checked_probabilities
from deltarule.training.result import Result


@dataclass(frozen=True, repr=False)
class Many(OneLine):
    """Trained networks: ``many[k]`` is a :class:`~deltarule.Result`, as ``train`` gives it.

    Attributes
    ----------
    network : Network
        What they all are.
    stacked : Parameters
        Of all members, with a leading axis: ``stacked[0]["W"]`` is ``(members, n, n_prev)``.
    costs : float64 array, shape (members, epochs)
        Each epoch's cost; NaN from where a member diverged.
    diverged : bool array, shape (members,)
        Members whose cost stopped being finite: their parameters are those of before.
    validation_costs : float64 array, shape (members, epochs), or None
        Of each member's validation rows, without penalties; NaN from where it diverged.
    labels : Labels or None
        The classes, where they were trained on labels.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> many = dr.train_many(network, [[0.0], [1.0]], [1.0, 3.0], seeds=range(3), epochs=2)
    >>> len(many), many[-1].history["epoch"].tolist()
    (3, [1, 2])
    """

    network: Network
    stacked: Parameters
    costs: np.ndarray
    diverged: np.ndarray
    validation_costs: np.ndarray | None
    _runner: Any = field(compare=False)
    _steps: tuple[int, ...] = field(compare=False)  # of each member, per epoch
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.costs)

    def __getitem__(self, k: int) -> Result:
        """One member's result.

        Raises
        ------
        IndexError
            For a number that is not a member's.
        """
        k = range(len(self))[k]
        held = None if self.validation_costs is None else self.validation_costs[k]
        known = np.flatnonzero(np.isfinite(self.costs[k])).tolist()
        best = None if held is None or np.isnan(held).all() else int(np.nanargmin(held)) + 1
        events = (
            EpochEnded(
                epoch + 1,
                (epoch + 1) * self._steps[k],
                float(self.costs[k, epoch]),
                validation_cost=None if held is None else float(held[epoch]),
                learning_rate=float("nan"),
                best=best == epoch + 1,
            )
            for epoch in known
        )
        reason, text = (
            ("diverged", "its cost stopped being finite")
            if self.diverged[k]
            else ("epochs", f"epoch limit {self.costs.shape[1]} reached")
        )
        plan, engine = self._runner.plan, self._runner.engine
        parameters = self.member(k)
        runner = start_plan(plan, engine, parameters)
        return Result(
            *(self.network, parameters, History(events), reason, text, best, engine, runner),
            labels=self.labels,
        )

    def member(self, k: int) -> Parameters:
        """One member's parameters."""
        return tuple({name: W[k].copy() for name, W in layer.items()} for layer in self.stacked)

    def outputs(self, X: Any) -> Array:
        """A[L] as rows of every member, ``(members, m, n[L])``, from rows ``(m, n[0])``."""
        width, dtype = self.network.inputs, self._runner.plan.dtype
        return self._runner.predict(checked_rows("X", X, width=width, dtype=dtype))

    def predict(self, X: Any) -> Array:
        """Every member's predictions: labels ``(members, m)``, where it was trained on labels.

        Else A[L] as rows, ``(members, m, n[L])``.
        """
        outputs = self.outputs(X)
        if self.labels is None:
            return outputs
        return np.stack([self.labels.decoded(own) for own in outputs])

    def predict_proba(self, X: Any) -> Array:
        """Every member's probability of each class, ``(members, m, k)``.

        Raises
        ------
        TypeMismatchError
            For a network whose outputs are not classes.
        """
        return np.stack([checked_probabilities(self.network, own) for own in self.outputs(X)])

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.network.sizes))
        best = np.nanmin(self.costs[:, -1]) if not self.diverged.all() else np.nan
        return (
            f"Many({len(self)} of {sizes}, {self.costs.shape[1]} epochs, least cost {best:.6g}, "
            f"{int(self.diverged.sum())} diverged)"
        )
