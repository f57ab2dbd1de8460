"""
How sure, for each row
======================

Prediction intervals whose width follows the row, and how many new rows they cover.
"""

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr

# %%
# The noise grows from left to right.

rng = np.random.default_rng(0)
x = rng.uniform(0, 10, 1500)
y = 3 * np.sin(x) + (0.2 + 0.25 * x) * rng.normal(size=x.size)
model = dr.TabularRegressor(quality="fast", random_state=0).fit(x[:, None], y)

grid = np.linspace(0, 10, 200)[:, None]
ends = model.predict_interval(grid, 0.9)
width = ends[:, 1] - ends[:, 0]
assert width[-40:].mean() > 2 * width[:40].mean()

# %%
# Of new rows, about nine in ten lie inside.

x_new = rng.uniform(0, 10, 2000)
y_new = 3 * np.sin(x_new) + (0.2 + 0.25 * x_new) * rng.normal(size=x_new.size)
low, high = model.predict_interval(x_new[:, None], 0.9).T
covered = ((low <= y_new) & (y_new <= high)).mean()
assert 0.85 < covered < 0.95
print("85 to 95 % of 2000 new rows lie within their 90 % interval")

# %%
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.scatter(x, y, s=4, color="gray", alpha=0.5)
ax.plot(grid, model.predict(grid))
ax.fill_between(grid[:, 0], *ends.T, alpha=0.25, label="90 % interval")
ax.set(xlabel="x", ylabel="y")
ax.legend(loc="lower left")
plt.show()
