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
        help="What train --out wrote: a file, or with --by a folder.",
        show_default=False,
    ),
]

Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Read the table in blocks, so that its rows take at most so much memory: 500MB, 4GB. "
        "A folder of Parquet or CSV files will do.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="TEXT",
        help="Text that means a missing value, beside empty, NA and ?. Repeat for more.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="What separates columns; detected unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line names the columns; detected unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Of the text, as utf-8 or latin-1; detected unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
DecimalComma = Annotated[
    bool | None,
    typer.Option(
        "--decimal-comma/--decimal-point",
        help="How numbers are written; detected unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Quote = Annotated[
    str | None,
    typer.Option(
        "--quote",
        metavar="CHAR",
        help="What encloses text; detected unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
