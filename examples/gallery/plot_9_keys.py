"""
One model per key
=================

Every store reacts to its price in its own way. A small network for each is trained in one call.
"""

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr

# %%
# Twelve stores, 120 days each.

rng = np.random.default_rng(0)
stores = [f"store {i:02}" for i in range(12)]
store, price = np.repeat(stores, 120), rng.uniform(1, 3, 12 * 120)
slope = dict(zip(stores, rng.uniform(-30, 5, 12), strict=True))
sold = 80 + np.array([slope[s] for s in store]) * price + 3 * rng.normal(size=price.size)

models = dr.train_by_key({"store": store, "price": price, "sold": sold}, "sold", "store")
assert not models.failures

# %%
# Prices from 1 to 3, by store.

grid = np.linspace(1, 3, 20)
table = {"store": np.repeat(stores, 20), "price": np.tile(grid, 12)}
lines = models.predict(table)["sold"].to_numpy().reshape(12, 20)
found = (lines[:, -1] - lines[:, 0]) / 2
assert np.corrcoef(found, list(slope.values()))[0, 1] > 0.9
print("the learned slopes follow the true ones")

# %%
fig, axes = plt.subplots(3, 4, figsize=(8, 5), sharex=True, sharey=True, layout="constrained")
for ax, name, line in zip(axes.flat, stores, lines, strict=True):
    here = store == name
    ax.scatter(price[here], sold[here], s=2, color="gray")
    ax.plot(grid, line)
    ax.set_title(name, fontsize=8)
fig.supxlabel("price")
fig.supylabel("sold")
plt.show()
