"""A recorded step as static tables: what the explanation page shows where scripts are off."""

from __future__ import annotations

import html

import numpy as np

from deltarule.arrays import Array
from deltarule.explain.text import sections
from deltarule.explain.trace import Trace

_MOST = 8  # rows or columns of a table


def step_tables(trace: Trace) -> str:
    """The first step of a trace as HTML, one table for each quantity.

    Parameters
    ----------
    trace : Trace
        Of large arrays the first rows and columns are shown.

    Returns
    -------
    str

    Examples
    --------
    >>> from deltarule.explain import worked_trace
    >>> step_tables(worked_trace()).count("<table")
    34
    """
    step = trace.steps[0]
    parts = []
    for title, array, note in sections(trace, step):
        text = html.escape(title)
        if array is None:
            parts.append(f"<p>{text}</p>")
            continue
        shape = "×".join(map(str, array.shape))
        parts.append(
            f'<div class="scroll"><table class="plain"><caption>{text} <small>{shape}</small>'
            f"</caption>{_rows(np.atleast_2d(array))}</table></div>"
        )
        if note:
            parts.append(f"<p><small>{html.escape(note)}</small></p>")
    return "\n".join(parts)


def _rows(array: Array) -> str:
    n, m = array.shape
    more = "<td>⋯</td>" if m > _MOST else ""
    rows = [
        "<tr>" + "".join(f"<td>{value:.6g}</td>" for value in row) + more + "</tr>"
        for row in array[:_MOST, :_MOST].tolist()
    ]
    return "".join(rows) + ("<tr><td>⋮</td></tr>" if n > _MOST else "")
