"""The tests, tested: each equation is corrupted in turn, and a named test must notice.

A mutation says what is corrupted, how, and which test has to fail; the test is run here with the
corruption in place. Were one to pass, the tests would be too weak.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from deltarule import network as network_module
from deltarule.activations import ACTIVATIONS
from deltarule.arrays import namespace
from deltarule.checks import check_all
from deltarule.costs import COSTS, Pair
from deltarule.optimizers import Adam

from . import (
    test_engine,
    test_equations,
    test_gradients,
    test_optimizers,
    test_tables,
    test_worked_example,
)


class Mutation(NamedTuple):
    """What is corrupted (a dotted name, or a row of a table), how, and the test that must fail."""

    name: str
    target: Any
    corrupted: Any
    test: Callable[..., None]
    arguments: tuple[Any, ...] = ()


EQ = "deltarule.equations."
STEP = "deltarule.engines.step."
original_delta = network_module.output_delta
original_back = network_module.back_propagate
adam_update = Adam.update


def rng():
    return np.random.default_rng(0)


def mean_twice(network, output, Y, s):
    return original_delta(network, output, Y, s) / Y.shape[1]


def without_weights(network, output, Y, s):
    return original_delta(network, output, Y, None)


def masks_forward_only(network, parameters, caches, delta, m, masks=None, observe=None):
    return original_back(network, parameters, caches, delta, m, None, observe)


def softmax_over_examples(dA, A):
    return A * (dA - (A * dA).sum(axis=1, keepdims=True))


def row(table, name, **changes):
    """A row of a table, and a corrupted copy."""
    return (table, name), replace(table(name), **changes)


turned_round = Pair(COSTS("categorical_cross_entropy").fused["softmax"].loss, lambda Z, A, Y: Y - A)
by_hand = test_worked_example.test_backward
by_contraction = test_equations.test_the_explicit_jacobians_contract_to_eq_10

MUTATIONS = [
    Mutation(
        "1a without its bias",
        EQ + "weighted_input",
        lambda W, A_prev, b: W @ A_prev,
        test_equations.test_weighted_input_is_its_sum,
        (rng(),),
    ),
    Mutation(
        "2 summed, not averaged",
        EQ + "cost",
        lambda loss, s=None: loss.sum(),
        test_equations.test_cost_is_the_weighted_mean,
        (rng(),),
    ),
    Mutation(
        "3 uphill",
        EQ + "descend",
        lambda W, dW, alpha: W + alpha * dW,
        test_worked_example.test_update,
    ),
    Mutation("10a with its sign flipped", EQ + "delta", lambda dA, g: -dA * g, by_hand),
    Mutation("10a without g'", EQ + "delta", lambda dA, g: dA, by_hand),
    Mutation(
        "10a elementwise for softmax",
        *row(ACTIVATIONS, "softmax", mixed_delta=lambda dA, A: dA * A * (1 - A)),
        by_contraction,
        ("softmax", rng()),
    ),
    Mutation(
        "10a for softmax, summed over examples",
        *row(ACTIVATIONS, "softmax", mixed_delta=softmax_over_examples),
        by_contraction,
        ("softmax", rng()),
    ),
    Mutation(
        "a fused pair turned round: Y − A",
        *row(COSTS, "categorical_cross_entropy", fused={"softmax": turned_round}),
        test_gradients.test_example_weights,
        ("softmax", "categorical_cross_entropy"),
    ),
    Mutation("10b without 1/m", EQ + "dW", lambda delta, A_prev, m: delta @ A_prev.T, by_hand),
    Mutation(
        "10b with 1/m twice", EQ + "dW", lambda delta, A_prev, m: delta @ A_prev.T / m**2, by_hand
    ),
    Mutation(
        "10b the wrong way round: A_prev δᵀ",
        EQ + "dW",
        lambda delta, A_prev, m: A_prev @ delta.T / m,
        test_equations.test_dW_is_its_sum,
        (rng(),),
    ),
    Mutation(
        "12's second line as printed: A_prevᵀ δ",
        EQ + "dW",
        lambda delta, A_prev, m: A_prev.T @ delta / m,
        by_hand,
    ),
    Mutation(
        "10c as printed: axis=0",
        EQ + "db",
        lambda delta, m: delta.sum(axis=0, keepdims=True) / m,
        by_hand,
    ),
    Mutation(
        "10c without 1/m", EQ + "db", lambda delta, m: delta.sum(axis=1, keepdims=True), by_hand
    ),
    Mutation(
        "10c with 1/m twice",
        EQ + "db",
        lambda delta, m: delta.sum(axis=1, keepdims=True) / m**2,
        by_hand,
    ),
    Mutation("10d untransposed: W δ", EQ + "dA_prev", lambda W, delta: W @ delta, by_hand),
    Mutation("10d with its sign flipped", EQ + "dA_prev", lambda W, delta: -W.T @ delta, by_hand),
    Mutation(
        "10d with a 1/m of its own",
        EQ + "dA_prev",
        lambda W, delta: W.T @ delta / delta.shape[1],
        by_hand,
    ),
    Mutation(
        "1/m twice: already in δ[L]",
        STEP + "output_delta",
        mean_twice,
        test_worked_example.test_update,
    ),
    Mutation(
        "weights left out of δ[L]",
        STEP + "output_delta",
        without_weights,
        test_engine.test_weights_count_examples,
    ),
    Mutation(
        "a weighted batch divided by m, not Σs",
        STEP + "weight_of",
        lambda A0, s: A0.shape[1],
        test_engine.test_weights_count_examples,
    ),
    Mutation(
        "labels not smoothed",
        STEP + "smoothed",
        lambda plan, Y: Y,
        test_engine.test_label_smoothing_is_smoothed_targets,
    ),
    Mutation(
        "a dropout mask forward only",
        STEP + "back_propagate",
        masks_forward_only,
        test_gradients.test_a_dropout_mask_is_one_function_forward_and_back,
    ),
    Mutation(
        "L2's gradient doubled",
        "deltarule.regularization.Regularization.penalty_gradient",
        lambda self, W: self.l1 * np.sign(W) + 2 * self.l2 * W,
        test_gradients.test_penalties,
        (False, False),
    ),
    Mutation(
        "L1's sign left out",
        "deltarule.regularization.Regularization.penalty_gradient",
        lambda self, W: self.l1 + self.l2 * W,
        test_gradients.test_penalties,
        (False, False),
    ),
    Mutation(
        "tanh' without its square",
        *row(ACTIVATIONS, "tanh", g_prime=lambda Z: 1 - namespace(Z).tanh(Z)),
        test_tables.TestActivation().test_g_prime_is_the_derivative,
        ("tanh",),
    ),
    Mutation(
        "momentum forgotten",
        "deltarule.optimizers.SGD.update",
        lambda self, W, dW, state, t, alpha: (W - alpha * dW, state),
        test_optimizers.test_agrees_with_optax,
        ("sgd",),
    ),
    Mutation(
        "Adam without bias correction",
        "deltarule.optimizers.first_order._bias_correction",
        lambda beta, t: t / t,
        test_optimizers.test_agrees_with_optax,
        ("adam",),
    ),
    Mutation(
        "Adam counting its steps from 2",
        "deltarule.optimizers.Adam.update",
        lambda self, W, dW, state, t, alpha: adam_update(self, W, dW, state, t + 1, alpha),
        test_optimizers.test_agrees_with_optax,
        ("adam",),
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[m.name for m in MUTATIONS])
def test_a_corrupted_equation_is_noticed(mutation, monkeypatch):
    mutation.test(*mutation.arguments)  # sound, it passes
    if isinstance(mutation.target, str):
        monkeypatch.setattr(mutation.target, mutation.corrupted)
    else:
        table, name = mutation.target
        monkeypatch.setitem(table.entries, name, mutation.corrupted)
    with pytest.raises((AssertionError, ValueError)):
        mutation.test(*mutation.arguments)


CORRUPTED_DERIVATIVES = {
    "2a": row(COSTS, "mse", dA=lambda A, Y: A - Y),  # without its 2
    "2b": row(COSTS, "mae", dA=lambda A, Y: np.sign(Y - A)),  # its sign flipped
    "2c": row(  # without the minus of −Y/A
        COSTS, "binary_cross_entropy", dA=lambda A, Y: Y / A + (1 - Y) / (1 - A)
    ),
}


def test_corrupted_derivatives_of_costs_are_noticed(monkeypatch):
    """Each under its own number: one check of every equation, which takes long, serves all."""
    for (table, name), corrupted in CORRUPTED_DERIVATIVES.values():
        monkeypatch.setitem(table.entries, name, corrupted)
    checked = {found.number: found for found in check_all()}
    for number in CORRUPTED_DERIVATIVES:
        with pytest.raises(AssertionError, match=f"number='{number}'"):
            test_equations.assert_agreement(checked[number])
    test_equations.assert_agreement(checked["1b"])  # what none of them touches
