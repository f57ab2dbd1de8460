"""``deltarule export``: a model for another runtime, as ONNX or as C, or as a page."""

from __future__ import annotations

from dataclasses import MISSING, replace
from pathlib import Path
from typing import Any

from deltarule import export as ex
from deltarule import tabular
from deltarule.cli.command import command
from deltarule.cli.options import Json, ModelPath, ReadingOptions
from deltarule.cli.outputs import check_outputs
from deltarule.cli.sources import source
from deltarule.cli.terminal import Terminal, print_json
from deltarule.data import FileRows, cells_of
from deltarule.errors import SettingError
from deltarule.model_page import save_model_page
from deltarule.modelfile import Model, load_model
from deltarule.network import Network
from deltarule.optimizers import OPTIMIZERS, Optimizer
from deltarule.tabular.options import option, option_group

_SUFFIXES = (".onnx", ".c", ".html")
_COLUMNS_SHOWN = 8


@option_group("Options")
class ExportOptions:
    """The file, and what it holds."""

    out: Path = option("FILE", "model.onnx, model.c or model.html.", MISSING, flag="--out -o")
    check: tuple[str, ...] = option(
        "FILE",
        "Rows on which predictions are compared; for C, the rows of its test (default: generated "
        "rows). Repeatable.",
        (),
    )
    intervals: float | None = option(
        "SHARE",
        "Also the ends of prediction intervals with this coverage, named low_ and high_ before the "
        "target's name.",
    )
    sets: float | None = option(
        "SHARE",
        "Also the set of classes that holds the true one with this coverage: in ONNX the output "
        "set_ before the target's name, in C the function NAME_set.",
    )
    with_training: bool = option("", "C: also a training step on static buffers.", False)
    optimizer: str | None = option(
        "NAME",
        "Optimizer of that step, any but lbfgs (default: the model's).",
    )
    learning_rate: float | None = option(
        "RATE",
        "The rate that its test takes; each call of the step says its own (default: the "
        "optimizer's).",
    )


@command
def export(
    model: ModelPath, asked: ExportOptions, reading: ReadingOptions, json: Json = False
) -> None:
    """Write a model for another runtime: an ONNX graph, one C99 file, or a page for a browser.

    All take the table's columns as they are and give probabilities, or values in the target's
    unit. A graph calls its results as predict calls its columns; the probabilities of all classes
    are one result, probabilities. Before a graph is kept, ONNX Runtime must predict what the model
    does. The C file allocates nothing, and holds a test of itself. The page is one offline HTML
    file that predicts and explains rows; predict and load read it as the model.

    \b
    Examples:
      deltarule export flats.safetensors --out flats.onnx --check flats.csv
      deltarule export flats.safetensors --out flats.c --with-training --optimizer sgd
      deltarule export flats.safetensors --out flats.html
    """  # noqa: D301 - typer keeps the lines after it
    out, check = asked.out, asked.check
    if out.suffix.lower() not in _SUFFIXES:
        raise SettingError(
            f"--out {out}: expected a name that ends in {' or '.join(_SUFFIXES)}; got "
            f"{out.suffix or 'none'!r}."
        )
    is_c, is_page = (out.suffix.lower() == suffix for suffix in (".c", ".html"))
    _check_options(is_c, is_page, asked)
    check_outputs({"--out": out}, {"the model": model, "the data": check})
    loaded, rows = load_model(model), None
    if is_page:
        save_model_page(out, loaded)
        _say(out, {"bytes": out.stat().st_size}, json)
        return
    if asked.intervals is not None:
        if tabular.levels_of(loaded):
            raise SettingError(
                "--intervals: the model's quantiles are exported in any case. Leave it out."
            )
        loaded = tabular.with_intervals(loaded, asked.intervals)
    elif tabular.levels_of(loaded) and not asked.with_training:
        loaded = tabular.quantile_model(loaded)
    sets = None if asked.sets is None else tabular.calibration_of(loaded).threshold(asked.sets)
    files: tuple[FileRows, ...] = ()
    if check:
        table = source(check, reading.reading(tabular.record(loaded))).data
        rows = table.frame if loaded.preprocessing is not None else table.frame.to_numpy()
        files = table.files
    step = _step(loaded, asked)
    with cells_of(files):
        found = _to_c(out, loaded, rows, step, sets) if is_c else _to_onnx(out, loaded, rows, sets)
    _say(out, found, json)


