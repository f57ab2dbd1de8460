"""Model pages beside their models, on held-out rows of every published table of DELTARULE_DATA.

    DELTARULE_DATA=… python benchmarks/model_pages.py [--set NAME] [--networks 2] [--docs]

trains the default recipe with the quality ``fast`` on each data set and opens its page in
Chromium. What the page computes is compared with the model's own numbers in float64, and a row
far outside the training data is timed. ``--docs`` writes the table into ``docs/export.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from playwright.sync_api import Page, sync_playwright

from deltarule import tabular
from deltarule.export.check import widened
from deltarule.model_page import save_model_page
from deltarule.modelfile import Model
from sections import command, environment, write_section
from table_sets import SETS, TableSet

PAGE = Path(__file__).parent.parent / "docs" / "export.md"
AGREES = 1e-12  # relative to the largest number of its kind
COVERAGE = 0.8
EXPLAINED = 5  # rows whose contributions are compared
FAR = 1000.0  # times the cells of a far row
PREDICT = """async ([text, coverage]) => {
  const { heads, lines } = await Many.predictions(Page.model, text, coverage, () => {});
  return [heads, lines];
}"""
EXPLAIN = """(text) => {
  const { rows } = Table.parsed(text, Page.model.columns.map((column) => column.name));
  return rows.map((row) => {
    const start = performance.now();
    const found = Why.contributions(Page.model, Predicting.encoded(Page.model, row));
    return [found.map((own) => own.values), performance.now() - start];
  });
}"""
HEADS = ("data set", "networks", "rows", "predictions", "intervals or sets", "contributions")
TIMES = ("a row's contributions, ms", "of a far row, ms")


def trained(row: TableSet, networks: int) -> tuple[Model, pl.DataFrame]:
    """A model of a data set, computing in float64, and the rows that it has not seen."""
    settings = tabular.Settings(quality="fast", n_ensemble=networks)
    problem = row.split(settings)
    fitted = tabular.fit(problem, settings)
    model, about = fitted.model, {"calibration": fitted.calibration.to_dict()}
    spread = model.spread and (model.spread[0], widened(model.spread[1]))
    model = replace(model, parameters=widened(model.parameters), spread=spread, about=about)
    return model, problem.test


def distance(found: Any, expected: Any) -> float:
    """The largest difference as a share of the largest expected number."""
    found, expected = np.array(found, float), np.array(expected, float)
    return float(abs(found - expected).max() / max(abs(expected).max(), np.finfo(float).tiny))


def predictions(model: Model, frame: pl.DataFrame, page: Page) -> tuple[float, float]:
    """How far the page's predictions are from the model's, and its intervals or sets.

    Of classes: how far the probabilities are, and the share of rows whose class or set differs.
    """
    heads, lines = page.evaluate(PREDICT, [frame.write_csv(), COVERAGE])
    found = {name: [line[k] for line in lines] for k, name in enumerate(heads)}
    targets = model.targets
    if targets.classes:
        P, sets = tabular.prediction_sets(model, frame, COVERAGE)
        (name,), labels = targets.names, np.array([str(label) for label in targets.classes])
        columns = [found[f"probability_{label}"] for label in labels]
        others = np.array(found[f"set_{name}"]) != ["; ".join(labels[own]) for own in sets]
        predicted = [str(label) for label in model.predict(frame)[name].to_list()]
        others |= np.array([str(label) for label in found[f"predicted_{name}"]]) != predicted
        return distance(np.array(columns).T, P), float(others.mean())
    middle, low, high = tabular.interval_ends(model, frame, COVERAGE)
    kinds = {"predicted": middle, "low": low, "high": high}
    far = {
        kind: distance(np.array([found[f"{kind}_{name}"] for name in targets.names]).T, own)
        for kind, own in kinds.items()
    }
    return far["predicted"], max(far["low"], far["high"])


def far_row(model: Model, frame: pl.DataFrame) -> pl.DataFrame:
    """The first row with every number a thousand times as large."""
    numeric = [c.name for c in model.preprocessing.used if c.kind == "numeric"]
    numbers = [name for name in numeric if frame[name].dtype.is_numeric()]
    return frame.head(1).with_columns(pl.col(name).cast(pl.Float64) * FAR for name in numbers)


def explained(model: Model, frame: pl.DataFrame, page: Page) -> tuple[float, float]:
    """The milliseconds that a row's contributions take, the median, and how far they are."""
    values, times = zip(*page.evaluate(EXPLAIN, frame.write_csv()), strict=True)
    return float(np.median(times)), distance(values, tabular.explain_rows(model, frame).values)


def line(row: TableSet, options: argparse.Namespace, page: Page, folder: Path) -> str:
    """A line of the table; an agreement above the bound ends the run."""
    model, test = trained(row, options.networks)
    frame = test.head(options.rows)
    path = folder / f"{row.name}.html"
    save_model_page(path, model)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=true]")
    near, apart = explained(model, frame.head(EXPLAINED), page)
    far, far_apart = explained(model, far_row(model, frame), page)
    agreement = [*predictions(model, frame, page), max(apart, far_apart)]
    cells = [row.name, str(len(page.evaluate("Page.model.networks.map(() => 0)")))]
    cells += [f"{len(frame):,}", *(f"{x:.0e}" if x else "equal" for x in agreement)]
    cells += [f"{near:,.0f}", f"{far:,.0f}"]
    text = f"| {' | '.join(cells)} |"
    print(text, flush=True)
    if max(agreement) > AGREES:
        sys.exit(f"error: {row.name} differs by more than {AGREES:g} from the model")
    return text


def main() -> None:
    """Train, open, compare, print."""
    parser = argparse.ArgumentParser(description="Model pages beside their models.")
    parser.add_argument("--set", action="append", choices=SETS, help="only this data set")
    parser.add_argument("--networks", type=int, default=2, help="networks to average")
    parser.add_argument("--rows", type=int, default=200, help="held-out rows to compare")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args()
    heads = [*HEADS, *TIMES]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    print(*lines, sep="\n")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        names = options.set or SETS
        lines += [line(SETS[name], options, page, Path(folder)) for name in names]
        browser.close()
    if options.docs:
        source = f"`{command()}`; {environment()}."
        write_section(PAGE, "model pages", "\n".join([*lines, "", source]))


if __name__ == "__main__":
    main()
