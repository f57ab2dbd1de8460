"""The page of a row: what made its prediction, from two references, as one HTML file."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data import with_unit
from deltarule.errors import SettingError
from deltarule.modelfile import Model
from deltarule.report.pages import rendered
from deltarule.system.storage import write_whole
from deltarule.tabular.contributions import TOLERANCE, Contributions, explain_rows, explained
from deltarule.tabular.references import middle
from deltarule.training.predictions import probabilities

_SHOWN = 25  # columns; the others together are one line
_NOTABLE = 0.05  # of the largest contribution: smaller ones may change sign unnoticed


class Line(NamedTuple):
    """A column on the page.

    Attributes
    ----------
    name, value, reference : str
    contribution, other : str
        From the reference, and from the second one.
    start, width : float
        Of the bar, in percent of its place.
    raises : bool
    """

    name: str
    value: str
    reference: str
    contribution: str
    other: str
    start: float
    width: float
    raises: bool


class Section(NamedTuple):
    """One output on the page."""

    output: str
    prediction: str
    reference: str
    second: str
    residual: str
    lines: list[Line]
    disagreement: str
    is_main: bool


def row_page(model: Model, row: Any, baseline: Any = None, *, name: str = "A row") -> str:
    """The page of a row.

    Parameters
    ----------
    model : Model
    row : data frame, array or mapping
        One row.
    baseline : mapping or table of one row, optional
        As of :func:`~deltarule.tabular.explain_rows`.
    name : str
        What the row is called.

    Raises
    ------
    SettingError
        For a table of several rows; for a reference row that does not fit.

    Examples
    --------
    >>> import deltarule as dr
    >>> X = {"area": [50.0, 60.0, 80.0] * 8, "town": ["A", "B", "A"] * 8}
    >>> fitted = dr.TabularRegressor(epochs=1, n_ensemble=1).fit(X, X["area"])
    >>> page = row_page(fitted.model_, {"area": [75.0], "town": ["B"]})
    >>> "<td>area</td>" in page
    True
    """
    found = explain_rows(model, row, baseline)
    if len(found.values) != 1:
        raise SettingError(f"row_page: expected one row, got {len(found.values):,}. Pick one.")
    other = explained(model, row, middle(model))
    assert model.preprocessing is not None
    frame = model.preprocessing.frame(row)
    cells = {column: _cell(frame[column][0]) for column in found.columns}
    predicted, main = _predicted(model, row, found)
    sections = [_section(found, other, k, cells, k == main) for k in range(len(found.outputs))]
    return rendered(
        "row.html",
        name=name,
        predicted=predicted,
        unit=found.unit,
        start=found.reference.name,
        second=other.reference.name,
        points=int(found.points[0]),
        tolerance=f"{TOLERANCE:g}",
        sections=sorted(sections, key=lambda section: not section.is_main),
    )


def save_row_page(
    path: str | os.PathLike[str], model: Model, row: Any, baseline: Any = None, *, name: str
) -> None:
    """Write the page of a row to a file, atomically.

    Parameters
    ----------
    path : path
    model, row, baseline, name
        As of :func:`row_page`.
    """
    write_whole(path, row_page(model, row, baseline, name=name).encode())


def _predicted(model: Model, row: Any, found: Contributions) -> tuple[str, int]:
    """The prediction as people read it, and which output it is mostly about."""
    assert model.targets is not None
    if not model.targets.classes:
        values = [_valued(found, k) for k in range(len(found.outputs))]
        return ", ".join(map(": ".join, zip(found.outputs, values, strict=True))), 0
    targets, outputs = model.targets, model.outputs(row)
    k = int(targets.codes(outputs)[0])
    main = k if len(found.outputs) > 1 else 0
    p = probabilities(outputs)[0, k]
    text = f"{targets.names[0]}: {targets.classes[k]} (probability {p:.3g})"
    if targets.decision is None or not targets.decision.reason:
        return text, main
    return f"{text}; {targets.decision.describe()}", main


def _section(
    found: Contributions, other: Contributions, k: int, cells: dict[str, str], is_main: bool
) -> Section:
    own, second = found.values[0, k], other.values[0, k]
    order = np.argsort(-abs(own), kind="stable")
    shown, rest = order[:_SHOWN], order[_SHOWN:]
    rows = [
        (found.columns[i], cells[found.columns[i]], _start(found, i), own[i], second[i])
        for i in shown
    ]
    if len(rest):
        rows.append((f"{len(rest)} other columns", "", "", own[rest].sum(), second[rest].sum()))
    low, high = min(0.0, *(row[3] for row in rows)), max(0.0, *(row[3] for row in rows))
    span = (high - low) or 1.0
    lines = [
        Line(
            *row[:3],
            _signed(row[3]),
            _signed(row[4]),
            100 * (min(0.0, row[3]) - low) / span,
            100 * abs(row[3]) / span,
            bool(row[3] >= 0),
        )
        for row in rows
    ]
    return Section(
        _heading(found, k),
        _valued(found, k),
        f"{found.reference_prediction[k]:.5g}",
        f"{other.reference_prediction[k]:.5g}",
        f"{found.residuals[0, k]:+.1g}",
        lines,
        disagreement(found.columns, own, second),
        is_main,
    )


def _heading(found: Contributions, k: int) -> str:
    own = found.outputs[k]
    if found.units:
        return with_unit(own, found.units[k])
    return f"{found.unit.capitalize()} of {own}"


def _valued(found: Contributions, k: int) -> str:
    """A prediction with its unit, where that is known."""
    unit = found.units[k] if found.units else ""
    return f"{found.predictions[0, k]:.5g} {unit}".strip()


def disagreement(columns: tuple[str, ...], own: Array, other: Array) -> str:
    """What changes with the reference, in a sentence.

    Parameters
    ----------
    columns : tuple of str
    own, other : arrays, shape (columns,)
        The contributions from the one reference and from the other.

    Examples
    --------
    >>> disagreement(("area", "town"), np.array([3.0, -1.0]), np.array([2.5, 1.0]))
    "The contribution of 'town' changes most, from -1 to +1. The sign differs for 'town'."
    >>> disagreement(("area",), np.array([3.0]), np.array([3.0]))
    'The contributions are the same from both references.'
    """
    most = int(abs(own - other).argmax())
    if own[most] == other[most]:
        return "The contributions are the same from both references."
    least = _NOTABLE * max(abs(own).max(), abs(other).max())
    notable = np.minimum(abs(own), abs(other)) > least
    changed = [repr(columns[i]) for i in np.flatnonzero((own * other < 0) & notable)]
    signs = f"The sign differs for {', '.join(changed)}." if changed else "No notable sign differs."
    return (
        f"The contribution of {columns[most]!r} changes most, from {_signed(own[most])} to "
        f"{_signed(other[most])}. {signs}"
    )


def _start(found: Contributions, i: int) -> str:
    return _cell(found.reference.row[found.columns[i]])


def _signed(value: float) -> str:
    return f"{value:+.3g}" if value else "0"


def _cell(value: Any) -> str:
    """A cell as people read it."""
    if value is None or value != value:
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
