"""The tables that :mod:`tabarena` writes into the pages, from its results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sections import command, environment
from tabarena_results import Errors, Key, Record
from tabarena_sets import ERRORS, FOLDS, INNER, ArenaSet, stored_errors
from table_models import Model

_OURS, _AGAINST, _ANCHOR = "default", ("lightgbm", "catboost"), "forest"
_SURE = 2  # standard errors from which on a change is more than chance


def page(
    found: Mapping[Key, Record],
    sets: Mapping[str, ArenaSet],
    folder: Path,
    models: Mapping[str, Model],
    peers: Sequence[str],
) -> str:
    """The section of ``docs/results.md``.

    Parameters
    ----------
    found : mapping of Key to record
    sets : mapping of str to ArenaSet
    folder : Path
        Where the sets are.
    models : mapping of str to Model
        What is shown, as far as it is measured.
    peers : sequence of str
        The models whose least error on a set an error is divided by.
    """
    found = {k: record for k, record in found.items() if k.model in models and k.set in sets}
    errors = Errors(found)
    names = [models[name].name for name in peers if name in models]
    parts = [
        "## TabArena's data sets",
        "",
        f"{len(sets)} of the 51 data sets of TabArena-v0.1, in three folds: stratified by class, "
        "shuffled, seed 0. The error is 1 − AUC for two classes, log loss for more, RMSE for "
        "numbers. Each model has its defaults, is fitted once per fold, without bagging, and takes "
        "categories in its library's way. RealMLP and TabM find their best epoch by cross entropy, "
        "and RealMLP has no label smoothing, as TabArena runs them. No choice between recipes is "
        "made on these test rows: `--ablation` compares them on a quarter of the first fold's "
        "training rows.",
        "",
        "`python benchmarks/tabarena.py RESULTS` fits what the file RESULTS lacks and appends "
        "each fit, or why it failed; `--models`, `--sets` and `--folds` choose. The data "
        "sets are in the folder `tabarena` of `DELTARULE_DATA`, or in that of `--folder`: a CSV "
        "file each, and `index.csv` with their targets, kinds of problem and categorical columns. "
        "`benchmarks/tabarena_adapter.py` is the same model in TabArena's own form.",
        "",
        f"*Over the best*: the error divided by the least of {', '.join(names)} that were fitted "
        "on the same folds, as geometric mean over sets. *Elo*: a Bradley-Terry fit to who wins on "
        "how many sets, among these models and sets alone, Random Forest = 1000; it cannot be "
        "compared with TabArena's own, whose models are bagged. Cost is the median over sets of "
        "CPU seconds per fit, and of the ratio to deltarule's; that of deltarule includes its "
        "preprocessing.",
        "",
        *summary(errors, models, peers),
        "",
        "Mean errors over the folds; the least of a set is bold. A star marks fewer than "
        f"{len(FOLDS)} folds.",
        "",
        *per_set(errors, sets, models),
        *_stored(folder, sets),
        *_left_out(found, sets, models),
        "",
        f"{_made(found)} Made by `{command()}`, after the same without `--docs`.",
    ]
    return "\n".join(parts)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def summary(errors: Errors, models: Mapping[str, Model], peers: Sequence[str]) -> list[str]:
    """One row per model: how it compares over the sets, and what it costs."""
    elo = errors.elo(_ANCHOR) if _ANCHOR in errors.models else {}
    against = [name for name in _AGAINST if name in errors.models]
    heads = ["", "sets", "over the best"]
    heads += [f"better than {models[other].name}" for other in against]
    heads += ["Elo"] * bool(elo) + ["CPU s", "× deltarule"]
    rows = []
    for name in [name for name in models if name in errors.models]:
        own = errors.sets(name)
        ratios = [errors.over_best(name, peers, each) for each in own]
        known = [math.log(ratio) for ratio in ratios if ratio is not None]
        cells = [models[name].name, str(len(own))]
        cells.append(f"{math.exp(np.mean(known)):.3f}" if known else "–")
        cells += [_wins(errors, name, other) for other in against]
        cells += [f"{elo[name][0]:.0f} ± {elo[name][1]:.0f}"] if elo else []
        seconds = [errors.mean(name, s, errors.folds(name, s), "cpu_seconds") for s in own]
        times = errors.ratios(name, _OURS, "cpu_seconds")
        cells.append(f"{np.median(seconds):.2g}")
        cells.append(f"{np.median(times):.2g}" if len(times) else "–")
        rows.append(cells)
    return table(heads, rows)


def _wins(errors: Errors, name: str, other: str) -> str:
    both = errors.sets(name, other)
    if name == other or not both:
        return "–"
    return f"{sum(errors.wins(name, other, each) for each in both):g} of {len(both)}"


def per_set(errors: Errors, sets: Mapping[str, ArenaSet], models: Mapping[str, Model]) -> list[str]:
    """One row per set: the mean error of each model."""
    shown = [name for name in models if name in errors.models]
    heads = ["", "rows", "error", *(models[name].name for name in shown)]
    rows = []
    for row in sets.values():
        folds = {name: errors.folds(name, row.name) for name in shown}
        means = {name: errors.mean(name, row.name, folds[name]) for name in shown if folds[name]}
        least = min((means[n] for n in means if len(folds[n]) == len(FOLDS)), default=None)
        cells = [row.name, f"{row.rows:,}", ERRORS[row.kind][0]]
        for name in shown:
            text = _number(means.get(name))
            star = "*" * (0 < len(folds[name]) < len(FOLDS))
            is_least = not star and means.get(name) == least
            cells.append(f"**{text}**" if name in means and is_least else text + star)
        rows.append(cells)
    return table(heads, rows)


def _number(value: float | None) -> str:
    """Four digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _stored(folder: Path, sets: Mapping[str, ArenaSet]) -> list[str]:
    """Published errors of other splits, for orientation."""
    stored = {name: row for name, row in stored_errors(folder).items() if name in sets}
    columns = list(dict.fromkeys(column for row in stored.values() for column in row))
    if not columns:
        return []
    rows = [
        [name, *(_number(row.get(column)) for column in columns)] for name, row in stored.items()
    ]
    return [
        "",
        "Errors that TabArena publishes of defaults, **from other splits** and with eight bagged "
        "fits each: for orientation, not for comparison with the columns above.",
        "",
        *table(["", *columns], rows),
    ]


