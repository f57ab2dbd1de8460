"""Counter-based random numbers: published vectors, independence, the same on every engine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deltarule.rng import dropout_mask, generator, random_words, threefry


def words(*values):
    return [np.array([v], np.uint32) for v in values]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # the known-answer vectors of Random123, 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_vectors(key, counter, expected):
    found = threefry(np, *words(*key), *words(*counter))
    assert tuple(int(word[0]) for word in found) == expected


def test_a_word_depends_on_nothing_but_its_place():
    """Not on how many units or examples stand beside it."""
    positions = np.arange(10, dtype=np.uint32)
    whole = random_words(np, 5, 3, 1, 7, positions)
    assert (random_words(np, 5, 3, 1, 4, positions) == whole[:4]).all()
    assert (random_words(np, 5, 3, 1, 7, positions[4:]) == whole[:, 4:]).all()


@pytest.mark.parametrize("other", [(6, 3, 1), (5, 4, 1), (5, 3, 2), (5 + 2**40, 3, 1)])
def test_seed_step_and_layer_all_count(other):
    positions = np.arange(10, dtype=np.uint32)
    one = random_words(np, 5, 3, 1, 7, positions)
    assert (random_words(np, *other, 7, positions) != one).mean() > 0.95


def test_the_same_bits_on_jax_with_and_without_64_bits():
    positions = np.arange(6, dtype=np.uint32)
    ours = random_words(np, 2**50 + 3, 2**31 + 1, 2, 5, positions)
    for wide in (False, True):
        with jax.enable_x64(wide):
            theirs = random_words(jnp, 2**50 + 3, 2**31 + 1, 2, 5, jnp.asarray(positions))
            assert theirs.dtype == jnp.uint32
            np.testing.assert_array_equal(np.asarray(theirs), ours)
            traced = jax.jit(lambda step, p: random_words(jnp, 2**50 + 3, step, 2, 5, p))(
                np.uint32(2**31 + 1), positions
            )
            np.testing.assert_array_equal(np.asarray(traced), ours)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_mask_drops_its_share_and_keeps_the_mean(rate):
    mask = dropout_mask(np, rate, np.float64, 0, 0, 1, 301, np.arange(1000, dtype=np.uint32))
    assert set(np.unique(mask)) == {0.0, 1 / (1 - rate)}
    assert (mask == 0).mean() == pytest.approx(rate, abs=0.005)
    assert mask.mean() == pytest.approx(1, abs=0.02)
    per_unit, per_example = (mask == 0).mean(axis=1), (mask == 0).mean(axis=0)
    assert abs(per_unit - rate).max() < 0.08
    assert abs(per_example - rate).max() < 0.15


def test_the_smallest_rate_keeps_everything():
    mask = dropout_mask(np, 1e-18, np.float32, 0, 0, 1, 30, np.arange(30, dtype=np.uint32))
    assert (mask == 1).all()


def test_neighbours_are_uncorrelated():
    mask = dropout_mask(np, 0.5, np.float64, 1, 1, 1, 400, np.arange(400, dtype=np.uint32)) - 1
    for shifted in (mask[1:] * mask[:-1], mask[:, 1:] * mask[:, :-1], mask[2:] * mask[:-2]):
        assert abs(shifted.mean()) < 0.01


def test_host_generators_depend_on_purpose_and_counters():
    draws = {
        name: generator(*arguments).integers(2**62)
        for name, arguments in {
            "initial 1": (0, "initial", 1),
            "initial 2": (0, "initial", 2),
            "order 1": (0, "order", 1),
            "other seed": (1, "initial", 1),
        }.items()
    }
    assert len(set(draws.values())) == len(draws)
    assert generator(0, "initial", 1).integers(2**62) == draws["initial 1"]
