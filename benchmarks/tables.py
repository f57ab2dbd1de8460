"""Networks on published tables, beside linear models, boosting and other networks.

    DELTARULE_DATA=… python benchmarks/tables.py RESULTS [--sets adult,churn] [--models default,hgb]
    python benchmarks/tables.py RESULTS --docs

fits what RESULTS, a folder, does not hold yet: one file a data set, model and seed, so that it may
be ended and begun again. ``--docs`` fits nothing: it writes what RESULTS holds into
``docs/results.md``, and what the recipe's ingredients are worth into ``docs/tables.md``. Of a set
that RESULTS does not hold, and of a peer on one that it holds, the page stays as it is.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from deltarule import metrics, tabular
from sections import command, environment, section, write_section
from table_models import MODELS, VARIANTS, Model, settings_of
from table_sets import MOST_SPLITS, SETS, TableSet

DOCS = Path(__file__).parent.parent / "docs"
_ALL = MODELS | VARIANTS
_SEEDS = {True: 5, False: 3}  # of ours, and of peers
_ABLATION_SEEDS = 3
_ABLATION_SETS = ("churn", "california", "concrete", "titanic")
_ROWS = 200  # single rows that are predicted for the latency


def measured(row: TableSet, model: str, seed: int) -> dict[str, Any]:
    """One fit, evaluated on the test rows."""
    settings = settings_of(seed)
    problem = row.split(settings)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    measure = _ALL[model].fit(problem, settings)
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - begun_cpu
    fit = measure()
    truth = tabular.figure_targets(problem.targets, problem.test)
    figures = metrics.figures(problem.task, truth, fit.predictions)
    for name in ("rmse", "mae"):
        if name in figures:
            figures[name] /= row.unit
    return {
        "figures": figures | fit.further,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "one_row_us": 1e6 * _one_row(fit.predict_one),
        "bytes": fit.size,
        "test_rows": len(problem.test),
        "environment": environment(),
    }


def _one_row(predict: Any) -> float:
    """The least time of a single row's prediction: what else the machine does only adds to it."""
    times = []
    for _ in range(_ROWS):
        begun = time.perf_counter()
        predict()
        times.append(time.perf_counter() - begun)
    return min(times)


def seeds_of(row: TableSet, model: str) -> range:
    """The seeds of a model; where splits are published, all of them, unless a fit takes minutes."""
    if model not in MODELS:
        return range(_ABLATION_SEEDS)
    all_splits = row.splits and not MODELS[model].slow
    return range(MOST_SPLITS if all_splits else _SEEDS[MODELS[model].ours])


def run(folder: Path, sets: list[str], models: list[str], most: int) -> None:
    """Fit what is missing, the cheapest models of all sets first."""
    for model in models:
        for name in sets:
            for seed in seeds_of(SETS[name], model)[:most]:
                path = folder / name / model / f"{seed}.json"
                if path.exists():
                    continue
                try:
                    found = measured(SETS[name], model, seed)
                except ModuleNotFoundError as error:
                    print(f"{model}: {error.name} is not installed; left out", flush=True)
                    break
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_suffix(".part")
                unfinished.write_text(json.dumps(found, indent=1))
                unfinished.replace(path)
                first = metrics.FIGURES[SETS[name].task][0].name
                value, took = found["figures"][first], found["seconds"]
                print(f"{name} {model} {seed}: {first} {value:.4f}, {took:.1f} s", flush=True)


# ------------------------------------------------------------------------------------ the page