def _left_out(
    found: Mapping[Key, Record], sets: Mapping[str, ArenaSet], models: Mapping[str, Model]
) -> list[str]:
    """What is missing in the tables, and why."""
    lines = []
    for model in models:
        failed = {
            key.set: record["failed"]
            for key, record in found.items()
            if key.model == model and "failed" in record
        }
        for reason in dict.fromkeys(failed.values()):
            names = [name for name in failed if failed[name] == reason]
            lines.append(f"- {models[model].name} on {', '.join(names)}: {reason}")
        fitted = {key.set for key in found if key.model == model}
        if missing := [name for name in sets if name not in fitted]:
            which = "any set" if len(missing) == len(sets) else ", ".join(missing)
            lines.append(f"- {models[model].name} on {which}: not yet fitted")
    return ["", "Left out:", "", *lines] if lines else []


def _made(found: Mapping[Key, Record]) -> str:
    """What the results depend on: versions and threads."""
    packages = {
        f"{name} {version}"
        for record in found.values()
        for name, version in record.get("packages", {}).items()
    }
    threads = sorted({record["threads"] for record in found.values() if "threads" in record})
    said = (
        f", on {' or '.join(map(str, threads))} thread{'s' * (threads != [1])}" if threads else ""
    )
    made = {record["environment"] for record in found.values() if "environment" in record}
    return f"{'; '.join(sorted(made) or [environment()])}; {', '.join(sorted(packages))}{said}."


def ablation(found: Mapping[Key, Record], models: Mapping[str, Model]) -> str:
    """The section of ``docs/tables.md``: what each change of the recipe does to the error."""
    errors = Errors(found, (INNER,))
    rows = []
    for name in [name for name in models if name in errors.models and name != _OURS]:
        changes = 100 * (errors.ratios(name, _OURS) - 1)
        if len(changes) < 2:
            continue
        mean, error = changes.mean(), changes.std(ddof=1) / math.sqrt(len(changes))
        verdict = "worse" if mean > 0 else "better"
        verdict = verdict if abs(mean) > _SURE * error else "within error"
        costs = np.median(errors.ratios(name, _OURS, "cpu_seconds"))
        cells = [models[name].name, f"{mean:+.1f} ± {error:.1f}", verdict]
        rows.append([*cells, f"{(changes < 0).sum()} of {len(changes)}", f"{costs:.2g}"])
    heads = ["", "change of the error, %", f"beyond {_SURE} standard errors", "better on", "cost"]
    return "\n".join(
        [
            "Mean relative change of the error against the default over TabArena's sets ± standard "
            "error over sets, on an inner split: a quarter of the first fold's training rows, one "
            "seed. Cost is the median ratio of CPU seconds. "
            f"{_made({k: r for k, r in found.items() if k.fold == INNER})} Made by `{command()}`, "
            "after the same with `--ablation`.",
            "",
            *table(heads, rows),
        ]
    )
