"""Target leakage: columns that alone predict the target almost perfectly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import require
from deltarule.preprocessing.cells import coded, numbers_of
from deltarule.preprocessing.targets import Targets

if TYPE_CHECKING:
    import polars as pl

SURE = {"classification": 0.99, "regression": 0.995}
"""The share of what there is to explain from which a column's values are suspicious."""

PRESENCE = 0.8
"""The share from which it is suspicious how much a column tells by being there or missing."""

_BINS = 32
_FEWEST = 50  # rows
_ENOUGH = 50_000  # rows
_SAME = 1 - 1e-6
_PURE = 0.95  # of the rows where a mostly missing column has a value


def suspicious(
    frame: pl.DataFrame, target: str, *, task: str | None = None
) -> list[tuple[str, float]]:
    """The columns that alone predict the target almost perfectly.

    Every column is cut into bins (levels, or quantiles of numbers, and a bin for missing values);
    half the rows teach each bin its most frequent class or mean, the other half evaluates it. What
    is left of the error of always saying the majority or the mean is what the column does not
    explain. Honest columns may be strong, so values are suspicious only where they leave next to
    nothing (:data:`SURE`); that a value is there or missing hardly ever tells much, unless it was
    written down when the outcome was known (:data:`PRESENCE`). So is a column that has values
    only where the class is one and the same.

    Parameters
    ----------
    frame : polars.DataFrame
        The target and the columns to look at.
    target : str
    task : str, optional
        Overrides the inferred task.

    Returns
    -------
    list of (str, float)
        Column and the share it explains, the worst first. A share below a half belongs to a
        column of which only some rows give the class away.

    Examples
    --------
    >>> import polars as pl
    >>> y = [0, 1] * 100
    >>> frame = pl.DataFrame({"y": y, "copy": y, "noise": list(range(200))})
    >>> suspicious(frame, "y")
    [('copy', 1.0)]
    """
    if frame.height < _FEWEST:
        return []
    if frame.height > _ENOUGH:
        frame = frame.sample(_ENOUGH, seed=0)
    targets = Targets.fit(frame, [target], task=task)
    Y = targets.encode(frame)
    if targets.task == "regression":  # in ranks, so that no tail outweighs the rest
        Y = numbers_of(frame[target]).rank().to_numpy()[:, None]
    elif Y.shape[1] == 1:
        Y = np.hstack([1 - Y, Y])
    shares = {name: _share(frame[name], frame[target], Y, targets.task) for name in frame.columns}
    shares.pop(target)
    found = [(name, round(share, 3)) for name, share in shares.items() if share is not None]
    return sorted(found, key=lambda entry: -entry[1])


def _is_copy(column: pl.Series, target: pl.Series) -> bool:
    """Whether a column is the target in another unit, but for rounding."""
    if not column.dtype.is_numeric() or not target.dtype.is_numeric():
        return False
    there = (column.is_not_null() & target.is_not_null()).to_numpy()
    x, y = (each.to_numpy()[there].astype(float) for each in (column, target))
    if len(x) < _FEWEST or min(np.ptp(x), np.ptp(y)) == 0 or column.n_unique() < _FEWEST // 5:
        return False
    x, y = (each / np.abs(each).max() for each in (x, y))  # squares in range
    return bool(abs(np.corrcoef(x, y)[0, 1]) > _SAME)


def _share(column: pl.Series, target: pl.Series, Y: Array, task: str) -> float | None:
    """How much a suspicious column explains; None for one that is not."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
    bins = _binned(column)
    if bins is None:
        return None
    chosen = np.random.default_rng(0).random(len(Y)) < 0.5
    if task == "regression" and _is_copy(column, target):
        return 1.0
    absent = column.is_null().to_numpy()
    by_value = _explained(bins, Y, chosen, task)
    by_presence = _explained(absent.astype(np.int64), Y, chosen, task) if absent.any() else 0.0
    if by_value >= SURE[task] or by_presence >= PRESENCE or _telling_presence(absent, Y, task):
        return max(by_value, by_presence, 0.0)
    return None


def _binned(column: pl.Series) -> Array | None:
    """A number of a bin for every row; None for a column with too many levels to learn from."""
    polars = require("polars", "table", "preprocessing")
    if column.dtype.is_nested() or column.dtype in (polars.Binary, polars.Object):
        return None
    absent = column.is_null().to_numpy()
    if column.dtype.is_numeric() and column.n_unique() > _BINS:
        values = column.fill_null(0).cast(float).to_numpy()
        edges = np.unique(np.quantile(values[~absent], np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, values, side="right") + 1
        bins[absent] = 0
        return bins
    levels, codes, _ = coded(column)
    if len(levels) > max(_BINS, len(codes) / 20):
        return None
    return codes + 1


def _explained(bins: Array, Y: Array, chosen: Array, task: str) -> float:
    """The share of the error of a constant answer that the bins' answers take away."""
    count = int(bins.max()) + 1
    size = np.bincount(bins[chosen], minlength=count)
    overall = Y[chosen].mean(axis=0)
    sums = [np.bincount(bins[chosen], weights=y, minlength=count) for y in Y[chosen].T]
    means = np.where(
        size[:, None] > 0, np.stack(sums, axis=1) / np.maximum(size, 1)[:, None], overall
    )
    evaluated, answer = Y[~chosen], means[bins[~chosen]]
    if task == "classification":
        truth = evaluated.argmax(axis=1)
        error = (answer.argmax(axis=1) != truth).mean()
        base = (overall.argmax() != truth).mean()
    else:
        error, base = ((evaluated - answer) ** 2).mean(), ((evaluated - overall) ** 2).mean()
    return float(1.0 - error / base) if base > 0 else 0.0


def _telling_presence(absent: Array, Y: Array, task: str) -> bool:
    """Whether a column has values only where the target is, almost always, one class."""
    if task != "classification" or not 0.2 < absent.mean() < 0.98 or (~absent).sum() < 20:
        return False
    usual = Y.mean(axis=0).max()
    return bool(Y[~absent].mean(axis=0).max() > max(_PURE, (1 + usual) / 2))
