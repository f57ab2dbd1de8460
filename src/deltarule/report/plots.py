"""Plots, one function each: they draw on axes of matplotlib and return them.

Each takes ``ax=None``: without axes, a new figure is made, as a notebook shows it. Those of a
report are the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.report.curves import calibration, confusion, precision_recall, roc
from deltarule.report.drawing import COLOURS, INK, LINE, MUTED, axes_of, matplotlib, style
from deltarule.report.evidence import Evidence, Importance
from deltarule.report.watch import Diagnostics
from deltarule.training.events import EpochEnded

_MOST_CURVES = 10
_MOST_NUMBERED = 12  # classes of a confusion matrix whose cells have room for a number
_MOST_POINTS = 3000
_LONGEST = 22  # letters of a name beside a plot


def short(name: str, most: int = _LONGEST) -> str:
    """A name cut to the room beside a plot.

    Examples
    --------
    >>> short("temperature in the morning", 12)
    'temperature…'
    """
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


# ------------------------------------------------------------------------------- the training


def plot_history(
    history: Sequence[EpochEnded], best_epoch: int | None = None, ax: Any = None
) -> Any:
    """Cost and validation cost by epoch; the restored epoch is marked.

    Parameters
    ----------
    history : sequence of EpochEnded
        ``result.history``.
    best_epoch : int, optional
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import deltarule as dr
    >>> result = dr.train(dr.Network(1, [dr.Dense(1)]), [[0.0], [1.0]], [0.0, 2.0], epochs=3)
    >>> plot_history(result.history).get_xlabel()
    'epoch'
    """
    with style():
        ax = axes_of(ax)
        epochs = [each.epoch for each in history]
        costs = [each.cost for each in history]
        held = [each.validation_cost for each in history]
        few = "o" if len(epochs) < 3 else None
        ax.plot(epochs, costs, color=COLOURS[0], label="training", marker=few)
        values = list(costs)
        if held[0] is not None:
            ax.plot(epochs, held, color=COLOURS[1], label="validation", marker=few)
            values += [value for value in held if value is not None]
        if best_epoch is not None:
            ax.axvline(best_epoch, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
            ax.plot([], [], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), label="restored")
        if min(values) > 0 and max(values) > 20 * min(values):
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")  # its own is mathematics, which is off
        return _dressed(ax, "Cost", "epoch", "cost", legend="best")


def plot_figure(history: Sequence[EpochEnded], ax: Any = None) -> Any:
    """The metric on the validation data by epoch, where the training had one."""
    with style():
        ax = axes_of(ax)
        known = [each for each in history if each.figure is not None]
        ax.plot([e.epoch for e in known], [e.figure for e in known], color=COLOURS[2])
        return _dressed(ax, "Validation metric", "epoch", "metric")


def plot_rates(history: Sequence[EpochEnded], ax: Any = None) -> Any:
    """The learning rate by epoch."""
    with style():
        ax = axes_of(ax)
        ax.plot([e.epoch for e in history], [e.learning_rate for e in history], color=COLOURS[2])
        return _dressed(ax, "Learning rate", "epoch", "rate")


HEATMAPS = {
    "gradient_norm": ("Gradient norm", "log₁₀ of the norm", True),
    "update_ratio": ("Update to weight ratio", "log₁₀ of the ratio", True),
    "dead": ("Dead units", "share of the layer", False),
    "saturated": ("Saturated units", "share of the layer", False),
}
"""What is drawn of :class:`~deltarule.report.watch.Diagnostics`: title, unit, on a log scale."""


def plot_diagnostics(diagnostics: Diagnostics, what: str = "gradient_norm", ax: Any = None) -> Any:
    """A number of every layer by epoch, as a heatmap: layers downward, epochs to the right.

    Parameters
    ----------
    diagnostics : Diagnostics
        ``watch.diagnostics``.
    what : str
        Of :data:`HEATMAPS`.
    ax : matplotlib.axes.Axes, optional
    """
    title, unit, logarithmic = HEATMAPS[what]
    values = np.asarray(getattr(diagnostics, what), dtype=np.float64).T
    if logarithmic:
        with np.errstate(divide="ignore"):
            values = np.log10(values)
        values[~np.isfinite(values)] = np.nan
    limits = {} if logarithmic else {"vmin": 0.0, "vmax": 1.0}
    layers, looks = values.shape
    with style():
        ax = axes_of(ax)
        image = ax.imshow(
            np.ma.masked_invalid(values),
            aspect="auto",
            interpolation="nearest",
            cmap="viridis" if logarithmic else "Blues",
            extent=(-0.5, looks - 0.5, layers + 0.5, 0.5),
            **limits,
        )
        shown = np.unique(np.linspace(0, looks - 1, min(looks, 6)).round().astype(int))
        ax.set_xticks(shown, [str(diagnostics.epochs[k]) for k in shown])
        step = -(-layers // 12)
        ax.set_yticks(range(1, layers + 1, step))
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=18)
        bar.outline.set_visible(False)
        bar.set_label(unit)
        if np.isnan(values).all():
            ax.text(0.5, 0.5, "not applicable", color=MUTED, transform=ax.transAxes, ha="center")
        return _dressed(ax, title, "epoch", "layer", grid=False)


# --------------------------------------------------------------------------------- the figures


def plot_confusion(evidence: Evidence, ax: Any = None) -> Any:
    """Classes against what they were taken for, as shares of each class."""
    counts = confusion(evidence.targets, evidence.taken, len(evidence.names), evidence.s)
    total = np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shares, k = counts / total, len(counts)
    with style():
        ax = axes_of(ax, size=(4.4, 4.0))
        image = ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        names = [short(name, 14) for name in evidence.names]
        ticks = np.arange(0, k, -(-k // 25))
        ax.set_xticks(
            ticks,
            [names[i] for i in ticks],
            rotation=45 if k > 3 else 0,
            ha="right" if k > 3 else "center",
        )
        ax.set_yticks(ticks, [names[i] for i in ticks])
        if k <= _MOST_NUMBERED:
            for (i, j), count in np.ndenumerate(counts):
                colour = "#ffffff" if shares[i, j] > 0.5 else "#101820"
                text = f"{count:.0f}" if count == round(count) else f"{count:.1f}"
                ax.text(j, i, text, ha="center", va="center", color=colour, fontsize=8)
        else:
            ax.figure.colorbar(image, ax=ax, pad=0.02).outline.set_visible(False)
        return _dressed(ax, "Confusion", "predicted", "true", grid=False)


def plot_roc(evidence: Evidence, ax: Any = None) -> Any:
    """True against false positives: one curve a class, or one for two classes."""
    return _curves(
        evidence, ax, roc, "ROC", "false positives", "true positives", "AUC", "lower right"
    )


def plot_precision_recall(evidence: Evidence, ax: Any = None) -> Any:
    """Precision against recall: one curve a class, or one for two classes."""
    return _curves(
        evidence,
        ax,
        precision_recall,
        "Precision and recall",
        "recall",
        "precision",
        "AP",
        "lower left",
    )


def plot_calibration(evidence: Evidence, ax: Any = None) -> Any:
    """What came of predicted probabilities: on the diagonal they are what they say."""
    with style():
        ax = axes_of(ax)
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        for place, k in curves_of(evidence):
            found = calibration(evidence.indicators[:, k], evidence.P[:, k], evidence.s)
            ax.plot(
                found.predicted,
                found.came,
                marker="o",
                markersize=3.5,
                color=COLOURS[place],
                label=short(evidence.names[k]),
            )
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        return _dressed(
            ax, "Calibration", "predicted probability", "observed frequency", legend="upper left"
        )


def curves_of(evidence: Evidence) -> list[tuple[int, int]]:
    """Colors and classes to draw curves of: the second of two; of many, the most frequent."""
    if evidence.task == "classification" and len(evidence.names) == 2:
        return [(0, 1)]
    weight = (evidence.indicators * evidence.s[:, None]).sum(axis=0)
    most = np.sort(np.argsort(-weight, kind="stable")[:_MOST_CURVES])
    present = [int(k) for k in most if 0 < evidence.indicators[:, k].sum() < len(evidence.X)]
    return list(enumerate(present))


def _curves(
    evidence: Evidence, ax: Any, curve_of: Any, title: str, x: str, y: str, area: str, legend: str
) -> Any:
    with style():
        ax = axes_of(ax)
        for place, k in curves_of(evidence):
            curve = curve_of(evidence.indicators[:, k], evidence.P[:, k], evidence.s)
            label = f"{short(evidence.names[k], 14)} ({area} {curve.area:.3f})"
            ax.plot(curve.x, curve.y, color=COLOURS[place], label=label)
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        return _dressed(ax, title, x, y, legend=legend)


def plot_predicted(evidence: Evidence, target: int = 0, ax: Any = None) -> Any:
    """Predicted against true values of one target: on the diagonal they agree."""
    with style():
        ax = axes_of(ax)
        some = _thinned(len(evidence.X))
        was, said = evidence.targets[some, target], evidence.P[some, target]
        ends = [min(was.min(), said.min()), max(was.max(), said.max())]
        ax.plot(ends, ends, color=LINE, linewidth=1)
        ax.scatter(
            was, said, s=8, alpha=0.5, color=COLOURS[0], linewidths=0, rasterized=len(some) > 500
        )
        name = short(evidence.names[target], 30)
        return _dressed(ax, f"Predicted versus true: {name}", "true", "predicted")


def plot_residuals(evidence: Evidence, target: int = 0, ax: Any = None) -> Any:
    """Errors of one target against what was predicted, and their spread."""
    with style():
        ax = axes_of(ax)
        some = _thinned(len(evidence.X))
        said = evidence.P[some, target]
        ax.axhline(0.0, color=LINE, linewidth=1)
        ax.scatter(
            said,
            said - evidence.targets[some, target],
            s=8,
            alpha=0.5,
            color=COLOURS[1],
            linewidths=0,
            rasterized=len(some) > 500,
        )
        name = short(evidence.names[target], 30)
        return _dressed(ax, f"Residuals: {name}", "predicted", "predicted − true")


def _thinned(m: int) -> Array:
    return np.arange(m) if m <= _MOST_POINTS else np.linspace(0, m - 1, _MOST_POINTS).astype(int)


def plot_importance(found: Sequence[Importance], most: int = 15, ax: Any = None) -> Any:
    """The most important columns: by how much the loss rises when each is shuffled."""
    with style():
        ax = axes_of(ax)
        top = list(found[:most])[::-1]
        places = np.arange(len(top))
        ax.barh(
            places,
            [each.rise for each in top],
            xerr=[each.spread for each in top],
            color=COLOURS[0],
            error_kw={"ecolor": MUTED, "elinewidth": 0.8},
            height=0.66,
        )
        ax.set_yticks(places, [short(each.name) for each in top])
        return _dressed(ax, "Permutation importance", "increase of the loss when shuffled", "")


def plot_input_gradients(found: Sequence[Importance], most: int = 15, ax: Any = None) -> Any:
    """The columns to whose small changes, per standard deviation, the loss is most sensitive."""
    with style():
        ax = axes_of(ax)
        top = sorted(found, key=lambda each: each.gradient)[-most:]
        places = np.arange(len(top))
        ax.barh(places, [each.gradient for each in top], color=COLOURS[2], height=0.66)
        ax.set_yticks(places, [short(each.name) for each in top])
        ax.locator_params(axis="x", nbins=5)
        return _dressed(ax, "Input gradients", "mean ‖σ dA[0]‖", "")


def plot_decision(evidence: Evidence, ax: Any = None, resolution: int = 120) -> Any:
    """What is predicted over the plane of a network's two inputs, and the rows upon it.

    Parameters
    ----------
    evidence : Evidence
        Of a network with two inputs.
    ax : matplotlib.axes.Axes, optional
    resolution : int
        Points of the grid in each direction.
    """
    X = evidence.X
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1.0)
    x, y = (np.linspace(low[i] - margin[i], high[i] + margin[i], resolution) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(X.dtype)
    P = evidence.predict(grid)
    two = evidence.task == "classification" and len(evidence.names) == 2
    several = evidence.task == "classification" and not two
    values = (P.argmax(axis=1) if several else P[:, 1 if two else 0]).reshape(resolution, -1)
    with style():
        ax = axes_of(ax)
        colors = (
            _first_colors(len(evidence.names)) if several else ("coolwarm" if two else "viridis")
        )
        limits = {"vmin": 0.0, "vmax": 1.0} if two else {}
        if several:
            limits = {"vmin": -0.5, "vmax": len(evidence.names) - 0.5}
        image = ax.pcolormesh(x, y, values, cmap=colors, alpha=0.55, rasterized=True, **limits)
        if two:
            ax.contour(x, y, values, [0.5], colors=[INK], linewidths=1)
        some = _thinned(len(X))
        shade = evidence.targets[some] if evidence.targets.ndim == 1 else evidence.targets[some, 0]
        ax.scatter(
            X[some, 0],
            X[some, 1],
            c=shade,
            s=12,
            cmap=colors,
            edgecolors="#ffffff",
            linewidths=0.5,
            **limits,
        )
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
        bar.outline.set_visible(False)
        if several:
            bar.set_ticks(range(len(evidence.names)), labels=[short(n, 12) for n in evidence.names])
        names = [_input_name(evidence, i) for i in (0, 1)]
        title = f"Probability of {short(evidence.names[1])}" if two else "Decision surface"
        return _dressed(ax, title, *names, grid=False)


def _first_colors(count: int) -> Any:
    return matplotlib(".colors").ListedColormap([COLOURS[k % len(COLOURS)] for k in range(count)])


def _input_name(evidence: Evidence, at: int) -> str:
    return short(next((c.name for c in evidence.columns if at in c.inputs), f"x{at + 1}"))


def _dressed(ax: Any, title: str, x: str, y: str, *, legend: str = "", grid: bool = True) -> Any:
    """What all plots have: title, labels, grid, a legend where something is named."""
    ax.set_title(title, loc="left", fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(grid, axis="both" if grid else "x")
    ax.set_axisbelow(True)
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(loc=legend)
    return ax
