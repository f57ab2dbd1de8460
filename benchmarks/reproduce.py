"""The first seed of each published table, fitted again and compared with the page of results.

    [DELTARULE_DATA=…] python benchmarks/reproduce.py [--names digits,adult]
    DELTARULE_DATA=… python benchmarks/reproduce.py --docs

A fit is compared by its metric on the test rows and by the digest of its predictions. Fits on
the same instruction set agree in every bit; on another one the digest is not compared, and the
metric may differ by ``TOLERANCE``. Data sets that are not there are left out, and named. ``--docs``
writes the table into ``docs/results.md``. The exit code is 1 where a fit differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from accuracy import ROWS, figure_of
from deltarule import TabularClassifier, TabularRegressor, metrics, tabular
from deltarule.engines import native
from mnist import load_mnist
from sections import ROOT, command, environment, section, write_section
from table_models import MODELS, settings_of
from table_sets import SETS

PAGE = ROOT / "docs" / "results.md"
TOLERANCE = 0.02  # of the metric, relative: another instruction set rounds otherwise
_BUILT_IN = ("digits", "iris", "wine", "breast_cancer", "diabetes")


class Fitted(NamedTuple):
    """What identifies a fit: a metric, and the digest of the numbers that it predicts."""

    metric: str
    value: float
    digest: str


def digest(*arrays: np.ndarray) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the arrays' bytes."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()[:16]


def built_in(name: str) -> Fitted:
    """The recipe on one of scikit-learn's data sets; every fourth row is a test row."""
    import sklearn.datasets

    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    test = np.arange(len(y)) % 4 == 0
    if name == "diabetes":
        regressor = TabularRegressor(random_state=0).fit(X[~test], y[~test])
        return Fitted("R²", regressor.score(X[test], y[test]), digest(regressor.predict(X[test])))
    classifier = TabularClassifier(random_state=0).fit(X[~test], y[~test])
    P = classifier.predict_proba(X[test])
    return Fitted("accuracy", classifier.score(X[test], y[test]), digest(P))


def table(name: str) -> Fitted:
    """The recipe on a published table."""
    settings = settings_of(0)
    problem = SETS[name].split(settings)
    P = MODELS["default"].fit(problem, settings)().predictions
    figures = metrics.figures(
        problem.task, tabular.figure_targets(problem.targets, problem.test), P
    )
    metric = metrics.FIGURES[problem.task][0].name
    return Fitted(metric, figures[metric] / (SETS[name].unit if metric == "rmse" else 1), digest(P))


def mnist(key: str) -> Fitted:
    """A published network on MNIST: the accuracies of all epochs are its digest."""
    figures = figure_of(ROWS[key], load_mnist(), 0, "native")
    return Fitted("accuracy, %", figures, digest(np.float64(figures)))


FITS: dict[str, Callable[[], Fitted]] = {
    **{name: lambda name=name: built_in(name) for name in _BUILT_IN},
    **{f"MNIST {key}": lambda key=key: mnist(key) for key in ROWS},
    **{name: lambda name=name: table(name) for name in SETS},
}
"""What is fitted, by the name in the table."""


def recorded() -> dict[str, dict[str, Fitted]]:
    """The table on the page: fits by name and instruction set."""
    found: dict[str, dict[str, Fitted]] = {}
    for line in section(PAGE, "reproduce").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0] in FITS:
            name, metric, value, isa, known = cells
            found.setdefault(name, {})[isa] = Fitted(metric, float(value), known.strip("`"))
    return found


def agrees(fit: Fitted, known: dict[str, Fitted], isa: str) -> bool:
    """Whether a fit is what is recorded for it, by instruction set."""
    if isa in known:
        return fit.digest == known[isa].digest
    return any(abs(fit.value - row.value) <= TOLERANCE * abs(row.value) for row in known.values())


def fits(names: list[str]) -> Iterator[tuple[str, Fitted]]:
    """Fit what there are data for."""
    data = bool(os.environ.get("DELTARULE_DATA"))
    for name in names:
        if name not in _BUILT_IN and not data:
            print(f"{name}: left out; set DELTARULE_DATA to the folder of the data sets")
            continue
        yield name, FITS[name]()


def page(found: dict[str, dict[str, Fitted]]) -> str:
    """The section of the page."""
    return "\n".join(
        [
            "## The same bits",
            "",
            "Seed 0 of each table: the metric on its test rows, and a digest of the predictions. "
            "`make reproduce` fits them again and compares: by digest on the same instruction set, "
            f"elsewhere by the metric, within {TOLERANCE:.0%}. The rows of MNIST are the networks "
            "above, in order; scikit-learn's data sets need no download.",
            f"{environment()}. Made by `{command()}`.",
            "",
            "| fit | metric | value | instruction set | digest |",
            "|---|---|---|---|---|",
            *(
                f"| {name} | {fit.metric} | {fit.value:.6g} | {isa} | `{fit.digest}` |"
                for name, by_isa in found.items()
                for isa, fit in by_isa.items()
            ),
        ]
    )


def main() -> int:
    """Fit, compare, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--names", default=",".join(FITS), help="of " + ",".join(FITS))
    parser.add_argument("--docs", action="store_true", help="write the table")
    options = parser.parse_args()
    isa, known, wrong = native.capabilities().isa, recorded(), 0
    for name, fit in fits(options.names.split(",")):
        was = known.setdefault(name, {})
        same = agrees(fit, was, isa)
        wrong += not same
        verdict = "as recorded" if same else f"DIFFERS from what is recorded: {was or 'nothing'}"
        print(f"{name}: {fit.metric} {fit.value:.6g}, {fit.digest}: {verdict}", flush=True)
        was[isa] = fit
    if options.docs:
        write_section(
            PAGE, "reproduce", page({name: known[name] for name in FITS if name in known})
        )
        return 0
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
