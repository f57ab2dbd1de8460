"""The notes as a program: feed forward, back propagation, gradient descent. Needs only NumPy."""

import numpy as np

ACTIVATIONS = {  # g of Z, and g' as it follows from A = g(Z)
    "relu": (lambda Z: np.maximum(Z, 0), lambda A: A > 0),
    "sigmoid": (lambda Z: 1 / (1 + np.exp(-Z)), lambda A: A * (1 - A)),
}


def train(X, Y, W, b, names, alpha):
    """Examples are columns of X and Y. Yields the cost before each step, and the new W and b."""
    layers, m = range(len(W)), X.shape[1]
    A, dW, db = {0: X}, {}, {}  # layer l reads A[l] and gives A[l + 1]
    while True:
        for l in layers:
            Z = W[l] @ A[l] + b[l]  # Eq. 1a
            A[l + 1] = a = ACTIVATIONS[names[l]][0](Z)  # Eq. 1b
        cost = -np.sum(Y * np.log(a) + (1 - Y) * np.log(1 - a)) / m  # Eq. 2c
        dA = (1 - Y) / (1 - a) - Y / a
        for l in reversed(layers):
            delta = dA * ACTIVATIONS[names[l]][1](A[l + 1])  # Eq. 11a, Eq. 9
            dW[l] = delta @ A[l].T / m  # Eq. 11b
            db[l] = np.sum(delta, axis=1, keepdims=True) / m  # Eq. 11c
            dA = W[l].T @ delta  # Eq. 11d
        W = [W[l] - alpha * dW[l] for l in layers]  # Eq. 3a
        b = [b[l] - alpha * db[l] for l in layers]  # Eq. 3b
        yield cost, W, b


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X, noise = rng.standard_normal((5, 100)), rng.standard_normal((1, 100))
    Y, W = X[:1] + noise > 0, [rng.standard_normal(shape) for shape in ((4, 5), (3, 4), (1, 3))]
    b = [np.zeros((len(w), 1)) for w in W]
    steps = train(X, Y.astype(float), W, b, ["relu", "relu", "sigmoid"], alpha=0.1)
    for step, (cost, _, _) in zip(range(50), steps, strict=False):
        print(f"step {step + 1}: cost {cost:.6f}")
