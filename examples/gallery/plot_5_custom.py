"""
A custom activation and a custom cost
=====================================

Two functions each: a value and a derivative. A gradient check says whether they fit.
"""

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr
from deltarule.checks import check_gradients

# %%
# An activation that passes small values and bends large ones, and a cost that punishes too low a
# forecast three times as much as one too high.

softsign = dr.Activation(
    "my_softsign", g=lambda Z: Z / (1 + abs(Z)), g_prime=lambda Z: 1 / (1 + abs(Z)) ** 2
)


def lopsided(A, Y):
    error = Y - A
    return np.where(error > 0, 3 * error**2, error**2).sum(axis=0)


def lopsided_dA(A, Y):
    error = Y - A
    return np.where(error > 0, -6 * error, -2 * error)


cost = dr.Cost("lopsided", loss=lopsided, dA=lopsided_dA)
network = dr.Network(1, [dr.Dense(16, softsign), dr.Dense(1)], cost)

# %%
# Every derivative against central differences, before any training.

rng = np.random.default_rng(0)
X = rng.uniform(-3, 3, (400, 1))
Y = np.sin(X) + 0.3 * rng.normal(size=X.shape)
errors = check_gradients(network, X[:20], Y[:20])
assert max(errors.values()) < 1e-6
print("largest relative error of a derivative: below 1e-6")

# %%
# The forecast keeps above the middle, as the cost asks for.

settings = {"epochs": 150, "optimizer": dr.Adam(0.01), "engine": "reference", "verbose": False}
result = dr.train(network, X, Y, **settings)
plain = dr.train(dr.Network(1, [dr.Dense(16, softsign), dr.Dense(1)], "mse"), X, Y, **settings)
assert (result.predict(X) > plain.predict(X)).mean() > 0.9

grid = np.linspace(-3, 3, 200)[:, None]
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.scatter(X, Y, s=4, color="gray", alpha=0.5)
ax.plot(grid, result.predict(grid), label="lopsided cost")
ax.plot(grid, plain.predict(grid), label="mean squared error")
ax.legend()
plt.show()
