"""Published results on MNIST, reproduced.

    DELTARULE_DATA=… python benchmarks/accuracy.py [--rows A,B,C] [--seeds 5] [--engine reference]
        [--mixed]

trains each row with the published configuration and writes its table into ``docs/results.md``:
Nielsen's rows of *Neural Networks and Deep Learning* (A to G), and others'.
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
BINARY, CATEGORICAL = "binary_cross_entropy", "categorical_cross_entropy"
QUADRATIC = "half_squared_error"


@dataclass(frozen=True)
class Row:
    """One published configuration.

    ``judged_by`` is "test" or "validation", of the best epoch, or "last": the last epoch on the
    test images, all 60 000 others having trained. ``within`` is how many points the mean may stay
    below the published figure.
    """

    source: str
    network: dr.Network
    optimizer: dr.Optimizer
    batch_size: int
    epochs: int
    told: str
    published: float
    within: float
    judged_by: str = "test"
    lambda_: float = 0.0

    @property
    def bound(self) -> float:
        """The least mean that counts."""
        return self.published - self.within

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.network.sizes))} | {self.told}"


def nielsen(
    hidden: tuple[int, ...],
    cost: str,
    rate: float,
    lambda_: float,
    epochs: int,
    weights: str,
    published: float,
    judged_by: str = "test",
) -> Row:
    """Batch 10, sigmoid throughout; "large" weights are N(0,1), the others N(0,1/n)."""
    layers = [dr.Dense(n, "sigmoid", weights=weights, biases="normal") for n in (*hidden, 10)]
    name = "quadratic" if cost == QUADRATIC else "cross entropy"
    start = "large" if weights == "normal" else "1/√n"
    return Row(
        "nielsen",
        dr.Network(784, layers, cost),
        dr.GradientDescent(rate),
        10,
        epochs,
        f"{name}, {rate}, λ={lambda_}, {epochs}, {start}",
        published,
        0.6 if cost == QUADRATIC else 0.4,
        judged_by,
        lambda_,
    )


def others() -> dict[str, Row]:
    """Keras's example with dropout; one wide hidden layer with cross entropy (Simard 2003)."""
    relu = [dr.Dense(512, "relu", dropout=0.2, weights="glorot_uniform") for _ in range(2)]
    dropout = [*relu, dr.Dense(10, "softmax", weights="glorot_uniform")]
    wide = [dr.Dense(800, "tanh"), dr.Dense(10, "softmax")]
    decaying = dr.GradientDescent(dr.Exponential(0.1, 0.05))
    return {
        "K": Row(
            "others",
            dr.Network(784, dropout, CATEGORICAL),
            dr.RMSprop(1e-3, epsilon=1e-7),
            128,
            20,
            "relu, dropout 0.2; RMSprop 0.001, batch 128, 20 epochs (Keras's example)",
            98.40,
            0.1,
            "last",
        ),
        "S": Row(
            "others",
            dr.Network(784, wide, CATEGORICAL),
            decaying,
            10,
            60,
            "tanh; SGD 0.1 falling to 0.005, batch 10, 60 epochs; no distortions (Simard 2003)",
            98.40,
            0.2,
            "last",
        ),
    }


ROWS = {
    "A": nielsen((30,), QUADRATIC, 3.0, 0, 30, "normal", 95.42),
    "B": nielsen((30,), BINARY, 0.5, 0, 30, "normal", 95.49),
    "C": nielsen((30,), BINARY, 0.5, 5.0, 30, "normal", 96.49),
    "D": nielsen((100,), QUADRATIC, 3.0, 0, 30, "normal", 96.59),
    "E": nielsen((100,), BINARY, 0.5, 5.0, 30, "normal", 97.92, "validation"),
    "F": nielsen((100,), BINARY, 0.1, 5.0, 60, "normal", 98.04, "validation"),
    "G": nielsen((30, 30), BINARY, 0.1, 5.0, 30, "lecun_normal", 96.90),
    **others(),
}

TITLES = {
    "nielsen": (
        "## Nielsen's networks on MNIST",
        "Mean of the best epochs and standard deviation over seeds 0, 1, …; batch 10, sigmoid; "
        "cost, rate, λ, epochs, start.",
    ),
    "others": (
        "## Other published networks on MNIST",
        "Mean of the last epoch on the test images and standard deviation over seeds 0, 1, …; "
        "trained on the 60 000 others. Simard's schedule is not published in full: ours falls "
        "exponentially.",
    ),
}


def accuracy(Y: np.ndarray, P: np.ndarray) -> float:
    """Share of rows whose largest output is the right one, in percent."""
    return 100.0 * float((Y.argmax(axis=1) == P.argmax(axis=1)).mean())


def figure_of(row: Row, data: Mnist, seed: int, engine: str, mixed: bool) -> float:
    """The accuracy of one run: of its best epoch, or of its last."""
    one_hot = np.eye(10, dtype=np.float32)
    X, y, X_judge, y_judge = data.X_train, data.y_train, data.X_test, data.y_test
    if row.judged_by == "validation":
        X_judge, y_judge = data.X_validation, data.y_validation
    elif row.judged_by == "last":
        X = np.concatenate([X, data.X_validation])
        y = np.concatenate([y, data.y_validation])
    result = dr.train(
        row.network,
        X,
        one_hot[y],
        optimizer=row.optimizer,
        regularization=dr.Regularization(l2=row.lambda_ / len(X)),
        batch_size=row.batch_size,
        epochs=row.epochs,
        validation=(X_judge, one_hot[y_judge]),
        metric=accuracy,
        engine=engine,
        options=dr.EngineOptions(mixed=mixed),
        seed=seed,
    )
    figures = [event.figure for event in result.history if event.figure is not None]
    return figures[-1] if row.judged_by == "last" else max(figures)


def table(
    source: str, found: dict[str, tuple[list[float], float]], engine: str, mixed: bool
) -> str:
    """The section for the page of results."""
    title, what = TITLES[source]
    lines = [
        f"{title}, products of bfloat16 numbers" if mixed else title,
        "",
        what,
        f"Engine `{engine}`; {environment()}. Made by `{command()}`.",
        "",
        "| network | configuration | evaluated on | published % | bound | mean % | std | seeds | "
        "seconds a run |",
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
    """Train the rows asked for and write their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", default=",".join(ROWS), help="which rows, of " + ",".join(ROWS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--mixed", action="store_true", help="products of bfloat16 numbers")
    options = parser.parse_args()
    data = load_mnist()
    found: dict[str, dict[str, tuple[list[float], float]]] = {}
    for key in options.rows.split(","):
        row, figures, begun = ROWS[key], [], time.perf_counter()
        for seed in range(options.seeds):
            figures.append(figure_of(row, data, seed, options.engine, options.mixed))
            print(f"{row}: seed {seed}: {figures[-1]:.2f} %", flush=True)
        seconds = (time.perf_counter() - begun) / options.seeds
        found.setdefault(row.source, {})[key] = (figures, seconds)
        verdict = "within" if np.mean(figures) >= row.bound else "BELOW"
        print(f"mean {np.mean(figures):.2f}, {verdict} the bound {row.bound:.2f}", flush=True)
    for source, rows in found.items():
        name = f"{source}-mixed" if options.mixed else source
        write_section(RESULTS, name, table(source, rows, options.engine, options.mixed))


if __name__ == "__main__":
    main()
