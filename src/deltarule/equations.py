"""The source's equations, one function each: feed forward above, back propagation beneath.

The legend, once. ``m`` examples stand in columns; a layer has ``n`` units, the one before it
``n_prev``::

    A_prev          (n_prev, m)   activations of the layer before; A[0] is the input
    W, b            (n, n_prev), (n, 1)
    Z, A            (n, m)        weighted input, activation
    dA, delta       (n, m)        derivatives of the summed loss: no 1/m
    dW, db          (n, n_prev), (n, 1)   derivatives of the cost: here, and only here, 1/m

Every function takes and returns arrays of NumPy or of JAX, of any real dtype, and keeps it.
``m`` is the number of examples, or the sum of their weights where they have any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deltarule.arrays import Array, namespace

# ---------------------------------------------------------------------------- feed forward


def weighted_input(W: Array, A_prev: Array, b: Array) -> Array:
    """Eq. 1a: ``Z = W A_prev + b``.

    Parameters
    ----------
    W : array, shape (n, n_prev)
    A_prev : array, shape (n_prev, m)
    b : array, shape (n, 1)

    Returns
    -------
    array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> weighted_input(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([[0.5]]))
    array([[11.5]])
    """
    return W @ A_prev + b


def activation(g: Callable[[Array], Array], Z: Array) -> Array:
    """Eq. 1b: ``A = g(Z)``.

    Parameters
    ----------
    g : function
        An activation, of an array to an array of its shape.
    Z : array, shape (n, m)

    Returns
    -------
    array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> activation(np.tanh, np.array([[0.0]]))
    array([[0.]])
    """
    return g(Z)


def cost(loss: Array, s: Array | None = None) -> Array:
    """Eq. 2: the cost is the average of the examples' losses, weighted by `s` if given.

    Parameters
    ----------
    loss : array, shape (m,)
        The loss of each example: a row of :mod:`deltarule.costs` gives it (Eq. 2a, 2b, 2c …).
    s : array, shape (m,), optional
        Weights of the examples.

    Returns
    -------
    scalar

    Examples
    --------
    >>> import numpy as np
    >>> float(cost(np.array([1.0, 4.0]))), float(cost(np.array([1.0, 4.0]), np.array([3.0, 1.0])))
    (2.5, 1.75)
    """
    if s is None:
        return loss.mean()
    return (s * loss).sum() / s.sum()


def network_output(
    Ws: Sequence[Array], bs: Sequence[Array], gs: Sequence[Callable[[Array], Array]], A0: Array
) -> Array:
    """Eq. 5a: the output of the whole network, layer within layer (with the biases).

    Parameters
    ----------
    Ws, bs : sequences of arrays, shapes (n[l], n[l-1]) and (n[l], 1)
    gs : sequence of functions
    A0 : array, shape (n[0], m)

    Returns
    -------
    array, shape (n[L], m)

    Examples
    --------
    >>> import numpy as np
    >>> W, b = np.array([[2.0]]), np.array([[1.0]])
    >>> network_output([W, W], [b, b], [abs, abs], np.array([[1.0]]))
    array([[7.]])
    """
    A = A0
    for W, b, g in zip(Ws, bs, gs, strict=True):
        A = activation(g, weighted_input(W, A, b))
    return A


# ------------------------------------------------------------------------ gradient descent


def descend(W: Array, dW: Array, alpha: Array) -> Array:
    """Eq. 3a and 3b: ``W − α dW``; ``b`` likewise.

    Parameters
    ----------
    W, dW : arrays of one shape
        A parameter and the derivative of the cost by it.
    alpha : scalar
        The learning rate.

    Returns
    -------
    array, of the parameter's shape

    Examples
    --------
    >>> import numpy as np
    >>> descend(np.array([1.0]), np.array([0.5]), 0.1)
    array([0.95])
    """
    return W - alpha * dW


# --------------------------------------------------- the chain rule, spelled out (Eq. 4 to 9)
# Explicit Jacobians: the value's axes first, then those of what it is derived by. They are as
# large as they look, meant for tests and pages; training uses Eq. 10 and 11, their contraction.


def dZ_dW(A_prev: Array, n: int) -> Array:
    """Eq. 6: ``∂Z[i,j] / ∂W[p,q]`` is ``A_prev[q,j]`` where i = p, else 0.

    Parameters
    ----------
    A_prev : array, shape (n_prev, m)
    n : int
        Units of the layer.

    Returns
    -------
    array, shape (n, m, n, n_prev)

    Examples
    --------
    >>> import numpy as np
    >>> dZ_dW(np.array([[3.0], [4.0]]), 1)
    array([[[[3., 4.]]]])
    """
    xp = namespace(A_prev)
    return xp.einsum("ip,qj->ijpq", xp.eye(n, dtype=A_prev.dtype), A_prev)


def dZ_db(n: int, A_prev: Array) -> Array:
    """Eq. 7: ``∂Z[i,j] / ∂b[p]`` is 1 where i = p, else 0: the source's column of ones.

    Parameters
    ----------
    n : int
        Units of the layer.
    A_prev : array, shape (n_prev, m)
        Gives m and the dtype.

    Returns
    -------
    array, shape (n, m, n)

    Examples
    --------
    >>> import numpy as np
    >>> dZ_db(1, np.zeros((5, 2)))
    array([[[1.],
            [1.]]])
    """
    xp = namespace(A_prev)
    ones = xp.ones((A_prev.shape[1],), dtype=A_prev.dtype)
    return xp.einsum("ip,j->ijp", xp.eye(n, dtype=A_prev.dtype), ones)


def dZ_dA_prev(W: Array, m: int) -> Array:
    """Eq. 8: ``∂Z[i,j] / ∂A_prev[q,k]`` is ``W[i,q]`` where j = k, else 0.

    Parameters
    ----------
    W : array, shape (n, n_prev)
    m : int
        Number of examples.

    Returns
    -------
    array, shape (n, m, n_prev, m)

    Examples
    --------
    >>> import numpy as np
    >>> dZ_dA_prev(np.array([[3.0, 4.0]]), 1)
    array([[[[3.],
             [4.]]]])
    """
    xp = namespace(W)
    return xp.einsum("iq,jk->ijqk", W, xp.eye(m, dtype=W.dtype))


def dA_dZ(g_prime_Z: Array) -> Array:
    """Eq. 9: ``∂A[i,j] / ∂Z[p,k]`` is ``g'(Z)[i,j]`` on the diagonal, else 0.

    Parameters
    ----------
    g_prime_Z : array, shape (n, m)
        g'(Z) of an elementwise activation.

    Returns
    -------
    array, shape (n, m, n, m)

    Examples
    --------
    >>> import numpy as np
    >>> dA_dZ(np.array([[0.25]]))
    array([[[[0.25]]]])
    """
    xp = namespace(g_prime_Z)
    n, m = g_prime_Z.shape
    eye_n, eye_m = (xp.eye(size, dtype=g_prime_Z.dtype) for size in (n, m))
    return xp.einsum("ij,ip,jk->ijpk", g_prime_Z, eye_n, eye_m)


def softmax_dA_dZ(A: Array) -> Array:
    """Eq. 9 for softmax: ``A[i,j] (1 where i = p, less A[p,j])`` where j = k, else 0.

    Parameters
    ----------
    A : array, shape (n, m)
        The softmax's output.

    Returns
    -------
    array, shape (n, m, n, m)

    Examples
    --------
    >>> import numpy as np
    >>> softmax_dA_dZ(np.array([[0.5], [0.5]]))[:, 0, :, 0]
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    xp = namespace(A)
    n, m = A.shape
    block = xp.einsum("ij,ip->ijp", A, xp.eye(n, dtype=A.dtype)) - xp.einsum("ij,pj->ijp", A, A)
    return xp.einsum("ijp,jk->ijpk", block, xp.eye(m, dtype=A.dtype))


