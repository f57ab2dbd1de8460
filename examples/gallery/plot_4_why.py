"""
Why this prediction
===================

Each column's contribution to one prediction, from a reference row that you choose.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

import deltarule as dr

# %%
# Rents of made-up flats: area and town count, the house number does not.

rng = np.random.default_rng(0)
n = 800
area, town, number = (
    rng.uniform(25, 120, n),
    rng.choice(["Ulm", "Berlin"], n),
    rng.integers(1, 99, n),
)
rent = 9 * area + 400 * (town == "Berlin") + 30 * rng.normal(size=n)
flats = pl.DataFrame({"area": area, "town": town, "number": number})
model = dr.TabularRegressor(quality="fast", random_state=0).fit(flats, rent)

# %%
# What raises this flat's rent above that of 60 m² in Ulm? The contributions add up to the
# difference; what is left over is the residual.

row = {"area": [95.0], "town": ["Berlin"], "number": [7]}
why = model.explain_rows(row, baseline={"area": 60.0, "town": "Ulm", "number": 50})
print([name.removeprefix("contribution_") for name in why.frame.columns])
by_column = dict(zip(why.frame.columns, why.frame.row(0), strict=True))
total = sum(value for name, value in by_column.items() if name != "residual")
assert abs(total + by_column["residual"] - model.predict(row)[0]) < 1e-2
assert abs(by_column["contribution_area"] - 9 * 35) < 60
assert abs(by_column["contribution_town"] - 400) < 60

# %%
names = ["area", "town", "number"]
values = [by_column[f"contribution_{name}"] for name in names]
fig, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.barh(names[::-1], values[::-1])
ax.axvline(0, color="gray", linewidth=1)
ax.set(xlabel="contribution to the rent, in its unit")
plt.show()
