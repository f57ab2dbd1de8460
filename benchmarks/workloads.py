"""The workloads: a network, its data, how it is trained. One row each."""

from dataclasses import dataclass

import numpy as np

import deltarule as dr


@dataclass(frozen=True)
class Workload:
    """One row.

    ``steps`` is what a round of a fast engine runs: some tenths of a second.
    """

    name: str
    sizes: tuple[int, ...]
    hidden: str
    output: str
    batch: int
    cost: str
    optimizer: str
    rows: int
    steps: int

    @property
    def network(self):
        """The network, of this package."""
        *widths, last = self.sizes[1:]
        layers = [dr.Dense(n, self.hidden) for n in widths]
        return dr.Network(self.sizes[0], [*layers, dr.Dense(last, self.output)], self.cost)

    @property
    def rate(self):
        """The learning rate."""
        return 1e-3 if self.optimizer == "adam" else 1e-2

    @property
    def rule(self):
        """The optimizer, of this package."""
        return dr.Adam(self.rate) if self.optimizer == "adam" else dr.GradientDescent(self.rate)

    @property
    def classes(self):
        """Whether its targets are classes."""
        return self.output == "softmax"

    def data(self, dtype="float32"):
        """Read-only rows: noise, with targets a network could learn something of."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, self.sizes[0])).astype(dtype)
        if self.classes:
            Y = np.eye(self.sizes[-1], dtype=dtype)[rng.integers(0, self.sizes[-1], self.rows)]
        else:
            Y = (0.5 + 0.4 * np.tanh(X[:, : self.sizes[-1]])).astype(dtype)
        for array in (X, Y):
            array.flags.writeable = False
        return X, Y

    def order(self, rng, steps):
        """Row numbers of so many steps: fresh permutations, one after another."""
        needed = steps * self.batch
        turns = -(-needed // self.rows)
        return np.concatenate([rng.permutation(self.rows) for _ in range(turns)])[:needed]

    def __str__(self):
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes} {self.hidden}, batch {self.batch}, {self.cost}, {self.optimizer}"


CCE = "categorical_cross_entropy"

WORKLOADS = {
    row.name: row
    for row in (
        Workload("X", (4, 16, 16, 1), "tanh", "identity", 16, "mse", "adam", 4096, 4096),
        Workload("S", (784, 30, 10), "sigmoid", "sigmoid", 10, "mse", "sgd", 20000, 2048),
        Workload("T", (20, 64, 64, 1), "relu", "identity", 32, "mse", "adam", 20000, 2048),
        Workload("R", (8, 64, 64, 4), "relu", "identity", 64, "mse", "adam", 20000, 1024),
        Workload("M", (784, 256, 128, 10), "relu", "softmax", 128, CCE, "adam", 20000, 64),
        Workload("H", (28, *[300] * 5, 1), "tanh", "identity", 100, "mse", "sgd", 20000, 64),
        Workload("L", (784, 1024, 1024, 10), "relu", "softmax", 512, CCE, "adam", 20000, 6),
    )
}
