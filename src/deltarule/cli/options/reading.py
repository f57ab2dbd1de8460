"""Options that say which files are read, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Reading the file"

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="CSV, TSV or Parquet files, globs, or the name of a built-in set: digits, iris, "
        "wine, breast_cancer, diabetes.",
        show_default=False,
    ),
]
ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="Model written by train --out: a file, or with --by a folder.",
        show_default=False,
    ),
]

Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Read the table in blocks, so that its rows take at most this much memory: 500MB, "
        "4GB. Also for a folder of Parquet or CSV files.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="TEXT",
        help="Text that marks a missing value, besides empty cells, NA and ?. Repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="Column delimiter (default: detected).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line holds the column names (default: detected).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Text encoding, for example utf-8 or latin-1 (default: detected).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
DecimalComma = Annotated[
    bool | None,
    typer.Option(
        "--decimal-comma/--decimal-point",
        help="Decimal mark of numbers (default: detected).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Quote = Annotated[
    str | None,
    typer.Option(
        "--quote",
        metavar="CHAR",
        help="Quote character (default: detected).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
