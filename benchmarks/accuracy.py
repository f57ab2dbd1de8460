"""Published results on MNIST, reproduced.

    DELTARULE_DATA=… python benchmarks/accuracy.py [--rows A,B,C] [--seeds 5] [--engine reference]
        [--mixed]

trains each row with the published configuration and writes its table into ``docs/results.md``:
Nielsen's rows of *Neural Networks and Deep Learning* (A to G), and others'. A row whose mean is
less than its bound is *below*, and the page states the reason.
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

    ``evaluated_on`` is "test" or "validation", of the best epoch, or "last": the last epoch on the
    test images, all 60 000 others having trained. ``within`` is how many points the mean may stay
    below the published figure. ``reason`` is why a mean that is lower still is so; ``{low}`` in it
    is the number of runs that end below the bound, ``{runs}`` that of all.
    """

    source: str
    network: dr.Network
    optimizer: dr.Optimizer
    batch_size: int
    epochs: int
    configuration: str
    published: float
    within: float
    evaluated_on: str = "test"
    lambda_: float = 0.0
    reason: str = "the cause is not known"

    @property
    def bound(self) -> float:
        """The least mean that counts."""
        return self.published - self.within

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.network.sizes))} | {self.configuration}"


def nielsen(
    hidden: tuple[int, ...],
    cost: str,
    rate: float,
    lambda_: float,
    epochs: int,
    weights: str,
    published: float,
    evaluated_on: str = "test",
    reason: str = Row.reason,
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
        evaluated_on,
        lambda_,
        reason,
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
            reason="the likely reason is the learning-rate schedule: Simard's is not published in "
            "full, this one falls exponentially",
        ),
    }


_LOST_DIGITS = (
    "{low} of {runs} runs end below the bound. In these, one or two output units stay near 0 for "
    "every image, so the network never predicts their digits. The quadratic cost multiplies the "
    "error by the slope of the sigmoid, which is nearly 0 there; the cross entropy does not. "
    "Nielsen's book mentions such runs, too"
)

ROWS = {
    "A": nielsen((30,), QUADRATIC, 3.0, 0, 30, "normal", 95.42),
    "B": nielsen((30,), BINARY, 0.5, 0, 30, "normal", 95.49),
    "C": nielsen((30,), BINARY, 0.5, 5.0, 30, "normal", 96.49),
    "D": nielsen((100,), QUADRATIC, 3.0, 0, 30, "normal", 96.59, reason=_LOST_DIGITS),
    "E": nielsen((100,), BINARY, 0.5, 5.0, 30, "normal", 97.92, "validation"),
    "F": nielsen((100,), BINARY, 0.1, 5.0, 60, "normal", 98.04, "validation"),
    "G": nielsen((30, 30), BINARY, 0.1, 5.0, 30, "lecun_normal", 96.90),
    **others(),
}

TITLES = {
    "nielsen": (
        "## Nielsen's networks on MNIST",
        "Accuracy of the best epoch: mean ± standard deviation over seeds 0, 1, …. Batch 10, "
        "sigmoid. A configuration is cost, learning rate, λ, epochs and initialization. Published "
        "figures are of one run, so the bound is 0.6 points lower with the quadratic cost, 0.4 "
        "with cross entropy. *Met*: the mean reaches the bound.",
    ),
    "others": (
        "## Other published networks on MNIST",
        "Accuracy of the last epoch on the test images: mean ± standard deviation over seeds 0, 1, "
        "…. All 60 000 other images are training rows. *Met*: the mean reaches the bound.",
    ),
}


_ROWS_OF = {"test": "test", "validation": "validation", "last": "test"}


def accuracy(Y: np.ndarray, P: np.ndarray) -> float:
    """Share of rows whose largest output is the right one, in percent."""
    return 100.0 * float((Y.argmax(axis=1) == P.argmax(axis=1)).mean())


def figure_of(row: Row, data: Mnist, seed: int, engine: str, mixed: bool) -> float:
    """The accuracy of one run: of its best epoch, or of its last."""
    one_hot = np.eye(10, dtype=np.float32)
    X, y, X_eval, y_eval = data.X_train, data.y_train, data.X_test, data.y_test
    if row.evaluated_on == "validation":
        X_eval, y_eval = data.X_validation, data.y_validation
    elif row.evaluated_on == "last":
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
        validation=(X_eval, one_hot[y_eval]),
        metric=accuracy,
        engine=engine,
        options=dr.EngineOptions(mixed=mixed),
        seed=seed,
    )
    figures = [event.figure for event in result.history if event.figure is not None]
    return figures[-1] if row.evaluated_on == "last" else max(figures)


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
        "| network | configuration | evaluated on | published % | deltarule % | bound | result | "
        "seeds | s per run |",
        "|---|---|---|--:|--:|--:|---|--:|--:|",
    ]
    below = []
    for key, (figures, seconds) in found.items():
        row, mean = ROWS[key], np.mean(figures)
        result = "met" if mean >= row.bound else "below"
        lines.append(
            f"| {row} | {_ROWS_OF[row.evaluated_on]} | {row.published:.2f} | {mean:.2f} ± "
            f"{np.std(figures):.2f} | {row.bound:.2f} | {result} | {len(figures)} | {seconds:.0f} |"
        )
        if result == "below":
            low = sum(figure < row.bound for figure in figures)
            why = row.reason.format(low=low, runs=len(figures))
            below += ["", f"Below, {str(row).replace(' | ', ', ')}: {why}."]
    return "\n".join(lines + below)


def main() -> None:
    """Train the requested rows and write their tables."""
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
        result = "met" if np.mean(figures) >= row.bound else "below"
        print(f"mean {np.mean(figures):.2f}: bound {row.bound:.2f} {result}", flush=True)
    for source, rows in found.items():
        name = f"{source}-mixed" if options.mixed else source
        write_section(RESULTS, name, table(source, rows, options.engine, options.mixed))


if __name__ == "__main__":
    main()
