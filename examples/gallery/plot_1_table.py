"""
A table, end to end
===================

Train on patients, evaluate on others, save, load and predict.
"""

import matplotlib.pyplot as plt
import polars as pl
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import deltarule as dr

# %%
# 442 patients, ten measurements each. The target is how far the disease progressed in a year. No
# scaling or encoding is needed: the estimator does it and stores it.

data = load_diabetes(scaled=False)
table = pl.DataFrame(data.data, schema=data.feature_names)
X_train, X_test, y_train, y_test = train_test_split(
    table, data.target, test_size=100, random_state=0
)

model = dr.TabularRegressor(random_state=0).fit(X_train, y_train)
print(f"R² on 100 other patients: {model.score(X_test, y_test):.1f}")

# %%
# A saved model is one file with the preprocessing inside.

model.save("patients.safetensors")
again = dr.load("patients.safetensors")
predicted = again.predict(X_test)
assert (predicted == model.predict(X_test)).all()

# %%
# Points on the line are exact predictions.

fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.scatter(predicted, y_test, s=12)
ax.axline((150, 150), slope=1, color="gray", linewidth=1)
ax.set(xlabel="predicted progression", ylabel="true progression")
plt.show()
