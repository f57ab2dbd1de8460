"""``deltarule inspect``: what a model file holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deltarule import tabular
from deltarule.cli import sources, why
from deltarule.cli.by_key import inspect_keys, is_by_key
from deltarule.cli.columns import condensed
from deltarule.cli.command import command
from deltarule.cli.options import Json, ModelPath
from deltarule.cli.predictors import predictor
from deltarule.cli.results import say_metrics
from deltarule.cli.terminal import Terminal, print_json
from deltarule.data import cells_of, unit_of
from deltarule.modelfile import Model, load_model
from deltarule.modelfile.networks import network_to_dict
from deltarule.network import Network
from deltarule.tabular.contributions import TOLERANCE
from deltarule.tabular.options import option, option_group


@option_group("Options")
class InspectOptions:
    """What else is shown."""

    effects: tuple[str, ...] = option(
        "FILE",
        "Show what each column does over the rows of this table: its mean absolute contribution "
        "and its direction. Repeatable.",
        (),
    )


@command
def inspect(model: ModelPath, asked: InspectOptions, json: Json = False) -> None:
    """Show a model: its network, how each column is encoded, its metrics at training.

    \b
    Examples:
      deltarule inspect flats.safetensors
      deltarule inspect flats.safetensors --json
      deltarule inspect flats.safetensors --effects flats.csv
      deltarule inspect stores
    """  # noqa: D301 - typer keeps the lines after it
    effects = _effects(model, asked.effects) if asked.effects else None
    if is_by_key(model):
        inspect_keys(model, effects, json)
        return
    loaded = load_model(model)
    if json:
        further = {} if effects is None else {"effects": why.as_json(effects)}
        print_json(_as_json(loaded) | further)
        return
    terminal = Terminal()
    terminal.say(str(model), style="bold")
    terminal.pairs(_pairs(loaded))
    _say_layers(terminal, loaded.network)
    if loaded.preprocessing is not None:
        terminal.listing("columns", condensed(loaded.preprocessing.describe()))
    words = tabular.strongest_words(loaded)
    if words:
        shown = [(name, ", ".join(map(str, effects))) for name, effects in words.items()]
        terminal.listing("strongest words", shown)
    _say_figures(terminal, loaded)
    if effects is not None:
        why.say_effects(terminal, effects)


def _effects(path: Path, data: Sequence[str]) -> tabular.TableContributions:
    """What the columns do over the rows of a table, which is read as the training's."""
    loaded = predictor(path)
    source = sources.source(data, tabular.recorded_reading(loaded.record))
    with cells_of(source.files):
        return loaded.contributions(loaded.encoded(source.frame), None, TOLERANCE)


def _as_json(model: Model) -> dict[str, object]:
    targets, preprocessing = model.targets, model.preprocessing
    return {
        "network": network_to_dict(model.network),
        "parameters": model.network.parameter_count,
        "dtype": model.dtype.name,
        "targets": None if targets is None else targets.to_dict(),
        "columns": [] if preprocessing is None else preprocessing.describe(),
        "words": {
            name: [effect._asdict() for effect in effects]
            for name, effects in tabular.strongest_words(model).items()
        },
        "widths_follow_rows": model.spread is not None,
        "about": dict(model.about),
    }


def _pairs(model: Model) -> list[tuple[str, str]]:
    about, network = tabular.record(model), model.network
    pairs = []
    if model.targets is not None:
        names = " and ".join(map(repr, model.targets.names))
        pairs.append(("task", f"{model.targets.task} of {names}"))
        if model.targets.task == "classification":
            labels = list(map(str, model.targets.classes))
            more = f" and {len(labels) - 12} more" if len(labels) > 12 else ""
            pairs.append(("classes", ", ".join(labels[:12]) + more))
        if model.targets.decision is not None:
            pairs.append(("decision", model.targets.decision.describe()))
        for name in model.targets.names:
            read = "" if model.preprocessing is None else model.preprocessing.summary(name)
            pairs += [(name, read)] if read else []
    if about.get("calibration") and model.targets and not model.targets.classes:
        width = "one width for all rows" if model.spread is None else "widths follow the row"
        pairs.append(("intervals", width))
    pairs.append(
        (
            "network",
            f"{'-'.join(map(str, network.sizes))}, {network.parameter_count:,} parameters of "
            f"{model.dtype.name}, cost {network.cost_row.name}",
        )
    )
    if about.get("training"):
        pairs.append(("training", about["training"][-1]))
        pairs.append(
            (
                "ended",
                f"after epoch {about['epochs']} ({about['stopped_because']}), best was epoch "
                f"{about['best_epoch']}; engine {about['engine']}, seed "
                f"{about['settings']['seed']}",
            )
        )
        pairs.append(("versions", ", ".join(f"{k} {v}" for k, v in about["versions"].items())))
    return pairs


def _say_layers(terminal: Terminal, network: Network) -> None:
    rows = [
        [
            str(l),
            layer.kind,
            layer.g.name,
            f"{units:,}",
            f"{sum(rows * width for rows, width in shapes.values()):,}",
        ]
        for l, (layer, units, shapes) in enumerate(
            zip(network.layers, network.sizes[1:], network.learned_shapes, strict=True), start=1
        )
    ]
    terminal.table("", ["layer", "kind", "activation", "units", "parameters"], rows)


def _say_figures(terminal: Terminal, model: Model) -> None:
    about = tabular.record(model)
    found = about.get("figures")
    if not found or model.targets is None:
        return
    reading = None if model.preprocessing is None else model.preprocessing.reading
    rows = f"{about['judged_rows']:,} {tabular.rows_named(about['judged_by'])}"
    say_metrics(
        terminal,
        f"Metrics at training, on {rows}",
        str(model.targets.task),
        found,
        about["intervals"].get("network", {}),
        units={name: unit_of(name, reading) for name in model.targets.names},
    )
    for sentence in (about["verdict"], *about["consequences"].get("sentences", ())):
        if sentence:
            terminal.say(sentence)
