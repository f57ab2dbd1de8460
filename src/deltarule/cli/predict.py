"""``deltarule predict``: a model and a table in, a prediction per row out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deltarule import tabular
from deltarule.cli import sources, why
from deltarule.cli.certainty import CertaintyOptions
from deltarule.cli.command import command
from deltarule.cli.differences import Tally
from deltarule.cli.kept_columns import beside, identifiers, kept_columns
from deltarule.cli.options import Data, Json, ModelPath, StreamOptions
from deltarule.cli.outputs import check_outputs
from deltarule.cli.prediction_files import Format, csv, format_of, rounded
from deltarule.cli.predictors import Predictor, predictor
from deltarule.cli.terminal import Terminal, print_json, print_lines
from deltarule.cli.why import WhyOptions
from deltarule.data import Stream, cells_of
from deltarule.errors import SettingError
from deltarule.keyed import FALLBACKS
from deltarule.modelfile import write_whole
from deltarule.preprocessing.differences import counts, flags
from deltarule.system.storage import written_whole
from deltarule.tabular.options import option, option_group


@option_group("Output")
class PredictOptions:
    """What is predicted, and where it goes."""

    out: Path | None = option(
        "FILE",
        "Output file, written atomically: .csv, .xlsx, .parquet, .jsonl or .arrow; other names get "
        "CSV.",
    )
    keep: str | None = option(
        "COLUMNS",
        "Columns of DATA to copy beside the predictions, separated by commas (default: identifiers "
        "that training left out, and keys of --by; '' for none).",
    )
    probabilities: bool | None = option(
        "",
        "Whether to add the probability of each class (default: yes).",
        flag="--probabilities/--no-probabilities",
    )
    flags: bool = option(
        "",
        "Add a column that names, per row, the columns that differ from training: unseen values, "
        "numbers or dates outside the training range, missing values where training had none.",
        False,
    )
    fallback: str = option(
        "NAME",
        "Prediction for rows whose key has no model (train --by): missing, overall (the median or "
        "most frequent class of all rows), refuse.",
        "missing",
        names=FALLBACKS,
    )


@command
def predict(
    model: ModelPath,
    data: Data,
    asked: PredictOptions,
    certainty: CertaintyOptions,
    reasons: WhyOptions,
    reading: StreamOptions,
    json: Json = False,
) -> None:
    """Predict every row of a table, in its order.

    Columns may be in any order, and additional ones are ignored. Without --out the predictions go
    to standard output as CSV; the extension of --out chooses the format. Columns that identify a
    row are copied beside its prediction; --keep names others. Text and workbooks have six
    significant digits of each prediction; Parquet, Arrow and --json all. With a folder written by
    train --by, each row is predicted and explained by the model of its key. In CSV, text that a
    spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a line end, and is no
    number) gets an apostrophe in front; other formats and --json keep text unchanged. Standard
    output also shows control characters escaped.

    \b
    Examples:
      deltarule predict flats.safetensors new.csv --out rents.xlsx
      deltarule predict flats.safetensors new.csv --keep street,floor --intervals 0.9
      deltarule predict digits.safetensors digits --no-probabilities | head
      deltarule predict patients.safetensors new.csv --sets 0.9 --unlike-training
      deltarule predict flats.safetensors new.csv --why --baseline rooms=3 --why-page flat.html
      deltarule predict stores new.parquet --out sales.parquet --fallback overall
    """  # noqa: D301 - typer keeps the lines after it
    out, form = asked.out, format_of(asked.out)
    outputs = {"--out": out, "--why-page": reasons.why_page}
    check_outputs(outputs, {"the model": model, "the data": data})
    loaded = predictor(model, asked.fallback)
    work = _Work(loaded, asked, certainty, reasons, form)
    read, terminal = reading.reading(loaded.record), Terminal()
    if reading.memory is not None:
        work.check_blocks(json)
        blocks = sources.in_blocks(data, read)
        count = work.in_blocks(blocks, reading.memory, terminal)
        terminal.note(f"{count:,} predictions of {blocks.name}: {out}")
        return
    source = sources.source(data, read)
    kept = _kept(loaded, asked, source.columns, terminal)
    with cells_of(source.files):
        predicted, further = work.whole(source, kept, terminal)
    if out is not None:
        write_whole(out, form.content(predicted, kept))
        terminal.note(f"{len(predicted):,} predictions of {source.name}: {out}")
    if json:
        print_json({"rows": len(predicted), "predictions": _as_json(predicted), **further})
    elif out is None:
        print_lines(csv(rounded(predicted, kept)))


def _probabilities(model: Predictor, asked: PredictOptions) -> bool:
    """Whether the probabilities of classes are to be added.

    Raises
    ------
    SettingError
        Where they are asked for and the model has none.
    """
    is_classes = model.targets.task == "classification"
    if asked.probabilities and not is_classes:
        raise SettingError(
            "--probabilities: expected a classification model; this one predicts numbers. Leave it "
            "out."
        )
    return is_classes and asked.probabilities is not False


def _kept(
    model: Predictor, asked: PredictOptions, there: Sequence[str], terminal: Terminal
) -> list[str]:
    """The columns of a table that are copied."""
    usual = [*model.keys, *identifiers(model.preprocessing.columns)]
    return kept_columns(asked.keep, usual, there, terminal)


class _Work:
    """What is predicted of a table, whole or block by block.

    Attributes
    ----------
    tally : Tally
        Of the differences from training in the rows so far.
    """

    def __init__(
        self,
        model: Predictor,
        asked: PredictOptions,
        certainty: CertaintyOptions,
        reasons: WhyOptions,
        form: Format,
    ) -> None:
        model.check(certainty)
        reasons.check()
        self.model, self.asked, self.form = model, asked, form
        self.certainty, self.reasons = certainty, reasons
        self.tally = Tally(model.preprocessing)
        self.probabilities = _probabilities(model, asked)
        self.explained_by = reasons.reference, reasons.tolerance

    def predicted(self, frame: Any, rows: Any, explained: tabular.Contributions | None) -> Any:
        """The predictions of some rows, encoded once, with all that is asked for."""
        import polars as pl

        made = self.model.predictions(rows, self.probabilities)
        found = self.tally.preprocessing.differences(frame)
        self.tally.add(found)
        further = dict(self.model.certainty(rows, self.certainty))
        if self.certainty.unlike_training:
            further["unlike_training"] = counts(found, len(made))
        if self.asked.flags:
            further["flags"] = pl.Series(flags(found, len(made)), dtype=pl.String)
        made = made.with_columns(pl.Series(name, own) for name, own in further.items())
        if explained is not None:
            made = why.with_contributions(made, explained)
        return made

    def whole(
        self, source: sources.Source, kept: Sequence[str], terminal: Terminal
    ) -> tuple[Any, dict[str, Any]]:
        """The predictions of a table, and what JSON says besides."""
        frame, further = source.frame, dict[str, Any]()
        self.reasons.place(source.files, len(frame))
        rows = self.model.encoded(frame)
        explained = None
        if self.reasons.why:
            with terminal.waiting("computing contributions"):
                found = self.model.contributions(rows, *self.explained_by)
            explained, further["why"] = found.rows, why.as_json(found)
            if self.asked.out is not None:
                why.say_effects(terminal, found)
        predicted = beside(source.written(kept), kept, self.predicted(frame, rows, explained))
        self.reasons.write_page(self.model.model_of, source, terminal)
        self._warn(terminal)
        return predicted, {"differences": self.tally.as_json(), **further}

    def check_blocks(self, json: bool) -> None:
        """Refuse what a table read in blocks does not have."""
        if json or self.asked.out is None:
            raise SettingError(
                "--memory: predictions are written to a file; expected --out FILE.csv or "
                "another file, without --json."
            )
        if self.reasons.why_page is not None:
            raise SettingError(
                "--why-page: expected a table that is read whole; leave --memory out."
            )

    def in_blocks(self, source: Stream, memory: int, terminal: Terminal) -> int:
        """Predict a table block by block and write as it goes, where the format allows it.

        Returns
        -------
        int
            How many rows there were.
        """
        import polars as pl

        kept = _kept(self.model, self.asked, source.columns, terminal)
        explained, held = None, []
        assert self.asked.out is not None
        with written_whole(self.asked.out) as file:
            for k, frame in tabular.frames(source, memory=memory):
                with source.cells_of(k):
                    rows = self.model.encoded(frame)
                    if self.reasons.why:
                        explained = self.model.contributions(rows, *self.explained_by).rows
                    made = beside(frame, kept, self.predicted(frame, rows, explained))
                if self.form.in_blocks:
                    file.write(self.form.content(made, kept, k == 0))
                else:
                    held.append(made)
            if held:
                file.write(self.form.content(pl.concat(held), kept))
        self._warn(terminal)
        return source.rows

    def _warn(self, terminal: Terminal) -> None:
        """Warn of rows without a model, and of those that differ from training."""
        self.model.warn(terminal)
        self.tally.warn(terminal)


def _as_json(frame: Any) -> dict[str, list[Any]]:
    """The columns as JSON values: dates as text, what is not a finite number as null."""
    rows = json.loads(frame.write_json())
    return {name: [row[name] for row in rows] for name in frame.columns}
