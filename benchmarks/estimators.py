"""Whole fits and single predictions beside scikit-learn's estimators, in alternating rounds."""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.neural_network import MLPRegressor as TheirRegressor

from deltarule import MLPClassifier, MLPRegressor
from rounds import machine, measured, processor_of
from sections import command, write_section

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PREDICTIONS = 2000


def digits(dtype):
    """The 1797 digits that scikit-learn ships, as they are."""
    X, y = load_digits(return_X_y=True)
    return X.astype(dtype), y


def table(dtype):
    """20 000 rows of 20 columns and a number to predict."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 20))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(20_000)
    return X.astype(dtype), y.astype(dtype)


def pictures(dtype):
    """60 000 rows of 784 columns in ten classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 60_000)
    centres = rng.random((10, 784), dtype=np.float32)
    X = centres[y] + 0.5 * rng.standard_normal((60_000, 784), dtype=np.float32)
    return X.astype(dtype), y


FITS = {
    "digits, defaults": (MLPClassifier, Theirs, digits, {}),
    "20 000 × 20, (64, 64), batch 32": (
        *(MLPRegressor, TheirRegressor, table),
        {"hidden_layer_sizes": (64, 64), "batch_size": 32, "max_iter": 10},
    ),
    "60 000 × 784, (256, 128)": (
        *(MLPClassifier, Theirs, pictures),
        {"hidden_layer_sizes": (256, 128), "max_iter": 1},
    ),
}


def fit_runs(name, dtype):
    """Both estimators' whole fits on one data set."""
    Ours, Peer, data, settings = FITS[name]
    X, y = data(dtype)
    return {
        "deltarule": (lambda: Ours(random_state=0, **settings).fit(X, y), 1),
        "scikit-learn": (lambda: Peer(random_state=0, **settings).fit(X, y), 1),
    }


def prediction_runs(dtype):
    """Both estimators' probabilities of one row."""
    X, y = digits(dtype)
    row, models = X[:1], {"deltarule": MLPClassifier, "scikit-learn": Theirs}

    def run(predict):
        for _ in range(PREDICTIONS):
            predict(row)

    fitted = {name: Kind(random_state=0, max_iter=5).fit(X, y) for name, Kind in models.items()}
    return {
        name: (lambda predict=model.predict_proba: run(predict), PREDICTIONS)
        for name, model in fitted.items()
    }


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--fits", type=int, nargs="*", default=range(len(FITS)), help="which: 0 1 2"
    )
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    lines = ["| | dtype | deltarule | scikit-learn | times faster |", "|---|---|---|---|---|"]
    names = [list(FITS)[number] for number in chosen.fits]
    for dtype in ("float32", "float64"):
        runs = {name: (fit_runs, (name, dtype)) for name in names}
        runs["predict_proba of one row"] = (prediction_runs, (dtype,))
        for name, (make, given) in runs.items():
            found = measured(make(*given), chosen.rounds)
            ours, theirs = (found[peer].min() for peer in ("deltarule", "scikit-learn"))
            figures = f"{_told(ours)} | {_told(theirs)} | {theirs / ours:.1f}"
            lines.append(f"| {name} | {dtype} | {figures} |")
            print(lines[-1], flush=True)
    if chosen.docs:
        about = machine()
        packages = (f"{name} {about['packages'][name]}" for name in ("scikit-learn", "numpy"))
        text = "\n".join(lines)
        text += f"\n\nThe least of {chosen.rounds} alternating rounds. `{command()}`: "
        text += f"{processor_of(about)}; "
        write_section(PAGE, "estimators", text + ", ".join(packages) + ".")


def _told(seconds):
    return f"{seconds:.2f} s" if seconds > 0.1 else f"{seconds * 1e6:.0f} µs"


if __name__ == "__main__":
    main()
