"""``deltarule predict``: a model and a table in, a prediction per row out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deltarule import tabular
from deltarule.cli import sources, why
from deltarule.cli.by_key import is_by_key, predictions_by_key, record_of
from deltarule.cli.certainty import CertaintyOptions, check_certainty, with_certainty
from deltarule.cli.command import command
from deltarule.cli.differences import Tally
from deltarule.cli.kept_columns import beside, identifiers, kept_columns
from deltarule.cli.options import Data, Json, ModelPath, StreamOptions
from deltarule.cli.outputs import check_outputs
from deltarule.cli.prediction_files import Format, csv, format_of, rounded
from deltarule.cli.terminal import Terminal, print_json, print_lines
from deltarule.cli.why import WhyOptions
from deltarule.data import Stream, cells_of
from deltarule.errors import SettingError
from deltarule.keyed import FALLBACKS, KeyedModels, load_keyed
from deltarule.modelfile import Model, load_model, write_whole
from deltarule.preprocessing.differences import flags
from deltarule.preprocessing.table import Encoded
from deltarule.system.storage import written_whole
from deltarule.tabular.options import option, option_group
from deltarule.training.predictions import probabilities as of_classes


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
    train --by, each row is predicted by the model of its key. In CSV, text that a spreadsheet would
    run as a formula (it begins with =, +, -, @, a tab or a line end, and is no number) gets an
    apostrophe in front; other formats and --json keep text unchanged. Standard output also shows
    control characters escaped.

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
    loaded = load_keyed(model) if is_by_key(model) else load_model(model)
    read, memory = reading.reading(record_of(loaded)), reading.memory
    terminal, further = Terminal(), dict[str, Any]()
    if isinstance(loaded, KeyedModels):
        _check_keyed(asked, certainty, reasons, memory)
        source = sources.source(data, read)
        kept = _kept(loaded, asked, source.columns, terminal)
        with cells_of(source.files):
            predicted = predictions_by_key(
                terminal, loaded, source.frame, _probabilities(loaded, asked), asked.fallback
            )
        predicted = beside(source.frame, kept, predicted)
    else:
        check_tabular(loaded, model)
        work = _Work(loaded, asked, certainty, reasons, form)
        if memory is not None:
            work.check_blocks(json)
            blocks = sources.in_blocks(data, read)
            count = work.in_blocks(blocks, memory, terminal)
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


def _check_keyed(
    asked: PredictOptions,
    certainty: CertaintyOptions,
    reasons: WhyOptions,
    memory: int | None,
) -> None:
    """Refuse what one model per key does not have."""
    flags = asked.flags or None
    given = {**certainty.given, **reasons.given, "--memory": memory, "--flags": flags}
    for flag, value in given.items():
        if value is not None:
            raise SettingError(f"{flag}: not available for one model per key. Leave it out.")
    FALLBACKS.entry(asked.fallback)


def _probabilities(model: Model | KeyedModels, asked: PredictOptions) -> bool:
    """Whether the probabilities of classes are to be added.

    Raises
    ------
    SettingError
        Where they are asked for and the model has none.
    """
    assert model.targets is not None
    is_classes = model.targets.task == "classification"
    if asked.probabilities and not is_classes:
        raise SettingError(
            "--probabilities: expected a classification model; this one predicts numbers. Leave it "
            "out."
        )
    return is_classes and asked.probabilities is not False


def _kept(
    model: Model | KeyedModels, asked: PredictOptions, there: Sequence[str], terminal: Terminal
) -> list[str]:
    """The columns of a table that are copied."""
    assert model.preprocessing is not None
    keys = [model.by] if isinstance(model, KeyedModels) else []
    usual = [*keys, *identifiers(model.preprocessing.columns)]
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
        model: Model,
        asked: PredictOptions,
        certainty: CertaintyOptions,
        reasons: WhyOptions,
        form: Format,
    ) -> None:
        assert model.preprocessing is not None
        check_certainty(model, certainty)
        reasons.check()
        self.model, self.asked, self.form = model, asked, form
        self.certainty, self.reasons = certainty, reasons
        self.tally = Tally(model.preprocessing)
        self.probabilities = _probabilities(model, asked)
        self.reference = reasons.reference
        self.explained_by = self.reference, reasons.tolerance

    def predicted(
        self, rows: Encoded, kept: Sequence[str], explained: tabular.Contributions | None
    ) -> Any:
        """The predictions of some rows behind the columns to copy, with all that is asked for."""
        import polars as pl

        made = predictions(self.model, rows, self.probabilities)
        found = self.tally.preprocessing.differences(rows.frame)
        self.tally.add(found)
        made = with_certainty(made, self.model, rows, self.certainty, found)
        if self.asked.flags:
            made = made.with_columns(pl.Series("flags", flags(found, len(made)), dtype=pl.String))
        if explained is not None:
            made = why.with_contributions(made, explained)
        return beside(rows.frame, kept, made)

    def whole(
        self, source: sources.Source, kept: Sequence[str], terminal: Terminal
    ) -> tuple[Any, dict[str, Any]]:
        """The predictions of a table, and what JSON says besides."""
        frame, further = source.frame, dict[str, Any]()
        self.reasons.check_row(len(frame))
        rows = self.tally.preprocessing.encoded(frame)
        explained = None
        if self.reasons.why:
            with terminal.waiting("computing contributions"):
                found = tabular.explain_table(self.model, rows, *self.explained_by)
            explained, further["why"] = found.rows, why.as_json(found)
            if self.asked.out is not None:
                why.say_effects(terminal, found)
        predicted = self.predicted(rows, kept, explained)
        self.reasons.write_page(self.model, frame, source.name, terminal)
        self.tally.warn(terminal)
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
                    rows = self.tally.preprocessing.encoded(frame)
                    if self.reasons.why:
                        explained = tabular.explain_rows(self.model, rows, *self.explained_by)
                    made = self.predicted(rows, kept, explained)
                if self.form.in_blocks:
                    file.write(self.form.content(made, kept, k == 0))
                else:
                    held.append(made)
            if held:
                file.write(self.form.content(pl.concat(held), kept))
        self.tally.warn(terminal)
        return source.rows


def predictions(model: Model, frame: Any, probabilities: bool) -> Any:
    """A frame with one row per row of the table, columns named after the target and its classes.

    Parameters
    ----------
    model : Model
    frame : data frame or Encoded
    probabilities : bool
    """
    import polars as pl

    assert model.targets is not None
    outputs = model.outputs(frame)
    found = model.targets.decode(outputs)
    columns = {f"predicted_{name}": found[name] for name in model.targets.names}
    if probabilities:
        P = of_classes(outputs)
        for k, label in enumerate(model.targets.classes):
            columns[f"probability_{label}"] = P[:, k]
    return pl.DataFrame(columns)


def check_tabular(model: Model, path: Path) -> None:
    """Refuse a model that was not trained on a table.

    Raises
    ------
    SettingError
        For a network without preprocessing.
    """
    if model.preprocessing is None or model.targets is None:
        raise SettingError(
            f"{path}: holds a network without preprocessing, which takes arrays, not tables. "
            "Use load_model in Python, or a file written by train --out."
        )


def _as_json(frame: Any) -> dict[str, list[Any]]:
    """The columns as JSON values: dates as text, what is no finite number as null."""
    rows = json.loads(frame.write_json())
    return {name: [row[name] for row in rows] for name in frame.columns}
