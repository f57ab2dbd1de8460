"""Contributions: whether they add up, whether they are right, and what they cost beside KernelSHAP.

    DELTARULE_DATA=… python benchmarks/contributions.py [--only PART] [--docs]

explains test rows of the built-in sets and of published tables; functions of known truth; and the
churn model with KernelSHAP of the package shap, which whoever runs this installs. ``--docs`` writes
the tables into ``docs/results.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from math import factorial
from pathlib import Path

import numpy as np

import deltarule as dr
from deltarule import tabular
from deltarule.data import builtin
from deltarule.modelfile import Model
from deltarule.network import input_jacobian
from deltarule.tabular.contributions import before_probabilities
from deltarule.tabular.integrated_gradients import integrated_gradients
from sections import command, environment, write_section
from table_sets import SETS

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
PUBLISHED = ("adult", "california", "churn", "telco")
FINE = 8_000  # steps of the sum that is taken for the truth
_SOME = 8  # rows of a function
SHAP_ROWS = 10
SAMPLES = (32, 64, 128, 256, 512, 900)  # of KernelSHAP; all coalitions of ten columns are 1,022


def models(rows: int) -> Iterator[tuple[str, Model, object, float]]:
    """A model of each set, trained briefly, and rows that it has not seen."""
    settings = tabular.Settings(n_ensemble=2, epochs=4)
    for name in builtin.BUILT_IN:
        frame, target = builtin.built_in(name)
        whole = tabular.table(frame, tabular.Roles((target,)))
        yield name, *_fitted(_parted(whole, settings), settings, rows)
    for name in PUBLISHED:
        problem = SETS[name].split(settings)
        yield name, *_fitted(problem, settings, rows)


def _parted(whole: tabular.Table, settings: tabular.Settings) -> tabular.Problem:
    kept, held = tabular.split(whole, settings)
    return tabular.problem(whole, settings, kept, whole.frame[held])


def _fitted(problem: tabular.Problem, settings: tabular.Settings, rows: int):
    return tabular.fit(problem, settings).model, problem.test[:rows]


def completeness(rows: int) -> list[str]:
    """Of each set: the largest residual in thousandths of the spread, points, time."""
    lines = [
        "| set | rows | outputs | largest residual, of the spread | points, mean | ms per row |"
    ]
    lines += ["|---|--:|--:|--:|--:|--:|"]
    for name, model, test in models(rows):
        begun = time.process_time()
        found = tabular.explain_rows(model, test)
        spent = (time.process_time() - begun) / len(test)
        spread = np.array(model.targets.stds or [1.0])
        residual = abs(found.residuals / spread).max()
        cells = [name, len(test), len(found.outputs), f"{residual:.1e}"]
        lines.append(_line([*cells, f"{found.points.mean():.0f}", f"{1e3 * spent:.1f}"]))
        print(lines[-1], flush=True)
    return lines


TRUTHS = {
    "linear": lambda X: X @ [3.0, -2.0, 1.0, 0.0],
    "additive": lambda X: np.sin(2 * X[:, 0]) + abs(X[:, 1]) + np.exp(X[:, 2] / 2),
    "product": lambda X: X[:, 0] * X[:, 1],
}


def known_truth(_: int) -> list[str]:
    """Of each function: parts beside those of a very fine sum over the same network."""
    lines = [f"| function | against a sum of {FINE:,} steps | against the function's own parts |"]
    lines += ["|---|--:|--:|"]
    rng = np.random.default_rng(0)
    for name, truth in TRUTHS.items():
        X = rng.uniform(-2.0, 2.0, (4000, 4))
        y = truth(X)
        fitted = dr.TabularRegressor(n_ensemble=2, epochs=15, random_state=0).fit(X, y)
        model, some = fitted.model_, X[:_SOME]
        start = tabular.reference(model)
        found = fitted.explain_rows(some).values[:, 0]
        A = model.preprocessing.transform(fitted._framed(some)).astype(np.float64)
        own = _fine(model, A, start.encoded.astype(np.float64)) * model.targets.stds[0]
        ideal = _ideal(truth, some, np.array(list(start.row.values())))
        errors = (abs(found - each).max() / y.std() for each in (own, ideal))
        lines.append(_line([name, *(f"{100 * error:.2g} %" for error in errors)]))
        print(lines[-1], flush=True)
    return lines


def _fine(model: Model, A: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Parts by a midpoint sum over the network as it is, in float64."""
    parameters = [{n: W.astype(np.float64) for n, W in own.items()} for own in model.parameters]
    t = (np.arange(FINE) + 0.5) / FINE
    found = []
    for row in A:
        line = (start + t[:, None] * (row - start)).T
        slopes = [
            input_jacobian(model.network, parameters, line[:, first : first + 2000])[:, 0]
            for first in range(0, FINE, 2000)
        ]
        found.append(np.concatenate(slopes).mean(axis=0) * (row - start))
    return np.array(found)


