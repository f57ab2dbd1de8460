"""The section of contributions: how much of the predictions each column makes, and which way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from deltarule.report.content import Context, Drawn, Effect, Section, Table, drawn
from deltarule.report.drawing import COLOURS, MUTED, axes_of, style
from deltarule.report.plots import short

_MOST_ROWS = 15  # of the table of an output
_MOST_CURVES = 6  # of all columns
_MOST_LEVELS = 10  # of a category


def effects_section(context: Context) -> Iterator[Section]:
    """What each column contributes, and the curves of those that contribute most."""
    if not context.effects:
        return
    outputs = list(dict.fromkeys(each.output for each in context.effects))
    tables = [_table(context.effects, output, len(outputs) > 1) for output in outputs]
    first = [each for each in context.effects if each.output == outputs[0]]
    of = f" The curves are of {outputs[0]}." if len(outputs) > 1 else ""
    text = (
        f"What each column adds to a prediction, {context.effects_of}. Contributions say what the "
        f"model does with a value, not what would happen if it were changed.{of}"
    )
    curves = list(_curves(first))
    yield Section("contributions", "Contributions", text, figures=curves, tables=tables)


def _table(effects: Sequence[Effect], output: str, is_named: bool) -> Table:
    own = [each for each in effects if each.output == output]
    rows = [[each.column, f"{each.mean_absolute:.3g}", each.summary] for each in own[:_MOST_ROWS]]
    heads = ["column", "mean absolute", "direction"]
    return Table(rows, heads, title=output if is_named else "", numeric=(1,))


def _curves(effects: Sequence[Effect]) -> Iterator[Drawn]:
    relevant = [each for each in effects if len(each.curve) > 1][:_MOST_CURVES]
    for k, each in enumerate(relevant):
        yield drawn(f"effect{k}", plot_effect, each, size=(4.4, 2.6))


def plot_effect(effect: Effect, ax: Any = None) -> Any:
    """The mean contribution by value: a curve of numbers, bars of levels."""
    values = [value for value, _, _ in effect.curve]
    means = [contribution for _, contribution, _ in effect.curve]
    with style():
        ax = axes_of(ax)
        if any(isinstance(value, str) for value in values):
            shown = _extremes(len(values))
            places = np.arange(len(shown))[::-1]
            ax.barh(places, [means[i] for i in shown], color=COLOURS[0], height=0.66)
            ax.set_yticks(places, [short(str(values[i])) for i in shown])
            ax.axvline(0.0, color=MUTED, linewidth=0.8)
            ax.set_xlabel("mean contribution")
        else:
            if effect.is_date:
                values = list(np.array(values).round().astype("datetime64[D]"))
                ax.tick_params(axis="x", labelrotation=30)
            ax.plot(values, means, color=COLOURS[0], marker="o", markersize=3)
            ax.axhline(0.0, color=MUTED, linewidth=0.8)
            ax.set_ylabel("mean contribution")
        ax.set_title(effect.column, loc="left", fontweight="bold")
        return ax


def _extremes(count: int) -> list[int]:
    """The first and the last of the levels, where there are many."""
    if count <= _MOST_LEVELS:
        return list(range(count))
    half = _MOST_LEVELS // 2
    return [*range(half), *range(count - half, count)]
