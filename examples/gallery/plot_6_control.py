"""
A control loop that learns
==========================

A pendulum on its head: a model learns how it moves, and a controller learns through the model's
Jacobian.
"""

import matplotlib.pyplot as plt
import numpy as np

import deltarule as dr

model = dr.start(dr.Network(3, [dr.Dense(32, "tanh"), dr.Dense(2)]), optimizer=dr.Adam(3e-3))
controller = dr.Network(2, [dr.Dense(16, "tanh"), dr.Dense(1, "tanh")])
control = dr.start(controller, optimizer=dr.Adam(1e-3), seed=1)

# %%
# Angle 0 is upright; gravity pulls the pendulum over. A torque between -1 and 1 can hold it.


def moved(angle, speed, torque):
    speed += 0.05 * (9.81 * np.sin(angle) - 0.1 * speed + 15.0 * torque)
    return angle + 0.05 * speed, speed


# %%
# ``step`` trains the model from each move. ``step_from`` trains the controller from a derivative of
# your own: that of the cost with respect to the torque, through the model.

rng, scale = np.random.default_rng(0), np.array([0.1, 1.0], np.float32)


def episode(state, learns):
    angles = []
    for _ in range(100):
        seen = np.array([state], np.float32)
        torque = float(control.predict(seen)[0, 0]) + (0.3 * rng.standard_normal() if learns else 0)
        x = np.array([[*state, np.clip(torque, -1, 1)]], np.float32)
        state = moved(*state, float(x[0, 2]))
        angles.append(state[0])
        if learns:
            model.step(x, ((np.array(state) - seen) / scale).astype(np.float32))
            by_torque = model.jacobian(x)[0, :, 2] * scale
            s = state[1] + 3 * state[0]  # 0 where the pendulum falls to rest upright
            dA = 2 * s * (by_torque[1] + 3 * by_torque[0])
            control.step_from(seen, np.array([[dA]], np.float32))
    return np.array(angles)


begins = rng.uniform(-1, 1, (8, 2))
before = [episode(begin, learns=False) for begin in begins]
for begin in rng.uniform(-1, 1, (80, 2)):
    episode(begin, learns=True)
after = [episode(begin, learns=False) for begin in begins]
assert max(abs(angles[-1]) for angles in after) < 0.1 < max(abs(angles[-1]) for angles in before)
print("after 80 episodes the pendulum stands, from every start")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for ax, runs, title in ((left, before, "before"), (right, after, "after 80 episodes")):
    for angles in runs:
        ax.plot(np.clip(angles, -4, 4))
    ax.set(title=title, xlabel="move")
left.set(ylabel="angle")
plt.show()