def _ideal(truth, rows: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Parts of the function itself, by small steps along the line."""
    t = np.linspace(0.0, 1.0, 20_001)
    found = np.zeros(rows.shape)
    for k, row in enumerate(rows):
        line = start + t[:, None] * (row - start)
        middle = (line[1:] + line[:-1]) / 2
        for i in range(rows.shape[1]):
            low, high = middle.copy(), middle.copy()
            low[:, i], high[:, i] = line[:-1, i], line[1:, i]
            found[k, i] = (truth(high) - truth(low)).sum()
    return found


def beside_shap(rows: int) -> list[str]:
    """Errors and processor time on the churn model: each against its own exact values."""
    import shap

    settings = tabular.Settings()
    problem = SETS["churn"].split(settings)
    model = tabular.fit(problem, settings).model
    A = model.preprocessing.transform(problem.test[:rows])
    start = tabular.reference(model).encoded
    widths = [len(column.outputs) for column in model.preprocessing.used]
    groups = np.repeat(np.arange(len(widths)), widths)
    network = before_probabilities(model.network)
    runner = dr.start(network, parameters=model.parameters)

    def integrated(tolerance: float):
        return integrated_gradients(
            network, model.parameters, A, start, groups=groups, tolerance=tolerance
        )

    exact = integrated(1e-5).parts[:, 0]
    heads = ["method", "evaluations per row", "error, mean", "error, largest", "ms per row"]
    lines = [_line([*heads, "times ours of no larger error"]), "|---|--:|--:|--:|--:|--:|"]
    ours = []
    for tolerance in (5e-1, 1e-1, 1e-2, 1e-3):
        begun = time.process_time()
        found = integrated(tolerance)
        spent = (time.process_time() - begun) / len(A)
        ours.append((abs(found.parts[:, 0] - exact).mean(), spent))
        name = f"contributions, residual below {tolerance:g}"
        lines.append(_measured(name, found.points.mean(), found.parts[:, 0] - exact, spent))
    for samples in SAMPLES:
        errors, spent = [], 0.0
        for row in A[:SHAP_ROWS]:

            def outputs(Z: np.ndarray, row: np.ndarray = row) -> np.ndarray:
                return runner.predict(np.where(Z[:, groups] > 0.5, row, start))[:, 0]

            truth = _shapley(outputs, len(widths))
            begun = time.process_time()
            explainer = shap.KernelExplainer(outputs, np.zeros((1, len(widths))))
            found = explainer.shap_values(
                np.ones(len(widths)), nsamples=samples, l1_reg=0, silent=True
            )
            spent += time.process_time() - begun
            errors.append(found - truth)
        errors, spent = np.array(errors), spent / SHAP_ROWS
        times = _times(ours, abs(errors).mean(), spent)
        lines.append(_measured("KernelSHAP", samples, errors, spent, times))
    return lines


def _times(ours: list, error: float, seconds: float) -> str:
    """How many times the time of our fastest one whose mean error is not larger."""
    enough = [spent for other, spent in ours if other <= error]
    return f"{seconds / min(enough):.0f} ×" if enough else "–"


def _measured(
    name: str, evaluations: float, errors: np.ndarray, seconds: float, times: str = ""
) -> str:
    cells = [name, f"{evaluations:.0f}", f"{abs(errors).mean():.1e}", f"{abs(errors).max():.1e}"]
    line = _line([*cells, f"{1e3 * seconds:.2f}", times])
    print(line, flush=True)
    return line


def _shapley(outputs, n: int) -> np.ndarray:
    """Exact Shapley values, from every coalition."""
    coalitions = np.array([[k >> i & 1 for i in range(n)] for k in range(1 << n)], float)
    value = outputs(coalitions).astype(np.float64)
    sizes = coalitions.sum(axis=1).astype(int)
    weights = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    found = np.zeros(n)
    for i in range(n):
        without = np.flatnonzero(coalitions[:, i] == 0)
        found[i] = weights[sizes[without]] @ (value[without + (1 << i)] - value[without])
    return found


def _line(cells: list) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Measure, print, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100, help="rows of each set")
    parser.add_argument("--only", choices=PARTS, help="one of the tables")
    parser.add_argument("--docs", action="store_true", help="the tables into docs/results.md")
    options = parser.parse_args()
    for name in [options.only] if options.only else PARTS:
        measure, told = PARTS[name]
        lines = measure(options.rows)
        if options.docs:
            made = f"Made by `{command()}`; {environment()}."
            write_section(
                PAGE, f"contributions, {name}", "\n\n".join([told, "\n".join(lines), made])
            )


PARTS = {
    "cost": (
        beside_shap,
        "## Contributions\n\n"
        "What [contributions](derivation/contributions.md) cost beside KernelSHAP of the package "
        "shap on the churn model of five networks, from the same reference, in one run. The two "
        "are different divisions: the error of each is against its own exact values, in log-odds "
        f"(KernelSHAP's from all 1,024 coalitions). KernelSHAP sees {SHAP_ROWS} rows, and its time "
        "is without preprocessing.",
    ),
    "truth": (
        known_truth,
        "Functions of known truth: the largest error of a column's contribution in 8 rows, as a "
        "share of the target's spread. The second figure is how far the fitted network is from the "
        "function.",
    ),
    "sums": (
        completeness,
        "How nearly contributions add up, for two networks of each set, trained for 4 epochs. "
        "Times are processor time.",
    ),
}
"""By name, what is measured, and what the page says of it."""


if __name__ == "__main__":
    main()
