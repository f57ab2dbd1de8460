"""
A rare class and what errors cost
=================================

With 7 % positives, accuracy says little. Decide by what a miss and a false alarm cost.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import train_test_split

import deltarule as dr

# %%
# Machines that will fail: hot ones that also vibrate, mostly.

rng = np.random.default_rng(0)
heat, vibration, age = rng.normal(70, 10, 4000), rng.gamma(2, 1, 4000), rng.uniform(0, 20, 4000)
log_odds = -9.2 + 0.06 * heat + 0.5 * vibration + 0.1 * age
fails = rng.random(4000) < 1 / (1 + np.exp(-log_odds))
X = np.column_stack([heat, vibration, age])
X_train, X_test, y_train, y_test = train_test_split(X, fails, random_state=0, stratify=fails)

model = dr.TabularClassifier(quality="fast", random_state=0).fit(X_train, y_train)
probability = model.predict_proba(X_test)[:, 1]
print(f"share of failures: {y_test.mean():.2f}")
print(f"average precision: {average_precision_score(y_test, probability):.1f}")

# %%
# A miss costs 20, an inspection 1. Calibrated probabilities make the rule simple: inspect from 1 /
# (1 + 20) on. ``deltarule train --cost-of-miss 20 --cost-of-alarm 1`` chooses it on validation rows
# and stores it.

MISS, ALARM = 20, 1


def cost(threshold):
    alarm = probability >= threshold
    return MISS * (y_test & ~alarm).sum() + ALARM * (alarm & ~y_test).sum()


by_costs = ALARM / (ALARM + MISS)
assert cost(by_costs) < cost(0.5)
print("inspecting by costs is cheaper than inspecting from 0.5 on")

# %%
precision, recall, thresholds = precision_recall_curve(y_test, probability)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
left.plot(recall, precision)
left.set(xlabel="recall", ylabel="precision")
grid = np.linspace(0.01, 0.6, 60)
right.plot(grid, [cost(t) for t in grid])
right.axvline(by_costs, color="gray", linestyle=":", label="1 / (1 + 20)")
right.set(xlabel="threshold", ylabel="cost of 1000 machines")
right.legend()
plt.show()
