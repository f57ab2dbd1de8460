"""Contributions on the command line: the reference row, output columns, the page, the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deltarule import tabular
from deltarule.cli.sources import Source
from deltarule.cli.terminal import Terminal
from deltarule.data import FileRows, row_named, row_names
from deltarule.errors import SettingError
from deltarule.modelfile import Model
from deltarule.tabular.contributions import TOLERANCE
from deltarule.tabular.options import option, option_group

_SHOWN = 12  # columns of each output


@option_group("Contributions")
class WhyOptions:
    """Which contributions are computed, and where they go."""

    why: bool = option(
        "",
        "Add the contribution of each column, from a reference row: in the target's units; for "
        "two classes in log-odds, for several in logits less their mean.",
        False,
    )
    why_page: Path | None = option("FILE", "Also write a page that explains one row, as HTML.")
    why_row: str | None = option(
        "ROW",
        "Row of --why-page, as the file counts its rows, with the header: 42; of several files "
        "FILE:42 (default: the first row of data).",
    )
    baseline: tuple[str, ...] = option(
        "COLUMN=VALUE",
        "Value in the reference row of --why (default: training medians and most frequent "
        "levels). Repeatable.",
        (),
    )

    why_tolerance: float | None = option(
        "SHARE",
        "Largest residual of a row's contributions, as a share of the target's spread or in "
        "log-odds (default: 0.001). A larger one takes less time.",
        limits={"low": 0, "high": 1, "open_low": True},
    )

    @property
    def reference(self) -> dict[str, str] | None:
        """The reference row that is asked for."""
        return baseline_of(self.baseline)

    @property
    def tolerance(self) -> float:
        """How large a residual may be."""
        return self.why_tolerance or TOLERANCE

    def check(self) -> None:
        """Refuse options without the one that they belong to.

        Raises
        ------
        SettingError
            For a reference row without contributions, or a row without a page.
        """
        if self.why_page is not None and self.why_page.suffix.lower() == ".pdf":
            raise SettingError(
                f"--why-page {self.why_page}: is written as HTML. Name a file.html, and print that "
                "from a browser."
            )
        if self.baseline and not self.why and self.why_page is None:
            raise SettingError("--baseline: expected --why or --why-page too.")
        if self.why_tolerance is not None and not self.why:
            raise SettingError("--why-tolerance: expected --why too.")
        if self.why_row is not None and self.why_page is None:
            raise SettingError(
                f"--why-row {self.why_row}: expected --why-page FILE too, the page of that row."
            )

    def place(self, files: Sequence[FileRows], rows: int) -> int:
        """The row of the page in the table, counted from 0.

        Parameters
        ----------
        files : sequence of FileRows
            Where the rows of the table stand in its files.
        rows : int
            How many it has.

        Raises
        ------
        SettingError
            For a row that the table does not have.
        """
        if self.why_row is None:
            return 0
        place = row_named(files, self.why_row, rows)
        if place is None:
            first, last = row_names(files, [0, rows - 1]) if rows else ("", "")
            raise SettingError(
                f"--why-row {self.why_row}: expected a row of data, from {first} to {last}, as "
                f"{'the file counts them' if files else 'counted from 1'}."
            )
        return place

    def write_page(
        self, model_of: Callable[[Any], Model], source: Source, terminal: Terminal
    ) -> None:
        """Write the page of a row of a table, by the row's model, where one is asked for."""
        if self.why_page is None:
            return
        place = self.place(source.files, source.rows)
        own, (row,) = source.frame[place : place + 1], row_names(source.files, [place])
        of = f" of {Path(source.name).name}" if row.isdecimal() else ""
        name = f"Row {row}{of}"
        tabular.save_row_page(self.why_page, model_of(own), own, self.reference, name=name)
        terminal.note(f"why row {row}: {self.why_page}")


def baseline_of(given: Iterable[str]) -> dict[str, str] | None:
    """The reference row; None where nothing is given.

    Raises
    ------
    SettingError
        For text without an equals sign.

    Examples
    --------
    >>> baseline_of(["rooms=3", "town=A"]), baseline_of(())
    ({'rooms': '3', 'town': 'A'}, None)
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingError(f"--baseline: expected COLUMN=VALUE, as rooms=3; got {text!r}.")
        found[name] = value
    return found or None


def with_contributions(predicted: Any, found: tabular.Contributions) -> Any:
    """Predictions with the contributions as further columns."""
    return predicted.hstack(found.frame.fill_nan(None).get_columns())


def say_effects(terminal: Terminal, found: tabular.TableContributions) -> None:
    """One table per output: the columns that contribute most."""
    for k, output in enumerate(found.rows.outputs):
        own = [effect for effect in found.effects if effect.output == output]
        of = f" to {output}" if len(found.rows.outputs) > 1 else ""
        more = f"; {len(own) - _SHOWN} more columns" if len(own) > _SHOWN else ""
        terminal.table(
            f"Contributions{of}, {found.rows.unit_of(k)}, from {found.rows.reference.name}{more}",
            ["column", "mean absolute", "direction"],
            [[each.column, f"{each.mean_absolute:.3g}", each.summary] for each in own[:_SHOWN]],
        )


def as_json(found: tabular.TableContributions) -> dict[str, Any]:
    """The reference, the residual and the effects, as JSON values."""
    rows = found.rows
    return {
        "unit": rows.unit,
        "units": [rows.unit_of(k) for k in range(len(rows.outputs))],
        "outputs": list(rows.outputs),
        "baseline": {name: _plain(cell) for name, cell in rows.reference.row.items()},
        **_reference(rows),
        "largest_residual": float(np.nan_to_num(abs(rows.residuals)).max()),
        "columns": [
            {
                "column": each.column,
                "output": each.output,
                "mean_absolute": each.mean_absolute,
                "direction": each.direction,
                "curve": _curve(each),
            }
            for each in found.effects
        ],
    }


def _reference(rows: tabular.Contributions) -> dict[str, Any]:
    """The prediction of the reference row; that of each key is beside its rows."""
    found = rows.reference_prediction
    return {"reference": found.tolist()} if found.ndim == 1 else {}


def _curve(effect: tabular.ColumnEffect) -> list[dict[str, Any]]:
    """The points, of dates with ISO dates as values."""
    points = [point._asdict() for point in effect.curve]
    if effect.is_date:
        for point in points:
            point["value"] = str(np.datetime64(round(point["value"]), "D"))
    return points


def _plain(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, str | int | float) else str(cell)
