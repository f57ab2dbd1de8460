"""
C for a microcontroller
=======================

A trained network becomes one C99 file without allocation. It is compiled here, and gives the same
numbers.
"""

import ctypes
import shutil
import subprocess

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr
from deltarule.export import save_c
from deltarule.modelfile import Model

# %%
# A sensor's curve, learned from 60 calibrated readings.

rng = np.random.default_rng(0)
voltage = rng.uniform(0, 1, (60, 1))
degrees = 2 * np.log(0.2 + voltage) + 0.02 * rng.normal(size=voltage.shape)
network = dr.Network(1, [dr.Dense(8, "tanh"), dr.Dense(1)], cost="mse")
result = dr.train(network, voltage, degrees, epochs=400, optimizer=dr.Adam(0.01), verbose=False)

made = save_c("sensor.c", Model(network, result.parameters))
print(f"{made.flash} bytes of flash, {made.ram} bytes of RAM")

# %%
# Compiled as a library, if there is a C compiler. On a microcontroller ``sensor_predict(x, y)`` is
# called as it is.

grid = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
expected = result.predict(grid)
compiler = shutil.which("cc")
if compiler:
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "sensor.c", "-o", "./sensor.so", "-lm"], check=True
    )
    predict = ctypes.CDLL("./sensor.so").sensor_predict
    pointer = ctypes.POINTER(ctypes.c_float)
    found = np.empty_like(expected)
    for x, y in zip(grid, found, strict=True):
        predict(x.ctypes.data_as(pointer), y.ctypes.data_as(pointer))
    assert np.abs(found - expected).max() < 1e-5

# %%
fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
ax.scatter(voltage, degrees, s=8, color="gray", label="calibration")
ax.plot(grid, expected, label="network, in C and in Python")
ax.set(xlabel="voltage", ylabel="temperature")
ax.legend()
plt.show()
