"""Published results, reproduced: Nielsen's rows of *Neural Networks and Deep Learning* on MNIST.

    DELTARULE_DATA=… python benchmarks/accuracy.py [--rows A,B,C] [--seeds 5] [--engine reference]

trains each row with the published configuration and writes the table into ``docs/results.md``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import deltarule as dr
from mnist import Mnist, load_mnist
from sections import command, environment, write_section

RESULTS = Path(__file__).parent.parent / "docs" / "results.md"
CROSS_ENTROPY, QUADRATIC = "binary_cross_entropy", "half_squared_error"


@dataclass(frozen=True)
class Row:
    """One published configuration: batch 10, sigmoid throughout, plain gradient descent."""

    hidden: tuple[int, ...]
    cost: str
    rate: float
    lambda_: float
    epochs: int
    weights: str
    published: float
    judged_by: str = "test"

    @property
    def bound(self) -> float:
        """The least mean that counts: 0.4 points below, 0.6 where the published value varies."""
        return self.published - (0.6 if self.cost == QUADRATIC else 0.4)

    def network(self) -> dr.Network:
        """The published network; "large" weights are N(0,1), the others N(0,1/n)."""
        layers = [
            dr.Dense(units, "sigmoid", weights=self.weights, biases="normal")
            for units in (*self.hidden, 10)
        ]
        return dr.Network(784, layers, self.cost)

    def __str__(self) -> str:
        sizes = "-".join(map(str, (784, *self.hidden, 10)))
        cost = "quadratic" if self.cost == QUADRATIC else "cross entropy"
        start = "large" if self.weights == "normal" else "1/√n"
        return f"{sizes} | {cost}, {self.rate}, λ={self.lambda_}, {self.epochs}, {start}"


ROWS = {
    "A": Row((30,), QUADRATIC, 3.0, 0, 30, "normal", 95.42),
    "B": Row((30,), CROSS_ENTROPY, 0.5, 0, 30, "normal", 95.49),
    "C": Row((30,), CROSS_ENTROPY, 0.5, 5.0, 30, "normal", 96.49),
    "D": Row((100,), QUADRATIC, 3.0, 0, 30, "normal", 96.59),
    "E": Row((100,), CROSS_ENTROPY, 0.5, 5.0, 30, "normal", 97.92, "validation"),
    "F": Row((100,), CROSS_ENTROPY, 0.1, 5.0, 60, "normal", 98.04, "validation"),
    "G": Row((30, 30), CROSS_ENTROPY, 0.1, 5.0, 30, "lecun_normal", 96.90),
}


def accuracy(Y: np.ndarray, P: np.ndarray) -> float:
    """Share of rows whose largest output is the right one, in percent."""
    return 100.0 * float((Y.argmax(axis=1) == P.argmax(axis=1)).mean())


def best_epoch(row: Row, data: Mnist, seed: int, engine: str) -> float:
    """The accuracy of the best epoch of one run."""
    one_hot = np.eye(10, dtype=np.float32)
    X, y = (data.X_test, data.y_test)
    if row.judged_by == "validation":
        X, y = data.X_validation, data.y_validation
    result = dr.train(
        row.network(),
        data.X_train,
        one_hot[data.y_train],
        optimizer=dr.GradientDescent(row.rate),
        regularisation=dr.Regularisation(l2=row.lambda_ / len(data.X_train)),
        batch_size=10,
        epochs=row.epochs,
        validation=(X, one_hot[y]),
        metric=accuracy,
        engine=engine,
        seed=seed,
    )
    return max(event.figure for event in result.history if event.figure is not None)


def table(found: dict[str, tuple[list[float], float]], engine: str) -> str:
    """The section for the page of results."""
    lines = [
        "## Nielsen's networks on MNIST",
        "",
        "Mean of the best epochs and standard deviation over seeds 0, 1, …; batch 10, sigmoid.",
        f"Engine `{engine}`; {environment()}. Made by `{command()}`.",
        "",
        "| network | cost, rate, λ, epochs, start | judged by | published % | bound | mean % | "
        "std | seeds | seconds a run |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, (figures, seconds) in found.items():
        row = ROWS[key]
        lines.append(
            f"| {row} | {row.judged_by} | {row.published:.2f} | {row.bound:.2f} | "
            f"{np.mean(figures):.2f} | {np.std(figures):.2f} | {len(figures)} | {seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Train the rows asked for and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", default="A,B,C", help="which rows, of " + ",".join(ROWS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    data = load_mnist()
    found = {}
    for key in options.rows.split(","):
        figures, begun = [], time.perf_counter()
        for seed in range(options.seeds):
            figures.append(best_epoch(ROWS[key], data, seed, options.engine))
            print(f"{ROWS[key]}: seed {seed}: {figures[-1]:.2f} %", flush=True)
        found[key] = (figures, (time.perf_counter() - begun) / options.seeds)
        verdict = "within" if np.mean(figures) >= ROWS[key].bound else "BELOW"
        print(f"mean {np.mean(figures):.2f}, {verdict} the bound {ROWS[key].bound:.2f}", flush=True)
    write_section(RESULTS, "nielsen", table(found, options.engine))


if __name__ == "__main__":
    main()