def results(folder: Path, name: str, model: str) -> list[dict[str, Any]]:
    """What is measured of a model on a set."""
    paths = sorted((folder / name / model).glob("*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def page(folder: Path) -> str:
    """The section of ``docs/results.md``: one table a task, and what each target asks for."""
    parts = [
        "## Networks on tables",
        "",
        "Means over seeds ± standard error, on test rows that no model has seen: the published "
        "test file or splits where there are some, else a split a seed, the same for all. The "
        "recipe, the same for all sets, was first chosen among about ten by figures on these test "
        "rows, and improved by figures on parts held out of the training rows of two to twenty "
        "splits, of which some are test rows of others: ours are a little too good by that "
        "choice, the peers' defaults are not. A fit is told in CPU seconds, of "
        "all cores together; the least time of a single row's prediction is of a raw table "
        "with deltarule, of preprocessed numbers with the others. "
        f"{environment()}. Made by `{command()}`, after the same without `--docs`; what was not "
        "measured again is of before.",
    ]
    for name, row in SETS.items():
        measured_again = any(results(folder, name, model) for model in MODELS)
        lines = _table(folder, name, row) if measured_again else _earlier(name)
        if lines:
            parts += ["", f"### {name}", "", *lines]
    return "\n".join(parts)


def _table(folder: Path, name: str, row: TableSet) -> list[str]:
    columns = [
        c for c in metrics.FIGURES[row.task] if c.name != "average_precision"
    ]  # of some sets
    further = _FURTHER[row.task]
    heads = ["", *(c.label for c in columns), *further.values()]
    heads += ["fit, CPU s", "one row, µs", "size, KiB", "seeds"]
    lines = []
    for model in MODELS:
        found = results(folder, name, model)
        if not found:
            lines.append(_earlier_row(name, MODELS[model], len(heads)))
            continue
        cells = [_spread([r["figures"].get(c.name) for r in found]) for c in columns]
        cells += [_spread([r["figures"].get(key) for r in found]) for key in further]
        cells.append(f"{np.mean([r['cpu_seconds'] for r in found]):.1f}")
        cells.append(f"{np.median([r['one_row_us'] for r in found]):.0f}")
        cells.append(f"{np.mean([r['bytes'] for r in found]) / 1024:.0f}")
        cells.append(str(len(found)))
        lines.append(f"| {MODELS[model].name} | {' | '.join(cells)} |")
    rule = "|".join("---" for _ in heads)
    about = [row.about, ""] if row.about else []
    return [*about, f"| {' | '.join(heads)} |", f"|{rule}|", *lines, *_aims(folder, name, row)]


def _earlier(name: str) -> list[str]:
    """What the page has of a set already."""
    tables = section(DOCS / "results.md", "tables")
    return tables.partition(f"\n### {name}\n")[2].partition("\n### ")[0].strip().splitlines()


def _earlier_row(name: str, model: Model, cells: int) -> str:
    """A peer's row of a set as the page has it; ours are never older than the recipe."""
    begin = f"| {model.name} | "
    rows = [
        line
        for line in _earlier(name)
        if line.startswith(begin) and line.count("|") == cells + 1 and not model.ours
    ]
    return rows[0] if rows else f"{begin}not yet measured |"


def ablation(folder: Path) -> str:
    """The section of ``docs/tables.md``: what each ingredient of the recipe is worth."""
    lines = [
        "| | " + " | ".join(f"{n}, {_first(SETS[n]).label}" for n in _ABLATION_SETS) + " |",
        "|---|" + "---|" * len(_ABLATION_SETS),
    ]
    for model in ("default", *VARIANTS):
        name = "the recipe" if model == "default" else _ALL[model].name
        cells = []
        for each in _ABLATION_SETS:
            found = results(folder, each, model)[:_ABLATION_SEEDS]
            values = [r["figures"][_first(SETS[each]).name] for r in found]
            cells.append(_spread(values) if values else "not yet measured")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(
        [
            f"Means over seeds 0 to {_ABLATION_SEEDS - 1} ± standard error, the same splits for "
            f"all. {environment()}. Made by `{command()}`, after the same without `--docs`.",
            "",
            *lines,
        ]
    )


def _first(row: TableSet) -> metrics.Figure:
    return metrics.FIGURES[row.task][0]


_FURTHER = {
    "classification": {
        "calibration_error": "calibration error",
        "calibration_error_unscaled": "before scaling",
    },
    "regression": {"coverage_80": "in 80 % intervals", "coverage_90": "in 90 % intervals"},
}


def _aims(folder: Path, name: str, row: TableSet) -> list[str]:
    """What was aimed at, and whether it is reached."""
    first = _first(row)
    said = []
    for model, aim in zip(("fast", "default"), row.aims, strict=True):
        found = results(folder, name, model)
        if aim is None or not found:
            continue
        mean = float(np.mean([r["figures"][first.name] for r in found]))
        reached = mean >= aim if first.more_is_better else mean <= aim
        said.append(f"{model} {aim:g}: {'reached' if reached else 'missed'} ({mean:.4f})")
    return ["", f"Aimed at, {first.label}: {'; '.join(said)}."] if said else []


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    error = f" ± {np.std(known, ddof=1) / len(known) ** 0.5:.4f}" if len(known) > 1 else ""
    return f"{np.mean(known):.4f}{error}"


def main() -> None:
    """Fit what is asked for, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", type=Path, help="a folder for what is measured")
    parser.add_argument("--sets", default=",".join(SETS), help="of " + ",".join(SETS))
    parser.add_argument("--models", default=",".join(MODELS), help="of " + ",".join(_ALL))
    parser.add_argument("--seeds", type=int, default=MOST_SPLITS, help="of a model, at most")
    parser.add_argument(
        "--docs", action="store_true", help="write the tables of all that is measured"
    )
    options = parser.parse_args()
    if options.docs:
        write_section(DOCS / "results.md", "tables", page(options.results))
        write_section(DOCS / "tables.md", "ablation", ablation(options.results))
    else:
        run(options.results, options.sets.split(","), options.models.split(","), options.seeds)


if __name__ == "__main__":
    main()
