"""The options that only the command line has, where several commands share them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from deltarule.cli.texts import Bytes
from deltarule.data import Reading
from deltarule.errors import SettingError
from deltarule.system.processes import Group, distributed, group
from deltarule.tabular.options import option, option_group
from deltarule.tabular.record import recorded_reading
from deltarule.tabular.settings import ValueOptions
from deltarule.training.checkpoints import Checkpoints

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Files (CSV, JSON, Excel, Parquet, Arrow), globs, - for standard input, or a "
        "built-in set: digits, iris, wine, breast_cancer, diabetes.",
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
Json = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print one JSON object.", rich_help_panel="Output"),
]


@option_group("Columns")
class TableOptions:
    """What else is to be known of a table."""

    by: str | None = option(
        "COLUMN",
        "Train one model per key of this column, such as a store or a sensor. --out names a "
        "folder.",
        common=True,
    )
    jobs: int | None = option(
        "N",
        "Number of processes that train with --by; -1 for one per core. Results do not depend on "
        "it.",
    )
    strict: bool = option(
        "", "Raise an error for rows without a target instead of dropping them.", False
    )


@option_group("Evaluation")
class EvaluationOptions:
    """What a model is evaluated on, and compared with."""

    test: tuple[str, ...] = option(
        "FILE", "Evaluate on this file instead of a held-out test set. Repeatable.", (), common=True
    )
    cv: int | None = option(
        "K",
        "Evaluate by K-fold cross-validation; the final model is trained on all rows.",
        common=True,
    )
    baselines: bool = option(
        "", "Fit simple models for comparison.", True, flag="--baselines/--no-baselines"
    )


@option_group("Reading the file")
class ReadingOptions(ValueOptions):
    """How a text file is read; what is None is detected."""

    delimiter: str | None = option("CHAR", "Column delimiter (default: detected).")
    header: bool | None = option(
        "",
        "Whether the first line holds the column names (default: detected).",
        flag="--header/--no-header",
    )
    encoding: str | None = option(
        "NAME", "Text encoding, for example utf-8 or latin-1 (default: detected)."
    )
    quote: str | None = option("CHAR", "Quote character (default: detected).")
    skip_lines: int | None = option("N", "Number of lines to skip at the beginning (default: 0).")
    comment: str | None = option(
        "TEXT",
        "Skip lines that begin with this text (default: only notes around the table are skipped).",
    )
    bad_rows: str | None = option(
        "CHOICE",
        "What to do with rows that have too many or too few cells or broken quotes (default: "
        "error).",
    )
    sheet: str | None = option("NAME", "Sheet of a workbook (default: the only one with cells).")

    def reading(self, about: Mapping[str, Any] | None = None) -> Reading:
        """As the library takes it; what was not given is as when the model was trained."""
        known = {each.name: getattr(self, each.name, None) for each in fields(Reading)}
        given = {name: value for name, value in known.items() if value not in (None, ())}
        if not self.plain:
            del given["plain"]
        if self.delimiter in ("\\t", "tab"):
            given["delimiter"] = "\t"
        return replace(recorded_reading(about or {}), **given)


@option_group("Reading the file")
class StreamOptions(ReadingOptions):
    """The same of a table that may be larger than memory."""

    memory: Bytes | None = option(
        "SIZE",
        "Read the table in blocks, so that its rows take at most this much memory: 500MB, 4GB. "
        "Also for a folder of Parquet or CSV files.",
        common=True,
    )


@option_group("Output")
class CheckpointOptions:
    """Where and how often a run is kept."""

    checkpoint_dir: Path | None = option(
        "DIR",
        "Folder for checkpoints, so that the run can resume after a crash or Ctrl-C.",
        common=True,
    )
    checkpoint_every: str = option(
        "N|Ns", "Write a checkpoint every N steps or, with an s, every N seconds.", "60s"
    )
    resume: bool = option(
        "",
        "Resume from the newest checkpoint, or with --by from what --out holds; start from the "
        "beginning if there is none.",
        False,
        common=True,
    )

    def checkpoints(self) -> Checkpoints | None:
        """As the library takes them; None where the run is not kept.

        Raises
        ------
        SettingError
            For text that is not a number of steps or seconds.

        Examples
        --------
        >>> CheckpointOptions(Path("run"), "500").checkpoints().every_steps
        500
        """
        every, seconds = self.checkpoint_every, self.checkpoint_every.endswith("s")
        number = every[:-1] if seconds else every
        if not number.isdecimal() or int(number) == 0:
            raise SettingError(
                "--checkpoint-every: expected a number of steps, as 500, or of seconds, as 60s; "
                f"got {every!r}."
            )
        if self.checkpoint_dir is None:
            return None
        kept = Checkpoints(self.checkpoint_dir, self.resume)
        if seconds:
            return replace(kept, every_seconds=float(number))
        return replace(kept, every_steps=int(number), every_seconds=None)


@option_group("Several processes")
class ProcessOptions:
    """The processes that train together."""

    distributed: bool = option(
        "",
        "Train together with the other processes started by the same torchrun or srun; engine "
        "jax. Only process 0 prints and writes.",
        False,
    )
    coordinator: str | None = option(
        "HOST:PORT", "The same without a launcher: address at which the others reach process 0."
    )
    process: int | None = option("I", "Index of this process, from 0.")
    processes: int | None = option("N", "Number of processes.")
    wait: float = option("SECONDS", "Seconds to wait until all processes have started.", 300.0)

    def joined(self) -> AbstractContextManager[Group]:
        """The processes to train with: this one alone by default."""
        if self.distributed or (self.coordinator, self.process, self.processes) != (None,) * 3:
            return distributed(self.coordinator, self.process, self.processes, wait=self.wait)
        return nullcontext(group())