def delta_by_chain(dA: Array, dA_dZ: Array) -> Array:
    """Eq. 4a: ``δ = dA · ∂A/∂Z``.

    Parameters
    ----------
    dA : array, shape (n, m)
    dA_dZ : array, shape (n, m, n, m)
        Eq. 9.

    Returns
    -------
    array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> delta_by_chain(np.array([[2.0]]), dA_dZ(np.array([[0.25]])))
    array([[0.5]])
    """
    return namespace(dA).einsum("ij,ijpk->pk", dA, dA_dZ)


def dW_by_chain(delta: Array, dZ_dW: Array, m: Array) -> Array:
    """Eq. 4b: ``dC/dW = δ · dZ/dW``, averaged over the examples.

    Parameters
    ----------
    delta : array, shape (n, m)
    dZ_dW : array, shape (n, m, n, n_prev)
        Eq. 6.
    m : int or scalar
        Number (or weight) of the examples.

    Returns
    -------
    array, shape (n, n_prev)

    Examples
    --------
    >>> import numpy as np
    >>> dW_by_chain(np.array([[2.0]]), dZ_dW(np.array([[3.0]]), 1), 1)
    array([[6.]])
    """
    return namespace(delta).einsum("ij,ijpq->pq", delta, dZ_dW) / m


def db_by_chain(delta: Array, dZ_db: Array, m: Array) -> Array:
    """Eq. 4c: ``dC/db = δ · dZ/db``, averaged over the examples.

    Parameters
    ----------
    delta : array, shape (n, m)
    dZ_db : array, shape (n, m, n)
        Eq. 7.
    m : int or scalar
        Number (or weight) of the examples.

    Returns
    -------
    array, shape (n, 1)

    Examples
    --------
    >>> import numpy as np
    >>> db_by_chain(np.array([[2.0, 4.0]]), dZ_db(1, np.zeros((5, 2))), 2)
    array([[3.]])
    """
    return namespace(delta).einsum("ij,ijp->p", delta, dZ_db)[:, None] / m


