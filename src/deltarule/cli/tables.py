"""The table of a training: read, checked, and described with what to be warned of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from deltarule import tabular
from deltarule.cli.sources import Source
from deltarule.cli.terminal import Terminal
from deltarule.cli.texts import names_among
from deltarule.data import Reading, Stream
from deltarule.errors import SettingError


@dataclass(frozen=True)
class TrainingTable:
    """A table as a training takes it.

    Attributes
    ----------
    source : Source or Stream
        Where it was read from.
    whole : Table
    warnings : list of str
        Of what is not certain about its values, and columns that may give the target away.
    reading : Reading
        How it was read, and a test file is.
    strict : bool
        Whether rows without a target are refused.
    survey : Surveyed, optional
        Where it was read in blocks.
    leaks : list of str
        Of the warnings those of columns that may give the target away.
    """

    source: Source | Stream
    whole: tabular.Table
    warnings: list[str]
    reading: Reading
    strict: bool
    survey: tabular.Surveyed | None = None
    leaks: list[str] = field(default_factory=list)


def training_table(
    terminal: Terminal,
    source: Source | Stream,
    roles: tabular.Roles,
    settings: tabular.Settings,
    reading: Reading,
    strict: bool,
    memory: int | None = None,
) -> TrainingTable:
    """Check a table, and say what was read and what to be warned of."""
    survey = None
    if isinstance(source, Stream):
        with terminal.waiting("reading all rows once"):
            survey = tabular.survey(source, roles, settings, memory=memory or 0, strict=strict)
        whole = survey.whole
    else:
        whole = tabular.table(source.data, roles, task=settings.task, strict=strict)
    leaks = tabular.leaks(whole)
    warnings = [*leaks, *tabular.sentinel_warnings(whole)]
    if survey is None:  # of a sample nothing is known of rare classes
        warnings += tabular.doubtful_labels(whole)
    say_size(terminal, source)
    if whole.dropped:
        terminal.warn(
            f"rows without a target were dropped: {whole.dropped:,} (--strict refuses them)."
        )
    for warning in warnings:
        terminal.warn(warning)
    notes = source.notes if isinstance(source, Stream) else source.data.notes
    warnings[:0] = terminal.warnings[:0] = notes  # said as the table was opened
    reading = replace(reading, columns=whole.reading.columns)
    return TrainingTable(source, whole, warnings, reading, strict, survey, leaks)


def say_size(terminal: Terminal, source: Source | Stream) -> None:
    """What was read."""
    terminal.say(
        f"{source.name}: {source.rows:,} rows, {len(source.columns)} columns", style="bold"
    )


def roles_in(source: Source | Stream, asked: tabular.Roles) -> tabular.Roles:
    """The roles with their lists of columns read; a built-in set has a default target.

    Raises
    ------
    SettingError
        Where no target is named.
    """
    target = asked.target or (() if source.target is None else (source.target,))
    if not target:
        raise SettingError(
            "--target is missing: expected the column to predict. The table has: "
            f"{', '.join(source.columns[:20])}."
        )
    columns = source.columns
    return replace(
        asked, target=names_among(columns, target), drop=names_among(columns, asked.drop)
    )
