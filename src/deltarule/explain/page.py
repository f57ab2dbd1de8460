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
from importlib import resources
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError, setting
from deltarule.explain.page_plan import described_plan
from deltarule.explain.page_tables import step_tables
from deltarule.explain.trace import Trace, TracedStep
from deltarule.layers import Dense
from deltarule.network import Network
from deltarule.optimizers import GradientDescent
from deltarule.system.markup import notebook_html
from deltarule.system.storage import write_whole

_SCRIPTS = (
    *("expressions.js", "engine.js", "formulas.js", "arithmetic.js", "matrices.js"),
    *("story.js", "drawing.js", "figures.js", "roving.js", "walk.js", "changes.js"),
    *("fit.js", "training.js", "play.js", "rows.js", "misprints.js", "lesson.js", "page.js"),
)
_LINEAR = Plan(Network(3, [Dense(1)], "half_squared_error"), GradientDescent())
"""The smallest network that shows a misprint: the page trains it too."""

_FRAME_LIMIT = 1_000_000  # characters: a larger page is not put into a notebook


def page(trace: Trace) -> str:
    """The page of a trace.

    Parameters
    ----------
    trace : Trace

    Returns
    -------
    str
        HTML that asks nothing of any network.

    Raises
    ------
    SettingError
        For a network with another kind of layer than dense: its story is not the page's.

    Examples
    --------
    >>> from deltarule.explain import worked_trace
    >>> "<title>The worked example" in page(worked_trace())
    True
    """
    others = sorted({layer.kind for layer in trace.plan.network.layers} - {"dense"})
    if others:
        raise SettingError(
            f"the page tells the story of dense layers; this network has {', '.join(others)} too. "
            "Trace the dense layers at its end (explain.dense_part), use the trace itself (its "
            "arrays, save_json, save_npz, explain.text), or train dense layers alone"
            f"{setting('', ': deltarule train --bins 0 --optimizer adam')}."
        )
    assets = resources.files("deltarule.explain") / "assets"

    def read(name: str) -> str:
        return (assets / name).read_text(encoding="utf-8")

    data = json.dumps(payload(trace), ensure_ascii=False, allow_nan=False)
    parts = {
        "title": html.escape(_title(trace)),
        "heading": html.escape(trace.title or "One training step"),
        "recorded": step_tables(trace),
        "style": read("page.css"),
        "data": data.replace("<", "\\u003c"),  # no text from the data can end its element
        "script": "\n".join(map(read, _SCRIPTS)),
    }
    text = read("page.html")
    for name, part in parts.items():
        head, _, tail = text.partition(f"<!--{name}-->")
        text = head + part + tail
    return text


def save_page(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write the page of a trace to a file, whole or not at all.

    Raises
    ------
    FileError
        Where it cannot be written.
    """
    write_whole(path, page(trace).encode())


@notebook_html.register
def _(trace: Trace) -> str:
    """The page in a frame, or what the trace is about where there is none or a large one."""
    dense = all(layer.kind == "dense" for layer in trace.plan.network.layers)
    text = page(trace) if dense else ""
    if dense and len(text) <= _FRAME_LIMIT:
        return (
            f'<iframe title="{html.escape(_title(trace))}" sandbox="allow-scripts '
            'allow-downloads allow-modals" width="100%" height="760" style="border:0" '
            f'srcdoc="{html.escape(text)}"></iframe>'
        )
    costs = " → ".join(f"{step.cost:.4g}" for step in trace.steps)
    return (
        f"<p><b>{html.escape(_title(trace))}</b>: {trace.X.shape[1]} examples, cost {costs}. "
        + (
            "The page is large; write it with <code>save_page(trace, 'page.html')</code>.</p>"
            if dense
            else "Print it with <code>explain.text(trace)</code>.</p>"
        )
    )


def _title(trace: Trace) -> str:
    sizes = "–".join(map(str, trace.plan.network.sizes))
    return f"{trace.title or 'One training step'}: {sizes}"


# ---------------------------------------------------------------------------- what it holds


def payload(trace: Trace) -> dict[str, Any]:
    """What the page's script reads: JSON values, arrays as base64 of their bytes."""
    described, untraced = described_plan(trace.plan)
    return {
        "title": trace.title or "One training step",
        "dtype": trace.plan.dtype.name,
        "sizes": list(trace.plan.network.sizes),
        "inputs": list(trace.inputs),
        "outputs": list(trace.outputs),
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
    """A matrix as its shape, dtype and bytes; of zeros and whole numbers nothing is lost."""
    content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "bytes": base64.b64encode(content.tobytes()).decode(),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