def dA_prev_by_chain(delta: Array, dZ_dA_prev: Array) -> Array:
    """Eq. 4d: ``dA_prev = δ · ∂Z/∂A_prev`` (the source prints ∂Z/∂W by mistake).

    Parameters
    ----------
    delta : array, shape (n, m)
    dZ_dA_prev : array, shape (n, m, n_prev, m)
        Eq. 8.

    Returns
    -------
    array, shape (n_prev, m)

    Examples
    --------
    >>> import numpy as np
    >>> dA_prev_by_chain(np.array([[2.0]]), dZ_dA_prev(np.array([[3.0]]), 1))
    array([[6.]])
    """
    return namespace(delta).einsum("ij,ijqk->qk", delta, dZ_dA_prev)


def input_gradient(Ws: Sequence[Array], dA_dZs: Sequence[Array], dA: Array) -> Array:
    """Eq. 5b: ``W[1]ᵀ g'[1] … W[L]ᵀ g'[L] dA[L]``: the gradient at the input, in one product.

    Parameters
    ----------
    Ws : sequence of arrays, shapes (n[l], n[l-1])
    dA_dZs : sequence of arrays, shapes (n[l], m, n[l], m)
        Eq. 9 of each layer: the source's g'[l], which is a diagonal matrix, not a vector.
    dA : array, shape (n[L], m)
        The gradient of the summed loss at the output.

    Returns
    -------
    array, shape (n[0], m)

    Examples
    --------
    >>> import numpy as np
    >>> W1, W2, g_prime = np.array([[3.0]]), np.array([[4.0]]), dA_dZ(np.array([[0.5]]))
    >>> input_gradient([W1, W2], [g_prime, g_prime], np.array([[1.0]]))
    array([[3.]])
    """
    for W, jacobian in zip(reversed(Ws), reversed(dA_dZs), strict=True):
        dA = W.T @ delta_by_chain(dA, jacobian)
    return dA


# ------------------------------------------------- back propagation (Eq. 10, 11 and 12 alike)
# Eq. 10 writes them for layer L, Eq. 11 for any layer, Eq. 12 in the short notation used here.


def delta(dA: Array, g_prime_Z: Array) -> Array:
    """Eq. 10a, 11a: ``δ = dA ⊙ g'(Z)``, for an elementwise activation.

    Parameters
    ----------
    dA, g_prime_Z : arrays, shape (n, m)

    Returns
    -------
    array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> delta(np.array([[2.0]]), np.array([[0.25]]))
    array([[0.5]])
    """
    return dA * g_prime_Z


def softmax_delta(dA: Array, A: Array) -> Array:
    """Eq. 10a for softmax, whose Jacobian is not diagonal: ``δ = A ⊙ (dA − Σ A ⊙ dA)``.

    Parameters
    ----------
    dA, A : arrays, shape (n, m)
        The sum runs over the units, example by example.

    Returns
    -------
    array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> softmax_delta(np.array([[1.0], [0.0]]), np.array([[0.5], [0.5]]))
    array([[ 0.25],
           [-0.25]])
    """
    return A * (dA - (A * dA).sum(axis=0, keepdims=True))


def dW(delta: Array, A_prev: Array, m: Array) -> Array:
    """Eq. 10b, 11b: ``dW = (1/m) δ A_prevᵀ``.

    Parameters
    ----------
    delta : array, shape (n, m)
    A_prev : array, shape (n_prev, m)
    m : int or scalar
        Number (or weight) of the examples.

    Returns
    -------
    array, shape (n, n_prev)

    Examples
    --------
    >>> import numpy as np
    >>> dW(np.array([[2.0, 4.0]]), np.array([[1.0, 0.5]]), 2)
    array([[2.]])
    """
    return delta @ A_prev.T / m


def db(delta: Array, m: Array) -> Array:
    """Eq. 10c, 11c: ``db = (1/m) Σ δ``, over the columns (the source prints ``axis=0``).

    Parameters
    ----------
    delta : array, shape (n, m)
    m : int or scalar
        Number (or weight) of the examples.

    Returns
    -------
    array, shape (n, 1)

    Examples
    --------
    >>> import numpy as np
    >>> db(np.array([[2.0, 4.0]]), 2)
    array([[3.]])
    """
    return delta.sum(axis=1, keepdims=True) / m


def dA_prev(W: Array, delta: Array) -> Array:
    """Eq. 10d, 11d: ``dA_prev = Wᵀ δ``: what the layer before needs.

    Parameters
    ----------
    W : array, shape (n, n_prev)
    delta : array, shape (n, m)

    Returns
    -------
    array, shape (n_prev, m)

    Examples
    --------
    >>> import numpy as np
    >>> dA_prev(np.array([[3.0, 4.0]]), np.array([[0.5]]))
    array([[1.5],
           [2. ]])
    """
    return W.T @ delta
