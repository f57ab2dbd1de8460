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
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

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
_BEYOND_ONE_ERROR = 0.317  # the share of a normal distribution beyond one standard error
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


class Mean(NamedTuple):
    """A mean over seeds and its standard error, None of a single seed."""

    value: float
    error: float | None

    @classmethod
    def of(cls, values: list[float]) -> Mean:
        """That of some values."""
        error = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None
        return cls(float(np.mean(values)), error)

    def beside(self, other: Mean, more_is_better: bool) -> str:
        """Whether it is "better" or "worse" than another mean; empty within one standard error."""
        difference = self.value - other.value
        if abs(difference) <= math.hypot(self.error or 0, other.error or 0):
            return ""
        return "better" if (difference > 0) == more_is_better else "worse"

    def __str__(self) -> str:
        return f"{self.value:.4f}" + (f" ± {self.error:.4f}" if self.error is not None else "")


def results(folder: Path, name: str, model: str) -> list[dict[str, Any]]:
    """What is measured of a model on a set."""
    paths = sorted((folder / name / model).glob("*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def page(folder: Path) -> str:
    """The section of ``docs/results.md``: for each set a table of metrics and one of shares."""
    parts = [
        "## Networks on tables",
        "",
        "Means over seeds ± standard error on held-out rows: the published test file or splits "
        "where they exist, otherwise one split per seed, the same for all models. Two means "
        "differ within error where their difference is below √(e₁² + e₂²), of their errors e. "
        "All sets have the same recipe. It was chosen among about ten by metrics on these test "
        "rows, and improved by metrics on parts of the training rows of two to twenty splits, some "
        "of which are test rows of other splits. This favors deltarule a little; its peers have "
        "their defaults. Fit times are CPU seconds of all cores together. The time of one row is "
        "the shortest: of a raw row with deltarule, of a preprocessed row with its peers. "
        f"{environment()}. Made by `{command()}`, after the same without `--docs`; rows that were "
        "not measured again are older.",
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
    heads = ["", *(c.label for c in columns), "fit, CPU s", "one row, µs", "size, KiB", "seeds"]
    lines, shares = [], []
    for model in MODELS:
        found = results(folder, name, model)
        if not found:
            lines.append(_earlier_row(name, MODELS[model], len(heads)))
            continue
        cells = [_spread([r["figures"].get(c.name) for r in found]) for c in columns]
        cells.append(f"{np.mean([r['cpu_seconds'] for r in found]):.1f}")
        cells.append(f"{np.median([r['one_row_us'] for r in found]):.0f}")
        cells.append(f"{np.mean([r['bytes'] for r in found]) / 1024:.0f}")
        cells.append(str(len(found)))
        lines.append(_cells([MODELS[model].name, *cells]))
        if MODELS[model].ours:
            each = [_spread([r["figures"].get(key) for r in found]) for key in _SHARES[row.task]]
            shares.append(_cells([MODELS[model].name, *each]))
    about = [row.about, ""] if row.about else []
    return [*about, *_headed(heads, lines), "", *_headed(["", *_SHARES[row.task].values()], shares)]


def _headed(heads: list[str], lines: list[str]) -> list[str]:
    return [_cells(heads), f"|---|{'--:|' * (len(heads) - 1)}", *lines]


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


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
    heads = ["", *(f"{name}, {_first(SETS[name]).label}" for name in _ABLATION_SETS)]
    found = {
        model: [_first_figures(folder, name, model) for name in _ABLATION_SETS]
        for model in ("default", *VARIANTS)
    }
    names = {"default": "the recipe"} | {name: model.name for name, model in VARIANTS.items()}
    return ablation_table(heads, {names[model]: values for model, values in found.items()})


def ablation_table(heads: list[str], found: dict[str, list[Mean | None]]) -> str:
    """The section, from the mean of each variant on each set; the first is the recipe's."""
    recipe = next(iter(found.values()))
    lines, words = [], []
    for name, values in found.items():
        cells = [str(value or "not yet measured") for value in values]
        if values is not recipe:
            for k, (value, base) in enumerate(zip(values, recipe, strict=True)):
                if value is None or base is None:
                    continue
                word = value.beside(base, _first(SETS[_ABLATION_SETS[k]]).more_is_better)
                words.append(word)
                cells[k] += f", {word}" if word else ""
        lines.append(_cells([name, *cells]))
    by_chance = round(_BEYOND_ONE_ERROR * len(words))
    return "\n".join(
        [
            f"Means over seeds 0 to {_ABLATION_SEEDS - 1} ± standard error, the same splits for "
            "all. *Better* and *worse*: the mean differs from the recipe's by more than one "
            "standard error of the difference, as of independent runs. Every other difference is "
            f"within error. One standard error proves little: {sum(map(bool, words))} of "
            f"{len(words)} differences exceed it; of independent runs without any effect, about "
            f"{by_chance} would. "
            f"{environment()}. Made by `{command()}`, after the same without `--docs`.",
            "",
            *_headed(heads, lines),
        ]
    )


def _first(row: TableSet) -> metrics.Figure:
    return metrics.FIGURES[row.task][0]


_SHARES = {
    "classification": {
        "calibration_error": "calibration error",
        "calibration_error_unscaled": "before temperature scaling",
    },
    "regression": {
        "coverage_80": "test rows in 80 % intervals",
        "coverage_90": "test rows in 90 % intervals",
    },
}
"""Further metrics, of deltarule alone: by name, what heads their column."""


def _first_figures(folder: Path, name: str, model: str) -> Mean | None:
    found = results(folder, name, model)[:_ABLATION_SEEDS]
    return Mean.of([r["figures"][_first(SETS[name]).name] for r in found]) if found else None


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return str(Mean.of(known)) if known else "–"


def main() -> None:
    """Fit the requested models, or write the page."""
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