def _say(out: Path, found: dict[str, Any], json: bool) -> None:
    if json:
        print_json({"file": str(out), **found})
        return
    terminal = Terminal()
    terminal.pairs([(name, str(value)) for name, value in _said(found)])
    terminal.say(f"Saved: {out}")


def _check_options(is_c: bool, is_page: bool, asked: ExportOptions) -> None:
    for name, share in (("intervals", asked.intervals), ("sets", asked.sets)):
        if is_page and share is not None:
            raise SettingError(
                f"--{name}: a page has {name} of any coverage in any case. Leave it out."
            )
    if is_page and asked.check:
        raise SettingError(
            "--check: expected --out with a name that ends in .onnx or .c; a page is not run "
            "before it is written. Leave it out."
        )
    if asked.with_training and not is_c:
        raise SettingError(
            "--with-training: expected --out with a name that ends in .c; "
            f"{'a page' if is_page else 'an ONNX graph'} predicts only. Leave it out."
        )
    if asked.with_training and asked.intervals is not None:
        raise SettingError(
            "--with-training and --intervals: a step cannot train intervals. Leave one out."
        )
    if not asked.with_training and (asked.optimizer, asked.learning_rate) != (None, None):
        raise SettingError(
            "--optimizer and --learning-rate: expected --with-training beside them, got none."
        )


def _step(model: Model, asked: ExportOptions) -> Optimizer | None:
    """The optimizer of the step: the one asked for, else the one the model was trained with."""
    if not asked.with_training:
        return None
    trained: dict[str, Any] = tabular.record(model).get("settings", {})
    name, rate = asked.optimizer, asked.learning_rate
    rate = trained.get("learning_rate") if rate is None and name is None else rate
    own = OPTIMIZERS(name or trained.get("optimizer") or "adam")
    return own if rate is None else replace(own, learning_rate=rate)


def _to_onnx(out: Path, model: Model, rows: Any, threshold: float | None) -> dict[str, Any]:
    found = ex.save_onnx(out, model, rows, threshold)
    return {
        "rows": found.rows,
        "made_up": found.made_up,
        "deviation": found.deviation,
        "bytes": out.stat().st_size,
    }


def _to_c(
    out: Path, model: Model, rows: Any, optimizer: Optimizer | None, threshold: float | None
) -> dict[str, Any]:
    step = {} if optimizer is None else {"optimizer": type(optimizer).__name__}
    if optimizer is not None and model.network.dropout:
        step["dropout"] = "left out"
        model = replace(model, network=_without_dropout(model.network))
    made = ex.save_c(out, model, rows=rows, optimizer=optimizer, threshold=threshold)
    columns = {"columns": made.columns} if made.columns else {}
    return {"flash": made.flash, "ram": made.ram, **step, **columns}


def _without_dropout(network: Network) -> Network:
    """The step in C draws no masks: a few examples of a device's own need none."""
    layers: list[Any] = [
        replace(layer, dropout=0.0) if layer.dropout else layer  # type: ignore[type-var]
        for layer in network.layers
    ]
    return replace(network, layers=layers, input_dropout=0.0)


def _listed(names: list[str]) -> str:
    """Names of C, the first of many."""
    more = len(names) - _COLUMNS_SHOWN
    shown = ", ".join(names[:_COLUMNS_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _said(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What was found, for people."""
    if "flash" in found:
        lines = [
            ("flash", f"{found['flash']:,} bytes of constants, besides code"),
            ("RAM", f"{found['ram']:,} bytes of static variables, besides stack"),
        ]
        if "columns" in found:
            lines.append(("columns", _listed(list(found["columns"].values()))))
        if "optimizer" in found:
            without = ", without the dropout of the training" if "dropout" in found else ""
            lines.append(("step", found["optimizer"] + without))
        return [*lines, ("test", "compile with -std=c99 -DDELTARULE_TEST … -lm, and run")]
    size = [("size", f"{found['bytes']:,} bytes")]
    if "rows" not in found:
        return size
    rows = "made-up rows" if found["made_up"] else "rows of the file"
    checked = (
        f"ONNX Runtime on {found['rows']:,} {rows}: predictions at most {found['deviation']:.1e} "
        "of the target's spread apart"
    )
    return [("checked", checked), *size]
