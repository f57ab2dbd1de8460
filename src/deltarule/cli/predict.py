"""``deltarule predict``: a model and a table in, a prediction per row out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from deltarule import tabular
from deltarule.arrays import Array
from deltarule.cli import sources, why
from deltarule.cli.by_key import is_by_key, predictions_by_key, record_of
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
    intervals: float | None = option(
        "SHARE", "Add prediction intervals with this coverage, for example 0.9."
    )
    flags: bool = option(
        "",
        "Add a column that names, per row, the columns that differ from training: unseen values, "
        "numbers or dates outside the training range, missing values where training had none.",
        False,
    )
    why: bool = option(
        "",
        "Add the contribution of each column, from a reference row: in the target's units, or "
        "log-odds for classes.",
        False,
    )
    why_page: Path | None = option("FILE", "Also write a page that explains one row, as HTML.")
    why_row: int = option(
        "N", "Row of --why-page, counted from 0.", 0, limits={"low": 0, "whole": True}
    )
    baseline: tuple[str, ...] = option(
        "COLUMN=VALUE",
        "Value in the reference row of --why (default: training medians and most frequent "
        "levels). Repeatable.",
        (),
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
    model: ModelPath, data: Data, asked: PredictOptions, reading: StreamOptions, json: Json = False
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
      deltarule predict flats.safetensors new.csv --why --baseline rooms=3 --why-page flat.html
      deltarule predict stores new.parquet --out sales.parquet --fallback overall
    """  # noqa: D301 - typer keeps the lines after it
    out = asked.out
    _check_format(out)
    outputs = {"--out": out, "--why-page": asked.why_page}
    check_outputs(outputs, {"the model": model, "the data": data})
    loaded = load_keyed(model) if is_by_key(model) else load_model(model)
    form, memory = reading.reading(record_of(loaded)), reading.memory
    terminal, further = Terminal(), dict[str, Any]()
    if isinstance(loaded, KeyedModels):
        _check_keyed(asked, memory)
        source = sources.source(data, form)
        with cells_of(source.files):
            predicted = predictions_by_key(
                terminal, loaded, source.frame, asked.probabilities, asked.fallback
            )
    else:
        check_tabular(loaded, model)
        _check_task(loaded, asked.probabilities)
        baseline = _baseline(asked)
        share = asked.intervals
        offsets = None if share is None else tabular.calibration_of(loaded).interval(share)
        if memory is not None:
            if json or out is None or out.suffix.lower() == ".parquet":
                raise SettingError(
                    "--memory: predictions are written in pieces, as CSV; expected --out FILE.csv, "
                    "without --json."
                )
            if asked.why_page is not None:
                raise SettingError(
                    "--why-page: expected a table that is read whole; leave --memory out."
                )
            blocks = sources.in_blocks(data, form)
            count = _in_blocks(loaded, blocks, memory, asked, offsets, out)
            terminal.note(f"{count:,} predictions of {blocks.name}: {out}")
            return
        source = sources.source(data, form)
        assert loaded.preprocessing is not None
        tally = Tally(loaded.preprocessing)
        with cells_of(source.files):
            predicted = _predicted(loaded, source.frame, asked, offsets, tally)
            further = {"differences": tally.as_json()}
            if asked.why:
                found = tabular.explain_table(loaded, source.frame, baseline)
                predicted = why.with_contributions(predicted, found.rows)
                further["why"] = why.as_json(found)
                if out is not None and not json:
                    why.say_effects(terminal, found)
            if asked.why_page is not None:
                why.write_page(
                    asked.why_page, loaded, source.frame, asked.why_row, baseline, source.name
                )
                terminal.note(f"why row {asked.why_row}: {asked.why_page}")
        tally.warn(terminal)
    if out is not None:
        write_whole(out, _encoded(predicted, out))
        terminal.note(f"{len(predicted):,} predictions of {source.name}: {out}")
    if json:
        values = predicted.to_dict(as_series=False)
        print_json({"rows": len(predicted), "predictions": values, **further})
    elif out is None:
        print_lines(_csv(predicted))


def _check_keyed(asked: PredictOptions, memory: int | None) -> None:
    """Refuse what one model per key does not have."""
    given: dict[str, Any] = {
        "--intervals": asked.intervals,
        "--memory": memory,
        "--flags": asked.flags or None,
    }
    given |= {"--why": asked.why or None, "--why-page": asked.why_page}
    for flag, value in given.items():
        if value is not None:
            raise SettingError(f"{flag}: not available for one model per key. Leave it out.")
    FALLBACKS.entry(asked.fallback)


def _baseline(asked: PredictOptions) -> dict[str, str] | None:
    """The reference row that is asked for."""
    if asked.baseline and not asked.why and asked.why_page is None:
        raise SettingError("--baseline: is of the contributions; expected --why or --why-page too.")
    return why.baseline_of(asked.baseline)


def _in_blocks(
    model: Model,
    source: Stream,
    memory: int,
    asked: PredictOptions,
    offsets: tuple[Array, Array] | None,
    out: Path,
) -> int:
    """Predict a table block by block, and write as it goes; how many rows there were."""
    assert model.preprocessing is not None
    tally = Tally(model.preprocessing)
    with written_whole(out) as file:
        for k, frame in tabular.frames(source, memory=memory):
            with source.cells_of(k):
                predicted = _predicted(model, frame, asked, offsets, tally)
                if asked.why:
                    found = tabular.explain_rows(model, frame, _baseline(asked))
                    predicted = why.with_contributions(predicted, found)
            file.write(_csv(predicted, header=k == 0).encode())
    tally.warn(Terminal())
    return source.rows


def _predicted(
    model: Model,
    frame: Any,
    asked: PredictOptions,
    offsets: tuple[Array, Array] | None,
    tally: Tally,
) -> Any:
    """The predictions of some rows, with the flags that are asked for; differences are counted."""
    import polars as pl

    predicted = predictions(model, frame, asked.probabilities, offsets)
    found = tally.preprocessing.differences(frame)
    tally.add(found)
    if not asked.flags:
        return predicted
    return predicted.with_columns(pl.Series("flags", flags(found, len(predicted)), dtype=pl.String))


def predictions(
    model: Model, frame: Any, probabilities: bool, offsets: tuple[Array, Array] | None = None
) -> Any:
    """A frame with one row per row of the table, columns named after the target and its classes.

    Parameters
    ----------
    model : Model
    frame : polars.DataFrame
    probabilities : bool
    offsets : pair of arrays, shape (targets,), optional
        What is added to each target's prediction for the ends of its interval.
    """
    import polars as pl

    assert model.targets is not None
    found = model.predict(frame)
    columns = {f"predicted_{name}": found[name] for name in model.targets.names}
    if probabilities:
        P = model.predict_proba(frame)
        for k, label in enumerate(model.targets.classes):
            columns[f"probability_{label}"] = P[:, k]
    if offsets is not None:
        for k, name in enumerate(model.targets.names):
            for end, added in zip(("low", "high"), offsets, strict=True):
                columns[f"{end}_{name}"] = found[name] + added[k]
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
    safe = frame.with_columns(pl.when(runs).then(pl.lit("'") + text).otherwise(text).name.keep())
    return str(safe.write_csv(include_header=header))
