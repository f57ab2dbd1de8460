"""
A surrogate model with its derivatives
======================================

A network stands in for a slow simulation, and its exact Jacobian finds the optimum.
"""

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr

# %%
# The "simulation": yield of a reaction by temperature and time, scaled to ±1. Assume that each run
# takes an hour.


def simulated(X):
    return np.exp(-((X[:, :1] - 0.3) ** 2 + 2 * (X[:, 1:] + 0.2) ** 2 + X[:, :1] * X[:, 1:]))


X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
network = dr.Network(2, [dr.Dense(32, "tanh"), dr.Dense(32, "tanh"), dr.Dense(1)], cost="mse")
result = dr.train(
    network, X, simulated(X), epochs=400, optimizer=dr.Adam(0.005), dtype="float64", verbose=False
)

# %%
# The Jacobian is back propagation carried down to the inputs (Eq. 11d), not a difference of two
# predictions.

surrogate = dr.start(network, parameters=result.parameters, dtype="float64")
x = np.array([[-0.8, 0.8]])
path = [x.copy()]
for _ in range(60):
    x = x + 0.2 * surrogate.jacobian(x)[:, 0, :]
    path.append(x.copy())
path = np.concatenate(path)

grid = np.stack(np.meshgrid(np.linspace(-1, 1, 81), np.linspace(-1, 1, 81)), axis=-1)
true = simulated(grid.reshape(-1, 2)).reshape(81, 81)
best = grid.reshape(-1, 2)[true.argmax()]
assert np.abs(path[-1] - best).max() < 0.1
print("the surrogate's optimum is within 0.1 of the simulation's")

# %%
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.contourf(grid[..., 0], grid[..., 1], true, levels=15)
ax.plot(*path.T, "w.-", markersize=4, linewidth=1)
ax.plot(*best, "r+", markersize=12)
ax.set(xlabel="temperature", ylabel="time")
plt.show()
