"""Leaks: columns that alone all but give the target away, as no honest column does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deltarule.arrays import Array
from deltarule.preprocessing.columns import coded
from deltarule.preprocessing.targets import Targets

if TYPE_CHECKING:
    import polars as pl

THRESHOLD = 0.9
"""The share of what there is to explain from which a column is suspicious."""

_BINS = 32
_FEWEST = 50  # rows
_PURE = 0.95  # of the rows where a mostly missing column has a value


def suspicious(frame: pl.DataFrame, target: str) -> list[tuple[str, float]]:
    """The columns that alone predict the target almost perfectly.

    Every column is cut into bins (levels, or quantiles of numbers, and a bin for missing values);
    half the rows teach each bin its most frequent class or mean, the other half judge. What is
    left of the error of always saying the majority or the mean is what the column does not
    explain. A column whose being there or missing gives the class away is suspicious too.

    Parameters
    ----------
    frame : polars.DataFrame
        The target and the columns to look at.
    target : str

    Returns
    -------
    list of (str, float)
        Column and the share it explains, the worst first.

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
    targets = Targets.fit(frame, [target])
    Y = targets.encode(frame)
    if targets.task == "classification" and Y.shape[1] == 1:
        Y = np.hstack([1 - Y, Y])
    chosen = np.random.default_rng(0).random(frame.height) < 0.5
    found = []
    for name in frame.columns:
        if name == target:
            continue
        bins = _binned(frame[name])
        if bins is None:
            continue
        share = _explained(bins, Y, chosen, targets.task == "classification")
        if share >= THRESHOLD or _telling_absence(frame[name], Y, targets.task):
            found.append((name, round(float(share), 3)))
    return sorted(found, key=lambda entry: -entry[1])


def _binned(column: pl.Series) -> Array | None:
    """A number of a bin for every row; None for a column with too many levels to learn from."""
    absent = column.is_null().to_numpy()
    if column.dtype.is_numeric() and column.n_unique() > _BINS:
        values = column.fill_null(0).cast(float).to_numpy()
        edges = np.unique(np.quantile(values[~absent], np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, values, side="right") + 1
        bins[absent] = 0
        return bins
    levels, codes = coded(column)
    if len(levels) > max(_BINS, len(codes) / 20):
        return None
    return codes + 1


def _explained(bins: Array, Y: Array, chosen: Array, classes: bool) -> float:
    """The share of the error of a constant answer that the bins' answers take away."""
    count = int(bins.max()) + 1
    size = np.bincount(bins[chosen], minlength=count)
    overall = Y[chosen].mean(axis=0)
    sums = [np.bincount(bins[chosen], weights=y, minlength=count) for y in Y[chosen].T]
    means = np.where(
        size[:, None] > 0, np.stack(sums, axis=1) / np.maximum(size, 1)[:, None], overall
    )
    judged, answer = Y[~chosen], means[bins[~chosen]]
    if classes:
        truth = judged.argmax(axis=1)
        error = (answer.argmax(axis=1) != truth).mean()
        base = (overall.argmax() != truth).mean()
    else:
        error, base = ((judged - answer) ** 2).mean(), ((judged - overall) ** 2).mean()
    return float(1.0 - error / base) if base > 0 else 0.0


def _telling_absence(column: pl.Series, Y: Array, task: str) -> bool:
    """Whether a column has values only where the target is, almost always, one class."""
    absent = column.is_null().to_numpy()
    if task != "classification" or not 0.2 < absent.mean() < 0.98 or (~absent).sum() < 20:
        return False
    usual = Y.mean(axis=0).max()
    return bool(Y[~absent].mean(axis=0).max() > max(_PURE, (1 + usual) / 2))
