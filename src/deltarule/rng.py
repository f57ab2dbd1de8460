"""Counter-based random numbers: a dropout mask is a pure function of where it is used.

Threefry-2×32 with 20 rounds (Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as
1, 2, 3*, 2011), on uint32 alone, so that NumPy, JAX without 64-bit mode and compiled code agree
bit for bit. There is no hidden state: a mask is keyed by the seed and counted by step, layer,
position in the batch, and unit.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from deltarule.arrays import Array, checked_number

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA

Seed: TypeAlias = int | tuple[Array, Array]
"""A seed, or its two halves as uint32 scalars, for programs that take it while they run."""

SEED_LIMIT = 2**63 - 1
"""The largest seed: what every engine's 64-bit signed integer holds."""


def checked_seed(owner: str, seed: Any) -> None:
    """Refuse a seed that is not a whole number from 0 to ``2**63 - 1``.

    Raises
    ------
    SettingError
        With what was expected and got.
    """
    checked_number(owner, "seed", seed, low=0, high=SEED_LIMIT, whole=True)


def seed_words(seed: int) -> tuple[np.uint32, np.uint32]:
    """The high and the low half of a seed: what compiled programs take in its place.

    Examples
    --------
    >>> seed_words(2**32 + 5)
    (np.uint32(1), np.uint32(5))
    """
    return np.uint32(seed >> 32), np.uint32(seed & 0xFFFFFFFF)


def threefry(xp: Any, k0: Array, k1: Array, c0: Array, c1: Array) -> tuple[Array, Array]:
    """Threefry-2×32, 20 rounds: two random words from a key of two words and a counter of two.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    k0, k1, c0, c1 : uint32 arrays
        Key and counter, of shapes that broadcast.

    Returns
    -------
    tuple of two uint32 arrays
        Every bit uniform, and independent between counters.

    Examples
    --------
    The published test vector of the all-zero key and counter:

    >>> import numpy as np
    >>> zero = np.zeros(1, np.uint32)
    >>> [f"{int(word[0]):08x}" for word in threefry(np, zero, zero, zero, zero)]
    ['6b200159', '99ba4efe']
    """
    keys = (k0, k1, k0 ^ k1 ^ xp.uint32(_PARITY))
    x0, x1 = c0 + k0, c1 + k1
    for block in range(5):
        for rotation in _ROTATIONS[:4] if block % 2 == 0 else _ROTATIONS[4:]:
            x0 = x0 + x1
            x1 = (x1 << xp.uint32(rotation)) | (x1 >> xp.uint32(32 - rotation))
            x1 = x1 ^ x0
        x0 = x0 + keys[(block + 1) % 3]
        x1 = x1 + keys[(block + 2) % 3] + xp.uint32(block + 1)
    return x0, x1


