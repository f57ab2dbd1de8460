"""
A classroom hour
================

One training step with every number, a worksheet to work it out by hand, and what many steps do.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr
from deltarule import explain

# %%
# **Work it out.** Two rows and a network 2-2-1. Each student gets other numbers. The key has the
# arithmetic of every box; the spreadsheet recomputes all of them.

sheet = explain.worksheet(7, (2, 2, 1))
content = {each.key: each.values for each in sheet.quantities}
print("Z[1] =", content["Z1"].tolist())
print("A[1] =", content["A1"].tolist())
Path("worksheet.xlsx").write_bytes(explain.spreadsheet(sheet))

# %%
# **Many steps.** XOR from four starts. Two hidden units can solve it, but from none of these starts
# in 300 steps; with eight, each start succeeds. ``deltarule explain --playground`` shows it live.

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
settings = {"batch_size": 4, "epochs": 300, "optimizer": dr.Adam(0.03), "engine": "reference"}

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for units, color in ((2, "tab:orange"), (8, "tab:blue")):
    layers = [dr.Dense(units, "tanh"), dr.Dense(1, "sigmoid")]
    network = dr.Network(2, layers, "binary_cross_entropy")
    for seed in range(4):
        run = dr.train(network, X, Y, seed=seed, verbose=False, **settings)
        label = f"{units} hidden units" if seed == 0 else None
        ax.plot(run.history["cost"], color=color, label=label)
    print(f"{units} hidden units, the last start: final cost {run.history['cost'][-1]:.1f}")
ax.set(xlabel="step", ylabel="cost")
ax.legend()
plt.show()
