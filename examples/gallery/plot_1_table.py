"""
A table, end to end
===================

Train on patients, evaluate on others, save, load and predict.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import deltarule as dr

# %%
# 442 patients, ten measurements each. The target is how far the disease progressed in a year. No
# scaling or encoding is needed: the estimator does it and stores it.

table = load_diabetes(scaled=False, as_frame=True).frame
train, test = train_test_split(table, test_size=100, random_state=0)
features = [column for column in table if column != "target"]

model = dr.TabularRegressor(random_state=0).fit(train[features], train["target"])
print(f"R² on 100 other patients: {model.score(test[features], test['target']):.1f}")

# %%
# A saved model is one file with the preprocessing inside.

model.save("patients.safetensors")
again = dr.load("patients.safetensors")
predicted = again.predict(test[features])
assert (predicted == model.predict(test[features])).all()

# %%
# Points on the line are exact predictions.

fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.scatter(predicted, test["target"], s=12)
ax.axline((150, 150), slope=1, color="gray", linewidth=1)
ax.set(xlabel="predicted progression", ylabel="true progression")
plt.show()
