"""Prediction intervals on published tables: coverage, by decile too, and score beside one width.

    DELTARULE_DATA=… python benchmarks/intervals.py RESULTS [--sets abalone,concrete] [--splits 20]
    python benchmarks/intervals.py RESULTS --docs

fits what RESULTS, a folder, does not hold yet: one file a set and split, so that it may be ended
and begun again. ``--docs`` fits nothing: it writes what RESULTS holds into ``docs/results.md``.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from deltarule import metrics, tabular
from deltarule.tabular import fitting
from deltarule.tabular.calibration import Calibration, kept_residuals
from sections import ROOT, command, environment, write_section
from table_sets import SETS

SHARES = (0.8, 0.9)
NAMES = ("california", "abalone", "concrete", "made-up")
_MOST_ROWS = 5000  # of a table: more take longer than 20 splits are worth
_MADE_UP = 3000
_DECILES = 10


def made_up(seed: int) -> pl.DataFrame:
    """Rows whose noise has a standard deviation from 0.1 to 1, by a column that moves no mean."""
    rng = np.random.default_rng([seed, 1])
    x = rng.uniform(-1, 1, (_MADE_UP, 4))
    y = np.sin(3 * x[:, 0]) + x[:, 2] + (0.1 + 0.9 * abs(x[:, 1])) * rng.normal(size=_MADE_UP)
    return pl.DataFrame({f"x{i}": x[:, i] for i in range(4)}).with_columns(y=pl.Series(y))


def problem_of(name: str, settings: tabular.Settings) -> tabular.Problem:
    """The training rows and the test rows of a split; of a large table, some rows."""
    if name in SETS and SETS[name].splits is not None:
        return SETS[name].split(settings)
    row = SETS.get(name)
    frame = made_up(settings.seed) if row is None else row._read(*row.files)
    if len(frame) > _MOST_ROWS:
        frame = frame.sample(_MOST_ROWS, seed=settings.seed)
    roles = tabular.Roles(("y",) if row is None else (row.target,))
    whole = tabular.table(frame, roles, task="regression")
    kept, held = tabular.split(whole, settings)
    return tabular.problem(whole, settings, kept, whole.frame[held])


def measured(name: str, split: int) -> dict[str, Any]:
    """One fit: how its intervals hold on the test rows, and those of one width."""
    settings = replace(tabular.Settings(seed=split), n_threads=1)
    problem = problem_of(name, settings)
    residuals: list[np.ndarray] = []

    def noted(X: Any, A: Any, own: np.ndarray, *rest: Any) -> Any:
        residuals.append(own)
        return widths(X, A, own, *rest)

    widths, begun = fitting.widths, time.process_time()
    with patch.object(fitting, "widths", noted):
        fitted = tabular.fit(problem, settings)
    seconds = time.process_time() - begun
    model = replace(fitted.model, about={"calibration": fitted.calibration.to_dict()})
    plain = Calibration(len(residuals[0]), residuals=kept_residuals(residuals[0]))
    Y = tabular.figure_targets(problem.targets, problem.test)
    found = {}
    for share in SHARES:
        values, low, high = tabular.interval_ends(model, problem.test, share)
        decile = values[:, 0].argsort().argsort() * _DECILES // len(values)
        held = ((low <= Y) & (high >= Y))[:, 0]
        ends = [values + end for end in plain.interval(share)]
        found[str(share)] = {
            "score": float(metrics.interval_score(Y, low, high, share).mean()),
            "constant": float(metrics.interval_score(Y, *ends, share).mean()),
            "constant_coverage": metrics.interval_coverage(Y, *ends),
            "held": np.bincount(decile, held, _DECILES).tolist(),
            "rows": np.bincount(decile, minlength=_DECILES).tolist(),
            "constant_held": np.bincount(
                decile, ((ends[0] <= Y) & (ends[1] >= Y))[:, 0], _DECILES
            ).tolist(),
        }
    follows = fitted.model.spread is not None
    return {"intervals": found, "follows": follows, "seconds": seconds, "by": environment()}


def run(folder: Path, names: list[str], splits: int) -> None:
    """Fit what is missing, a split of all sets before the next."""
    for split in range(splits):
        for name in names:
            path = folder / name / f"{split}.json"
            if path.exists():
                continue
            found = measured(name, split)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=1))
            shown = ", ".join(
                f"{share}: {own['score'] / own['constant']:.3f} of one width's score"
                for share, own in found["intervals"].items()
            )
            print(f"{name} {split}: {shown}, {found['seconds']:.1f} s", flush=True)


# ------------------------------------------------------------------------------------ the page


def page(folder: Path) -> str:
    """The section of ``docs/results.md``."""
    sets = {
        name: [json.loads(p.read_text()) for p in (folder / name).glob("*.json")] for name in NAMES
    }
    lines = []
    for share in SHARES:
        rows = [_row(name, share, found) for name, found in sets.items() if found]
        mean = np.mean([ratio for _, ratio in rows])
        lines += [line for line, _ in rows]
        lines.append(f"| all, {share:.0%} | | | | | {mean:.3f} | | |")
    heads = [
        *("", "coverage", "deciles of the prediction", "off", "with one width, off"),
        *("score, of one width's", "width follows the row", "splits"),
    ]
    return "\n".join(
        [
            "## Prediction intervals",
            "",
            "Default fits, five networks; test rows of all splits together. The published splits "
            "of concrete, of the others a split a seed; of California "
            f"{_MOST_ROWS:,} rows, another sample a seed; the made-up set has {_MADE_UP:,} rows "
            "and noise from 0.1 to 1. Coverage is given overall, and as the range over ten groups "
            "of test rows by their prediction: *off* are groups further from the asked share than "
            "three binomial standard errors and five points. The interval score is the mean over "
            "splits, as a share of the score of intervals of one width from the same residuals; "
            "less is better. The network of widths was chosen among about ten by such figures of "
            f"splits 0 and 1. {environment()}. Made by `{command()}`, after the same without "
            "`--docs`.",
            "",
            f"| {' | '.join(heads)} |",
            f"|{'|'.join('---' for _ in heads)}|",
            *lines,
        ]
    )


def _row(name: str, share: float, found: list[dict[str, Any]]) -> tuple[str, float]:
    """A line of the table, and the score as a share of one width's."""
    own = [each["intervals"][str(share)] for each in found]
    held, plain, rows = (
        np.sum([each[key] for each in own], axis=0) for key in ("held", "constant_held", "rows")
    )
    ratio = np.sum([each["score"] for each in own]) / np.sum([each["constant"] for each in own])
    follows = sum(each["follows"] for each in found)
    deciles = held / rows
    cells = [
        f"{name}, {share:.0%}",
        f"{held.sum() / rows.sum():.3f}",
        f"{deciles.min():.3f} to {deciles.max():.3f}",
        f"{_off(held / rows, rows, share)} of {_DECILES}",
        f"{_off(plain / rows, rows, share)} of {_DECILES}",
        f"{ratio:.3f}",
        f"in {follows} of {len(found)}",
        str(len(found)),
    ]
    return f"| {' | '.join(cells)} |", float(ratio)


def _off(coverage: np.ndarray, rows: np.ndarray, share: float) -> int:
    """How many groups are further from a share than chance, and five points, allow."""
    allowed = np.maximum(3 * np.sqrt(share * (1 - share) / rows), 0.05)
    return int((abs(coverage - share) > allowed).sum())


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--sets", default=",".join(NAMES))
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    if asked.docs:
        write_section(ROOT / "docs" / "results.md", "intervals", page(asked.results))
    else:
        run(asked.results, asked.sets.split(","), asked.splits)


if __name__ == "__main__":
    main()
