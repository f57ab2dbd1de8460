"""The explanation page: one HTML file, offline, a training step to walk through and to change.

The file holds inputs, parameters, gradient checks and what the rows compute, as expressions; its
script computes the rest by the same equations. Where scripts are off, it shows the first recorded
step as tables. Where a custom row cannot be traced into
expressions, the recorded numbers go with the page, and what needs the script is switched off
there, with the reason.
"""

from __future__ import annotations

import base64
import html
import json
import os
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Plan
from deltarule.explain.page_plan import described_plan
from deltarule.explain.page_tables import step_tables
from deltarule.explain.trace import Trace, TracedStep
from deltarule.explain.unit_names import unit_names
from deltarule.layers import Dense
from deltarule.network import Network
from deltarule.optimizers import GradientDescent
from deltarule.system.markup import asset, filled, notebook_html
from deltarule.system.storage import write_whole

ENGINE_SCRIPTS = ("expressions.js", "algebra.js", "layers.js", "engine.js")
"""The scripts that compute, in this order; they need nothing else of a page."""

_SCRIPTS = (
    *(*ENGINE_SCRIPTS, "notation.js", "formulas.js", "terms.js", "layer_arithmetic.js"),
    *("arithmetic.js", "differences.js", "matrices.js", "kinds.js", "cells.js", "story.js"),
    *("drawing.js", "figures.js", "roving.js", "walk.js", "changes.js", "fit.js"),
    *("training.js", "play.js", "rows.js", "misprints.js", "lesson.js", "page.js"),
)


class CellColumn(NamedTuple):
    """A column of a table, and the inputs that it becomes, `first` up to, not including, `last`."""

    name: str
    first: int
    last: int


class Cells(NamedTuple):
    """The cells of the table's rows that a trace is about, as text.

    Attributes
    ----------
    columns : tuple of CellColumn
    rows : tuple of tuples of str
        Each row's cells; empty where missing.
    names : tuple of str
        What the rows are called: by their numbers in the file.
    classes : tuple of str
        The labels, of which the network predicts one; none for numbers.
    means, stds : tuple of float
        Of each target that is a number: what its outputs are standardized by.
    """

    columns: tuple[CellColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()


_LINEAR = Plan(Network(3, [Dense(1)], "half_squared_error"), GradientDescent())
"""The smallest network that shows a misprint: the page trains it too."""

_FRAME_LIMIT = 1_000_000  # characters: a larger page is not put into a notebook


def page(trace: Trace, cells: Cells | None = None) -> str:
    """The page of a trace.

    Parameters
    ----------
    trace : Trace
        The steps to show.
    cells : Cells, optional
        What the table held that the inputs were made of.

    Returns
    -------
    str
        HTML that asks nothing of any network.

    Raises
    ------
    SettingError
        For a network with a custom kind of layer: the script cannot compute it.

    Examples
    --------
    >>> from deltarule.explain import worked_trace
    >>> "<title>The worked example" in page(worked_trace())
    True
    """
    read = partial(asset, "deltarule.explain")
    data = json.dumps(payload(trace, cells), ensure_ascii=False, allow_nan=False)
    parts = {
        "title": html.escape(_title(trace)),
        "heading": html.escape(trace.title or "One training step"),
        "recorded": step_tables(trace),
        "style": read("page.css"),
        "data": data.replace("<", "\\u003c"),  # no text from the data can end its element
        "script": "\n".join(map(read, _SCRIPTS)),
    }
    return filled(read("page.html"), parts)


def save_page(trace: Trace, path: str | os.PathLike[str], cells: Cells | None = None) -> None:
    """Write the page of a trace to a file, atomically.

    Parameters
    ----------
    trace : Trace
        The steps to show.
    path : path
        The file, which is replaced.
    cells : Cells, optional
        What the table held that the inputs were made of.

    Raises
    ------
    SettingError
        As :func:`page`.
    FileError
        Where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from deltarule.explain import worked_trace
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_page(worked_trace(), folder + "/step.html")
    ...     Path(folder, "step.html").read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    write_whole(path, page(trace, cells).encode())


@notebook_html.register
def _(trace: Trace) -> str:
    """The page in a frame, or what the trace is about where there is none or a large one."""
    text = page(trace)
    if len(text) <= _FRAME_LIMIT:
        return (
            f'<iframe title="{html.escape(_title(trace))}" sandbox="allow-scripts '
            'allow-downloads allow-modals" width="100%" height="760" style="border:0" '
            f'srcdoc="{html.escape(text)}"></iframe>'
        )
    costs = " → ".join(f"{step.cost:.4g}" for step in trace.steps)
    return (
        f"<p><b>{html.escape(_title(trace))}</b>: {trace.X.shape[1]} examples, cost {costs}. "
        "The page is large; write it with <code>save_page(trace, 'page.html')</code>.</p>"
    )


def _title(trace: Trace) -> str:
    sizes = "–".join(map(str, trace.plan.network.sizes))
    return f"{trace.title or 'One training step'}: {sizes}"


# ---------------------------------------------------------------------------- what it holds


def payload(trace: Trace, cells: Cells | None = None) -> dict[str, Any]:
    """What the page's script reads: JSON values, arrays as base64 of their bytes."""
    described, untraced = described_plan(trace.plan)
    named = unit_names(trace.plan.network, trace.inputs)
    return {
        "title": trace.title or "One training step",
        "dtype": trace.plan.dtype.name,
        "sizes": list(trace.plan.network.sizes),
        "inputs": list(trace.inputs),
        "outputs": list(trace.outputs),
        "units": {place: units.names for place, units in named.items()},
        "sources": {place: units.sources for place, units in named.items()},
        "cells": cells and {**cells._asdict(), "columns": [c._asdict() for c in cells.columns]},
        "plan": described,
        "untraced": untraced,
        "linear": described_plan(_LINEAR)[0],
        "X": _packed(trace.X),
        "Y": _packed(trace.Y),
        "weights": None if trace.weights is None else _packed(trace.weights[np.newaxis]),
        "parameters": [
            {name: _packed(values) for name, values in own.items()} for own in trace.steps[0].before
        ],
        "steps": [_step(step, bool(untraced)) for step in trace.steps],
    }


def _step(step: TracedStep, recorded: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "number": step.number,
        "alpha": step.learning_rate,
        "cost": _finite(step.cost),
        "m": step.m,
        "masks": {str(l): _packed(mask) for l, mask in step.masks.items()},
        "checks": {
            name: {
                "entries": check.entries.tolist(),
                "numeric": [_finite(x) for x in check.numeric.tolist()],
                "error": _finite(check.error),
                "complete": check.complete,
            }
            for name, check in step.checks.items()
        },
        "on_kink": list(step.on_kink),
    }
    if recorded:
        found["recorded"] = {
            name: _packed(np.atleast_2d(array))
            for name, array in step.arrays()
            if not name.startswith(("mask", "A[0]"))
        }
    return found


def _packed(array: Array) -> dict[str, Any]:
    """A matrix as its shape, dtype and bytes: float32 wherever that loses nothing."""
    with np.errstate(over="ignore"):
        short = array.astype(np.float32)
    if np.array_equal(short, array, equal_nan=True):
        array = short
    content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "bytes": base64.b64encode(content.tobytes()).decode(),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
