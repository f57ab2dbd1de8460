"""deltarule beside boosting and other networks on a folder of data sets such as TabArena's.

    python benchmarks/tabarena.py RESULTS [--models default,lightgbm] [--sets churn] [--folds 0]
    python benchmarks/tabarena.py RESULTS --ablation
    python benchmarks/tabarena.py RESULTS --docs

fits what RESULTS, a file of JSON lines, does not hold yet, and appends each fit to it: a run may be
ended and repeated, and a fit that fails is recorded with its error. The folder of the sets is
``tabarena`` in the one that DELTARULE_DATA names, or that of ``--folder``. ``--ablation`` fits
variants of the recipe on inner splits of the first fold's training rows. ``--docs`` fits nothing:
it writes the tables into ``docs/results.md`` and ``docs/tables.md``.

Several files may be given: fits are appended to the first, and all are read. Fits of deltarule are
not repeated when its recipe changes; then begin a new file beside that of the peers.

A model is a row of ``MODELS``. The peers come from their own libraries, best in an environment of
their own: ``pip install lightgbm catboost xgboost pytabkit pandas scikit-learn`` beside deltarule.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from threadpoolctl import threadpool_limits

from deltarule import tabular
from sections import ROOT, environment, write_section
from tabarena_page import ablation, page
from tabarena_results import Key, Record, append, records
from tabarena_sets import FOLDS, INNER, ArenaSet, sets_of
from table_models import (
    QUALITIES,
    VARIANTS,
    Model,
    boosting,
    catboost,
    deltarule,
    filled,
    forest,
    lightgbm,
    native,
    peer,
    pytabkit,
    xgboost,
)
from table_sets import folder

DOCS = ROOT / "docs"
_PACKAGES = ("scikit-learn", "lightgbm", "catboost", "xgboost", "pytabkit", "torch")

MODELS: dict[str, Model] = {
    **QUALITIES,
    "members": deltarule("deltarule, 8 members", n_members=8),
    "ensemble": deltarule("deltarule, 8 networks", n_ensemble=8),
    "lightgbm": peer("LightGBM", lightgbm, native, library="lightgbm"),
    "catboost": peer("CatBoost", catboost, native, library="catboost"),
    "xgboost": peer("XGBoost", xgboost, native, library="xgboost"),
    "hgb": peer("HistGradientBoosting", boosting, native),
    "realmlp": peer(
        "RealMLP",
        pytabkit("RealMLP_TD", val_metric_name="cross_entropy", use_ls=False),
        filled,
        library="pytabkit",
    ),
    "tabm": peer(
        "TabM", pytabkit("TabM_D", val_metric_name="cross_entropy"), filled, library="pytabkit"
    ),
    "forest": peer("Random Forest", forest, native),
}
"""What is compared; the names are those of ``--models``."""

BEST_OF = ("lightgbm", "catboost", "xgboost", "hgb", "realmlp", "tabm")
"""The peers whose least error on a set is what an error is divided by."""


def measured(row: ArenaSet, fold: str, model: Model, settings: tabular.Settings) -> Record:
    """One fit, evaluated on the fold's test rows; or why it failed.

    Raises
    ------
    ModuleNotFoundError
        Where the model's library is not installed.
    """
    importlib.import_module(model.library)
    begun = _clocks()
    try:
        kept, held = row.split(fold)  # reads the table
        begun = _clocks()
        problem = tabular.problem(row.table, settings, kept, row.table.frame[held])
        if not model.ours:  # the peers have a preprocessing of their own
            begun = _clocks()
        measure = model.fit(problem, settings)
        spent = _spent_since(begun)
        return {"error": row.error(problem, measure().predictions), **spent}
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        return {"failed": f"{type(error).__name__}: {reason}", **_spent_since(begun)}


def _clocks() -> tuple[float, float]:
    """Seconds, and CPU seconds of this process and of those that it has started and that ended."""
    return time.perf_counter(), sum(os.times()[:4])


def _spent_since(begun: tuple[float, float]) -> dict[str, float]:
    seconds, cpu_seconds = (b - a for a, b in zip(begun, _clocks(), strict=True))
    return {"seconds": seconds, "cpu_seconds": cpu_seconds}


def run(
    path: Path,
    others: Iterable[Path],
    fits: Iterator[tuple[ArenaSet, str, str, Model]],
    threads: int,
    retry: bool = False,
) -> None:
    """Make the fits that no results file holds yet, and append them to the first."""
    found = records([path, *others])
    missing: set[str] = set()
    settings = tabular.Settings(n_threads=threads)
    for row, fold, key, model in fits:
        known = found.get(Key(row.name, fold, key))
        if key in missing or (known and not (retry and "failed" in known)):
            continue
        try:
            with threadpool_limits(threads):
                record = measured(row, fold, model, settings)
        except ModuleNotFoundError as error:
            print(f"{key}: {error.name} is not installed; left out", flush=True)
            missing.add(key)
            continue
        about = {"threads": threads, "environment": environment(), "packages": _packages()}
        append(path, {"set": row.name, "fold": fold, "model": key, **record, **about})
        what = record.get("failed") or f"{record['error']:.5g}, {record['cpu_seconds']:.1f} CPU s"
        print(f"{row.name} {fold} {key}: {what}", flush=True)


def _packages() -> dict[str, str]:
    """The versions of the peers' libraries that are installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def fits_of(
    sets: Iterable[ArenaSet], folds: Iterable[str], models: dict[str, Model]
) -> Iterator[tuple[ArenaSet, str, str, Model]]:
    """Every fit, one model of all sets after another."""
    sets, folds = list(sets), list(folds)
    for key, model in models.items():
        for row in sets:
            for fold in folds:
                yield row, fold, key, model


