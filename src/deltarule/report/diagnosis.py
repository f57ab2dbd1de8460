"""Findings about a training run and what to try: one rule each.

A rule is a function of a :class:`Curves` to a :class:`Finding`, or None where there is nothing to
say. :data:`RULES` lists them; a report shows what they find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.report.watch import Diagnostics
from deltarule.training.events import EpochEnded

FEW_EPOCHS = 5
"""Curves of fewer epochs are not interpreted."""

# Where a rule draws its line: on the side of saying nothing.
_RISE = 0.1  # of the validation cost since its best, in shares of the best and of its fall before
_LASTS = 4  # the last so-many-th of the epochs
_SWING = 0.1  # of the initial training cost
_STILL_FALLING = 0.02  # of the validation cost, over the last tenth of the epochs
_JUMPS = 0.35  # share of epochs whose training cost rose
_LARGE_STEP, _SMALL_STEP = 0.1, 1e-5  # update over weight; about 1e-3 is usual
_MANY_DEAD, _MANY_SATURATED = 0.25, 0.5  # share of a layer's units
_VANISHED = 1e-3  # gradient norm of the first layer over the last's
_MOVES = 0.1  # update ratio of the first layer over the last's: it learns nevertheless
_HARDLY = 0.05  # fall of the cost that counts as none


class Finding(NamedTuple):
    """One thing that the numbers say.

    Attributes
    ----------
    level : str
        ``"good"``, ``"note"`` or ``"problem"``.
    what : str
        A short heading.
    why : str
        What was seen, with its numbers.
    try_ : str
        What to do; may be empty.
    """

    level: str
    what: str
    why: str
    try_: str


@dataclass(frozen=True)
class Curves:
    """What the rules look at.

    Attributes
    ----------
    history : sequence of EpochEnded
    best_epoch : int or None
    diagnostics : Diagnostics or None
    activations : sequence of str
        Of each layer, 1 to L.
    """

    history: Sequence[EpochEnded]
    best_epoch: int | None
    diagnostics: Diagnostics | None
    activations: Sequence[str]

    @property
    def costs(self) -> Array:
        """The training cost of every epoch."""
        return np.array([each.cost for each in self.history])

    @property
    def held(self) -> Array | None:
        """The validation cost of every epoch; None without validation data."""
        values = [each.validation_cost for each in self.history]
        return None if values[0] is None else np.array(values)

    def late(self, what: str) -> Array | None:
        """A diagnostic of every layer, the median over the last third of the looks: ``(L,)``."""
        if self.diagnostics is None:
            return None
        values = np.asarray(getattr(self.diagnostics, what))
        third = values[-max(1, len(values) // 3) :]
        return np.array(
            [np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else np.nan for v in third.T]
        )


def diagnose(run: Curves) -> list[Finding]:
    """Everything that the rules have to say, problems first; never nothing.

    Examples
    --------
    >>> history = [EpochEnded(k, k, 1 / k, 0.5 + (k - 3) ** 2 / 50) for k in range(1, 11)]
    >>> found = diagnose(Curves(history, 3, None, ["relu", "identity"]))
    >>> found[0].level, found[0].what
    ('note', 'The network overfits')
    """
    if len(run.history) < FEW_EPOCHS:
        count = len(run.history)
        so_few = "One epoch is" if count == 1 else f"{count} epochs are"
        few = f"{so_few} too few to interpret the training curves."
        return [Finding("note", "A short run", few, "Train for more epochs.")]
    found = [finding for rule in RULES if (finding := rule(run)) is not None]
    if not found:
        found.append(_nothing(run))
    order = ("problem", "note", "good")
    return sorted(found, key=lambda finding: order.index(finding.level))


def _nothing(run: Curves) -> Finding:
    fell = f"The training cost fell from {run.costs[0]:.3g} to {run.costs[-1]:.3g}"
    looked = "" if run.diagnostics is None else ", and every layer took part"
    return Finding("good", "The training went well", f"{fell}{looked}.", "")


def _diverged(run: Curves) -> Finding | None:
    costs = run.costs if run.held is None else np.r_[run.costs, run.held]
    if np.isfinite(costs).all():
        return None
    return Finding(
        "problem",
        "The training diverged",
        f"{(~np.isfinite(costs)).sum()} of {len(costs)} costs are not finite numbers.",
        "Lower the learning rate, standardize the inputs, or clip the gradients by norm.",
    )


def _learnt_by_heart(run: Curves) -> Finding | None:
    """A rise of the validation cost that lasts, beside the best and beside what was gained."""
    if run.held is None:
        return None
    at = int(run.held.argmin())
    best, last = run.held[at], run.held[-(len(run.held) // _LASTS + 1) :].min()
    rise = last - best
    is_relevant = rise > _RISE * max(abs(best), run.held[0] - best)
    if not is_relevant or run.costs[-1] >= run.costs[at]:
        return None
    kept = (
        "The last epoch was kept."
        if run.best_epoch is None
        else f"Epoch {run.best_epoch} was restored, so the model is not affected."
    )
    return Finding(
        "note" if run.best_epoch is not None else "problem",
        "The network overfits",
        f"The validation cost rose from {best:.3g} in epoch {at + 1} to {run.held[-1]:.3g} while "
        f"the training cost kept falling. {kept}",
        "More rows, dropout (0.1 to 0.3), more weight decay or fewer units may lower the best "
        "validation cost.",
    )


def _not_done(run: Curves) -> Finding | None:
    if run.held is None or run.best_epoch is None:
        return None
    count = len(run.held)
    tenth = max(1, count // 10)
    before = run.held[-1 - tenth]
    falls = before - run.held[-1]
    if run.best_epoch <= count - tenth or falls < _STILL_FALLING * abs(before):
        return None
    return Finding(
        "note",
        "Training stopped too early",
        f"The best epoch, {run.best_epoch}, is among the last of {count}, and the validation cost "
        f"was still falling: by {falls / abs(before):.0%} over the last {tenth}.",
        "Train for more epochs, or with a higher learning rate.",
    )


def _unsteady(run: Curves) -> Finding | None:
    second = run.costs[len(run.costs) // 2 :]
    jumps = float((np.diff(run.costs) > 0).mean())
    swing = float(np.ptp(second) / max(abs(run.costs[0]), np.finfo(float).tiny))
    if jumps < _JUMPS or swing < _SWING:
        return None
    return Finding(
        "problem",
        "The cost is unstable",
        f"It rose in {jumps:.0%} of the epochs, and varied by {swing:.0%} of its initial value.",
        "Lower the learning rate, use larger batches, or clip the gradients by norm.",
    )


def _step_size(run: Curves) -> Finding | None:
    ratio = run.late("update_ratio")
    if ratio is None or not np.isfinite(ratio).any():
        return None
    middle = _middle_ratio(run)
    hardly = run.costs[-1] > (1 - _HARDLY) * run.costs[0]
    if middle > _LARGE_STEP:
        return Finding(
            "problem",
            "Updates are too large",
            f"The median step changed the parameters by {middle:.1%}; about 0.1 % is typical.",
            "Lower the learning rate tenfold and compare the curves.",
        )
    if middle < _SMALL_STEP and hardly:
        return Finding(
            "problem",
            "Updates are too small",
            f"The median step changed the parameters by {middle:.1e} of their size, and the cost "
            "hardly fell; about 1e-3 is typical.",
            "Raise the learning rate tenfold; standardize the inputs.",
        )
    return None


def _middle_ratio(run: Curves) -> float:
    """The median update ratio over layers and looks: schedules that end at 0 do not matter."""
    assert run.diagnostics is not None
    values = np.asarray(run.diagnostics.update_ratio)
    return float(np.median(values[np.isfinite(values)]))


def _hardly_learnt(run: Curves) -> Finding | None:
    if run.costs[-1] < (1 - _HARDLY) * run.costs[0] or run.costs[0] <= 0:
        return None
    return Finding(
        "problem",
        "Hardly any learning",
        f"The training cost went from {run.costs[0]:.3g} to {run.costs[-1]:.3g}.",
        "Try other learning rates, a factor of ten apart; check that the columns predict the "
        "target at all: do the baselines do better?",
    )


def _dead(run: Curves) -> Finding | None:
    shares = run.late("dead")
    if shares is None or len(shares) < 2:
        return None
    hidden = np.nan_to_num(shares[:-1])
    worst = int(hidden.argmax())
    if hidden[worst] < _MANY_DEAD:
        return None
    return Finding(
        "problem" if hidden[worst] > 0.5 else "note",
        f"Dead units in layer {worst + 1}",
        f"{hidden[worst]:.0%} of its units ({run.activations[worst]}) have δ = 0 for every "
        "observed row: their weights do not learn.",
        "Use leaky_relu or gelu, lower the learning rate, or use fewer units: these are not "
        "needed.",
    )


def _stuck_at_an_end(run: Curves) -> Finding | None:
    shares = run.late("saturated")
    if shares is None or len(shares) < 2 or not np.isfinite(shares[:-1]).any():
        return None
    worst = int(np.nanargmax(shares[:-1]))
    if shares[worst] < _MANY_SATURATED:
        return None
    return Finding(
        "problem",
        f"Saturated units in layer {worst + 1}",
        f"{shares[worst]:.0%} of its units ({run.activations[worst]}) are near a limit of their "
        "range for nearly every row, where g' is close to 0.",
        "Standardize the inputs, start with smaller weights, lower the learning rate, or use relu.",
    )


def _vanishing(run: Curves) -> Finding | None:
    norms = run.late("gradient_norm")
    if norms is None:
        return None
    learning = np.flatnonzero(np.isfinite(norms))  # a layer without parameters has no gradient
    if len(learning) < 3 or not norms[learning[-1]] > 0:
        return None
    first, last = learning[0], learning[-1]
    share = norms[first] / norms[last]
    ratios = run.late("update_ratio")
    moves = ratios is not None and ratios[first] > _MOVES * ratios[last]
    if share < _VANISHED and not moves:
        return Finding(
            "problem",
            "The gradient vanishes",
            f"In layer {first + 1} its norm is {share:.1e} of that in layer {last + 1}, and a step "
            "changes its parameters far less: the first layers hardly learn.",
            "Use relu with he_normal weights, fewer layers, or an optimizer that scales each "
            "parameter's step (adam).",
        )
    if share > 1 / _VANISHED:
        return Finding(
            "problem",
            "The gradient explodes",
            f"In layer {first + 1} its norm is {share:.1e} times that in layer {last + 1}.",
            "Clip the gradients by norm, start with smaller weights, or lower the learning rate.",
        )
    return None


RULES: tuple[Callable[[Curves], Finding | None], ...] = (
    _diverged,
    _hardly_learnt,
    _unsteady,
    _step_size,
    _vanishing,
    _dead,
    _stuck_at_an_end,
    _learnt_by_heart,
    _not_done,
)
"""All rules, independent of one another."""
