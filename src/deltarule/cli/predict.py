"""``deltarule predict``: a model and a table in, a prediction per row out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from deltarule import tabular
from deltarule.cli import sources
from deltarule.cli.by_key import is_by_key, predictions_by_key, record_of
from deltarule.cli.certainty import CertaintyOptions, check_certainty, with_certainty
from deltarule.cli.command import command
from deltarule.cli.differences import Tally
from deltarule.cli.options import Data, Json, ModelPath, StreamOptions
from deltarule.cli.outputs import check_outputs
from deltarule.cli.terminal import Terminal, print_json, print_lines
from deltarule.data import Stream, cells_of
from deltarule.errors import SettingError
from deltarule.keyed import FALLBACKS, KeyedModels, load_keyed
from deltarule.modelfile import Model, load_model, write_whole
from deltarule.preprocessing.differences import flags
from deltarule.system.storage import written_whole
from deltarule.tabular.options import option, option_group

_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_OTHER_FORMATS = frozenset({".xlsx", ".xls", ".ods", ".json", ".jsonl", ".feather", ".arrow"})


@option_group("Output")
class PredictOptions:
    """What is predicted, and where it goes."""

    out: Path | None = option("FILE", "Output file, written atomically.")
    probabilities: bool = option("", "Add the probability of each class.", False)
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
    reading: StreamOptions,
    json: Json = False,
) -> None:
    """Predict every row of a table, in its order.

    Columns may be in any order, and additional ones are ignored. Without --out the predictions go
    to standard output as CSV; a name ending in .parquet writes Parquet. With a folder written by
    train --by, each row is predicted by the model of its key. In CSV, text that a spreadsheet would
    run as a formula (it begins with =, +, -, @, a tab or a line end, and is no number) gets an
    apostrophe in front; Parquet and --json keep text unchanged. Standard output also shows control
    characters escaped.

    \b
    Examples:
      deltarule predict flats.safetensors new.csv --out rents.csv
      deltarule predict digits.safetensors digits --probabilities | head
      deltarule predict flats.safetensors new.csv --intervals 0.9
      deltarule predict patients.safetensors new.csv --sets 0.9 --unlike-training
      deltarule predict stores new.parquet --out sales.parquet --fallback overall
    """  # noqa: D301 - typer keeps the lines after it
    out = asked.out
    _check_format(out)
    check_outputs({"--out": out}, {"the model": model, "the data": data})
    loaded = load_keyed(model) if is_by_key(model) else load_model(model)
    form, memory = reading.reading(record_of(loaded)), reading.memory
    terminal, further = Terminal(), {}
    if isinstance(loaded, KeyedModels):
        _check_keyed(asked, certainty, memory)
        source = sources.source(data, form)
        with cells_of(source.files):
            predicted = predictions_by_key(
                terminal, loaded, source.frame, asked.probabilities, asked.fallback
            )
    else:
        check_tabular(loaded, model)
        _check_task(loaded, asked.probabilities)
        check_certainty(loaded, certainty)
        if memory is not None:
            if json or out is None or out.suffix.lower() == ".parquet":
                raise SettingError(
                    "--memory: predictions are written in pieces, as CSV; expected --out FILE.csv, "
                    "without --json."
                )
            blocks = sources.in_blocks(data, form)
            count = _in_blocks(loaded, blocks, memory, asked, certainty, out)
            terminal.note(f"{count:,} predictions of {blocks.name}: {out}")
            return
        source = sources.source(data, form)
        assert loaded.preprocessing is not None
        tally = Tally(loaded.preprocessing)
        with cells_of(source.files):
            predicted = _predicted(loaded, source.frame, asked, certainty, tally)
        tally.warn(terminal)
        further = {"differences": tally.as_json()}
    if out is not None:
        write_whole(out, _encoded(predicted, out))
        terminal.note(f"{len(predicted):,} predictions of {source.name}: {out}")
    if json:
        values = predicted.to_dict(as_series=False)
        print_json({"rows": len(predicted), "predictions": values, **further})
    elif out is None:
        print_lines(_csv(predicted))


def _check_keyed(asked: PredictOptions, certainty: CertaintyOptions, memory: int | None) -> None:
    """Refuse what one model per key does not have."""
    given = {**certainty.given, "--memory": memory, "--flags": asked.flags or None}
    for flag, value in given.items():
        if value is not None:
            raise SettingError(f"{flag}: not available for one model per key. Leave it out.")
    FALLBACKS.entry(asked.fallback)


def _in_blocks(
    model: Model,
    source: Stream,
    memory: int,
    asked: PredictOptions,
    certainty: CertaintyOptions,
    out: Path,
) -> int:
    """Predict a table block by block, and write as it goes; how many rows there were."""
    assert model.preprocessing is not None
    tally = Tally(model.preprocessing)
    with written_whole(out) as file:
        for k, frame in tabular.frames(source, memory=memory):
            with source.cells_of(k):
                predicted = _predicted(model, frame, asked, certainty, tally)
            file.write(_csv(predicted, header=k == 0).encode())
    tally.warn(Terminal())
    return source.rows


def _predicted(
    model: Model,
    frame: Any,
    asked: PredictOptions,
    certainty: CertaintyOptions,
    tally: Tally,
) -> Any:
    """The predictions of some rows, with the columns asked for; differences are counted."""
    import polars as pl

    found = tally.preprocessing.differences(frame)
    tally.add(found)
    predicted = predictions(model, frame, asked.probabilities)
    predicted = with_certainty(predicted, model, frame, certainty, found)
    if not asked.flags:
        return predicted
    return predicted.with_columns(pl.Series("flags", flags(found, len(predicted)), dtype=pl.String))


def predictions(model: Model, frame: Any, probabilities: bool) -> Any:
    """A frame with one row per row of the table, columns named after the target and its classes.

    Parameters
    ----------
    model : Model
    frame : polars.DataFrame
    probabilities : bool
    """
    import polars as pl

    assert model.targets is not None
    found = model.predict(frame)
    columns = {f"predicted_{name}": found[name] for name in model.targets.names}
    if probabilities:
        P = model.predict_proba(frame)
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


def _check_format(out: Path | None) -> None:
    """Refuse a file name whose suffix stands for a format that is not written."""
    if out is not None and out.suffix.lower() in _OTHER_FORMATS:
        raise SettingError(
            f"--out {out}: predictions are written as CSV, or as Parquet where the name ends in "
            ".parquet. Name such a file."
        )


def _check_task(model: Model, probabilities: bool) -> None:
    if probabilities and model.targets is not None and model.targets.task != "classification":
        raise SettingError(
            "--probabilities: expected a classification model; this one predicts numbers. Leave it "
            "out."
        )


def _encoded(frame: Any, out: Path) -> bytes:
    """The file's content: Parquet where its name says so, else CSV."""
    if out.suffix.lower() == ".parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    return _csv(frame).encode()


def _csv(frame: Any, header: bool = True) -> str:
    """A frame as CSV in which no text is a formula: a class may be called ``=HYPERLINK(…)``."""
    import polars as pl

    text = pl.col(pl.String)
    runs = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    frame = frame.with_columns(pl.col(pl.List).cast(pl.List(pl.String)).list.join("; "))
    safe = frame.with_columns(pl.when(runs).then(pl.lit("'") + text).otherwise(text).name.keep())
    return str(safe.write_csv(include_header=header))