def main(arguments: list[str] | None = None) -> None:
    """Fit what is chosen, or write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", help="fits go to the first; all are read")
    parser.add_argument("--folder", type=Path, help="of the sets: index.csv and a CSV file each")
    parser.add_argument("--sets", type=_names, help="names, separated by commas")
    parser.add_argument("--most-rows", type=int, default=10**9, help="leave out larger sets")
    parser.add_argument("--folds", type=_names, default=FOLDS, help="of " + ",".join(FOLDS))
    parser.add_argument("--models", type=_names, help="of " + ",".join([*MODELS, *VARIANTS]))
    parser.add_argument("--threads", type=int, default=1, help="of each fit")
    parser.add_argument("--retry", action="store_true", help="repeat fits that failed")
    parser.add_argument("--ablation", action="store_true", help="variants, on inner splits")
    parser.add_argument("--docs", action="store_true", help="write the tables")
    options = parser.parse_args(arguments)
    where = options.folder or folder() / "tabarena"
    sets, first, others = sets_of(where), options.results[0], options.results[1:]
    if options.docs:
        found = records(options.results)
        write_section(DOCS / "results.md", "tabarena", page(found, sets, where, MODELS, BEST_OF))
        if any(key.fold == INNER for key in found):
            text = ablation(found, MODELS | VARIANTS)
            write_section(DOCS / "tables.md", "tabarena-ablation", text)
        return
    every = MODELS | VARIANTS
    usual = ["default", *VARIANTS] if options.ablation else [*MODELS]
    models = {name: every[name] for name in _known(options.models or usual, every, parser)}
    chosen = [sets[name] for name in _known(options.sets or sets, sets, parser)]
    chosen = [row for row in chosen if row.rows <= options.most_rows]
    folds = (INNER,) if options.ablation else _known(options.folds, FOLDS, parser)
    run(first, others, fits_of(chosen, folds, models), options.threads, options.retry)


def _names(text: str) -> list[str]:
    return text.split(",")


def _known(
    names: Iterable[str], known: Collection[str], parser: argparse.ArgumentParser
) -> list[str]:
    """The names, or the end of the command where one is unknown."""
    for name in names:
        if name not in known:
            parser.error(f"{name!r} is unknown; expected some of {', '.join(known)}.")
    return [*names]


if __name__ == "__main__":
    main()