def random_words(
    xp: Any, seed: Seed, step: Array, layer: int, units: int, positions: Array
) -> Array:
    """A random uint32 for every unit and position of a layer in a step.

    The seed's two halves key a first Threefry call, counted by (step, layer); its two words key
    a second, counted by (position, unit // 2), whose two words serve an even unit and the odd
    one after it.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    seed : int or tuple of two uint32 scalars
        From 0 to ``2**63 - 1``, or its halves, high and low (:func:`seed_words`).
    step : int or uint32 scalar
        The number of the step, from 0.
    layer : int
        The layer whose outputs are meant, 0 for the input.
    units : int
        n, how many units the layer has.
    positions : uint32 array, shape (m,)
        Positions in the global batch, usually 0 to m−1.

    Returns
    -------
    uint32 array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> words = random_words(np, 7, 0, 1, 3, np.arange(2, dtype=np.uint32))
    >>> words.shape, words.dtype
    ((3, 2), dtype('uint32'))
    """

    def word(value: Any) -> Array:
        if isinstance(value, int):
            value = np.uint32(value & 0xFFFFFFFF)
        return xp.asarray(value).astype(xp.uint32)[None]

    high, low = seed_words(seed) if isinstance(seed, int) else seed
    key = threefry(xp, word(high), word(low), word(step), word(layer))
    pairs = xp.arange((units + 1) // 2, dtype=xp.uint32)
    even, odd = threefry(xp, *key, positions[None, :], pairs[:, None])
    return xp.stack((even, odd), axis=1).reshape(-1, positions.shape[0])[:units]


def dropout_mask(
    xp: Any,
    rate: float,
    dtype: Any,
    seed: Seed,
    step: Array,
    layer: int,
    units: int,
    positions: Array,
) -> Array:
    """The inverted dropout mask of a layer: 0 with probability `rate`, else ``1 / (1 - rate)``.

    Parameters
    ----------
    xp, seed, step, layer, units, positions
        As in :func:`random_words`.
    rate : float
        Share of the units to drop, from 0 to below 1; :func:`dropout_threshold` draws the line.
    dtype : dtype
        The mask's dtype.

    Returns
    -------
    array, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> mask = dropout_mask(np, 0.5, np.float32, 0, 0, 1, 400, np.arange(50, dtype=np.uint32))
    >>> sorted(set(mask.ravel().tolist())), bool(abs(mask.mean() - 1) < 0.02)
    ([0.0, 2.0], True)
    """
    threshold = xp.uint32(dropout_threshold(rate))
    kept = random_words(xp, seed, step, layer, units, positions) < threshold
    return kept.astype(dtype) * xp.asarray(1.0 / (1.0 - rate), dtype=dtype)


def dropout_threshold(rate: float) -> int:
    """Units stay whose random word is below ``floor((1 - rate) · 2³²)``, at most ``2³² − 1``.

    An integer, so that every engine draws the line at the same place.

    Examples
    --------
    >>> dropout_threshold(0.5) == 2**31, dropout_threshold(1e-17) == 2**32 - 1
    (True, True)
    """
    return min(int((1.0 - rate) * 2**32), 2**32 - 1)


def row_words(seed: int, first: int, count: int) -> tuple[Array, Array]:
    """Two random words for each of some rows of a table: what they are depends on nothing else.

    This decides which rows are held out of a table that is read in blocks, whatever the blocks.
    A Threefry call keyed by the seed and counted by (0, 2³² − 1), no layer's, keys another that is
    counted by the row's number.

    Parameters
    ----------
    seed : int
    first : int
        The first row's number, from 0.
    count : int
        How many rows.

    Returns
    -------
    tuple of two uint32 arrays, shape (count,)

    Examples
    --------
    >>> bool((row_words(0, 3, 4)[0][2:] == row_words(0, 5, 2)[0]).all())
    True
    """
    high, low = (np.array([word]) for word in seed_words(seed))
    zero = np.zeros(1, np.uint32)
    key = threefry(np, high, low, zero, ~zero)
    rows = np.arange(first, first + count, dtype=np.uint64)
    return threefry(np, *key, (rows >> np.uint64(32)).astype(np.uint32), rows.astype(np.uint32))


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A NumPy generator for what is drawn on the host: its stream depends on the arguments alone.

    Parameters
    ----------
    seed : int
        From 0 to ``2**63 - 1``.
    purpose : str
        One of :data:`PURPOSES`.
    *counters : int
        Which of them: a layer, an epoch.

    Examples
    --------
    >>> one, other = (generator(0, "order", 3).permutation(9) for _ in range(2))
    >>> (one == other).all()
    np.True_
    """
    key = (PURPOSES.index(purpose), *counters)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


PURPOSES = ("initial", "order", "split", "explain", "member", "search", "bootstrap", "widths")
"""What the host draws: initial parameters, the order of an epoch, held-out rows, what is shown, the
seeds of an ensemble's further networks, the settings a search tries, the rows of the bootstrap, the
seeds of networks of interval widths."""
