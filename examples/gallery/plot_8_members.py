"""
Ensembles and members
=====================

Several networks average out what is chance in each; members share most of their weights and cost
less.
"""

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr

# %%
# 200 noisy rows of a product of two columns.

rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (1200, 4))
y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2])
noisy = y + 0.5 * rng.normal(size=y.size)
settings = {"epochs": 60, "hidden": (64, 64), "random_state": 0}


def rmse(**own):
    model = dr.TabularRegressor(**settings, **own).fit(X[:200], noisy[:200])
    return float(np.sqrt(np.mean((model.predict(X[200:]) - y[200:]) ** 2)))


errors = {
    "one network": rmse(n_ensemble=1),
    "8 members": rmse(n_ensemble=1, n_members=8),
    "5 networks": rmse(n_ensemble=5),
}
assert errors["5 networks"] < errors["one network"]
print("five networks averaged are better than one")

# %%
fig, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.barh(list(errors)[::-1], list(errors.values())[::-1])
ax.set(xlabel="root mean squared error without the noise")
plt.show()
