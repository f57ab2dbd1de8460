"""Contributions on the command line: the reference row, output columns, the page, the table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from deltarule import tabular
from deltarule.cli.terminal import Terminal
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
    why_row: int | None = option(
        "N",
        "Row of --why-page, counted from 1, without the header (default: 1).",
        limits={"low": 1, "whole": True},
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
    def given(self) -> dict[str, Any]:
        """The options that were given, by flag; None for the others."""
        return {
            "--why": self.why or None,
            "--why-page": self.why_page,
            "--why-row": self.why_row,
            "--baseline": self.baseline or None,
            "--why-tolerance": self.why_tolerance,
        }

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

    def check_row(self, rows: int) -> None:
        """Refuse a page of a row that the table does not have.

        Raises
        ------
        SettingError
        """
        if self.why_page is not None and self._row > rows:
            raise SettingError(
                f"--why-row {self._row}: expected a row of the table, which has {rows:,}, counted "
                "from 1."
            )

    def write_page(self, model: Model, frame: Any, name: str, terminal: Terminal) -> None:
        """Write the page of a row of a table, where one is asked for."""
        if self.why_page is None:
            return
        row = self._row
        title = f"Row {row} of {Path(name).name}"
        tabular.save_row_page(
            self.why_page, model, frame[row - 1 : row], self.reference, name=title
        )
        terminal.note(f"why row {row}: {self.why_page}")

    @property
    def _row(self) -> int:
        return self.why_row or 1


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
    return predicted.hstack(found.frame.get_columns())


def say_effects(terminal: Terminal, found: tabular.TableContributions) -> None:
    """One table per output: the columns that contribute most."""
    for output in found.rows.outputs:
        own = [effect for effect in found.effects if effect.output == output]
        of = f" to {output}" if len(found.rows.outputs) > 1 else ""
        more = f"; {len(own) - _SHOWN} more columns" if len(own) > _SHOWN else ""
        terminal.table(
            f"Contributions{of}, {found.rows.unit}, from {found.rows.reference.name}{more}",
            ["column", "mean absolute", "direction"],
            [[each.column, f"{each.mean_absolute:.3g}", each.summary] for each in own[:_SHOWN]],
        )


def as_json(found: tabular.TableContributions) -> dict[str, Any]:
    """The reference, the residual and the effects, as JSON values."""
    rows = found.rows
    return {
        "unit": rows.unit,
        "outputs": list(rows.outputs),
        "baseline": {name: _plain(cell) for name, cell in rows.reference.row.items()},
        "reference": rows.reference_prediction.tolist(),
        "largest_residual": float(abs(rows.residuals).max()),
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


def _curve(effect: tabular.ColumnEffect) -> list[dict[str, Any]]:
    """The points, of dates with ISO dates as values."""
    points = [point._asdict() for point in effect.curve]
    if effect.is_date:
        for point in points:
            point["value"] = str(np.datetime64(round(point["value"]), "D"))
    return points


def _plain(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, str | int | float) else str(cell)
