"""Expressions: they compute what the rows do that they are traced from, or say why not."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.arrays import namespace
from deltarule.costs import COSTS
from deltarule.errors import SettingError
from deltarule.expressions import (
    OPERATIONS,
    Level,
    UntraceableError,
    apply,
    constant,
    deviation,
    entry,
    evaluated,
    hoisted,
    in_order,
    of_step,
    traced,
)
from deltarule.expressions.nodes import rewritten
from deltarule.optimizers import OPTIMIZERS
from deltarule.row_expressions import (
    WRITTEN_BY_HAND,
    activation_expressions,
    cost_expressions,
    optimizer_expressions,
)

DTYPES = ("float32", "float64")
CLOSE = {"float32": 2e-6, "float64": 1e-13}
Z = np.array([[-np.inf, -1e30, -90.0, -3.3, -1e-5, -0.0, 0.0, 1e-5, 0.7, 2.0, 90.0, 1e30, np.inf]])
WITHIN = np.random.default_rng(0).uniform(0.02, 0.98, (3, 40))


def agree(found, expected, dtype):
    """Closely equal, also in what is infinite and what is not a number."""
    np.testing.assert_allclose(found, expected, rtol=CLOSE[dtype], atol=CLOSE[dtype])


def computed(nodes, inputs, dtype):
    shape = next(values.shape for values in inputs.values() if np.ndim(values))
    return [np.broadcast_to(found, shape) for found in evaluated(nodes, inputs, dtype)]


def quietly(function, *arguments):
    with np.errstate(all="ignore"):
        return function(*arguments)


# ------------------------------------------------------------------------- the tables' rows

ELEMENTWISE = [name for name in ACTIVATIONS if name not in WRITTEN_BY_HAND]
OF_ONE_UNIT = [name for name in COSTS if name not in WRITTEN_BY_HAND]
STEPPING = [name for name in OPTIMIZERS if name not in WRITTEN_BY_HAND]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ELEMENTWISE, "leaky_relu(0)", "elu(2)"])
def test_an_activation_is_its_expressions(name, dtype):
    row, z = ACTIVATIONS(name), Z.astype(dtype)
    found = computed(activation_expressions(row, dtype), {"z": z}, dtype)
    for values, function in zip(found, (row.g, row.g_prime), strict=True):
        agree(values, quietly(function, z), dtype)
        assert values.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*OF_ONE_UNIT, "quantile(0.9)", "focal(0)", "binary_focal(3.5)"])
def test_a_cost_is_its_expressions(name, dtype):
    row = COSTS(name)
    a, y = WITHIN.astype(dtype), WITHIN[::-1].astype(dtype)
    y[:, :3], y[:, 3], y[:, 4] = a[:, :3], 0, 1  # where dA jumps, and where 0 log 0 may stand
    found = cost_expressions(row, dtype=dtype)
    assert not found.is_delta
    loss, d = computed(found[:2], {"a": a, "y": y}, dtype)
    agree(loss.sum(axis=0), row.loss(a, y), dtype)
    agree(d, row.dA(a, y), dtype)


PAIRS = [
    (name, output)
    for name in COSTS
    for output in COSTS(name).fused
    if f"{output} with {name}" not in WRITTEN_BY_HAND
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "output"), PAIRS)
def test_a_fused_pair_is_its_expressions(name, output, dtype):
    row, g = COSTS(name), ACTIVATIONS(output)
    z, y = (6 * WITHIN - 3).astype(dtype), WITHIN[::-1].astype(dtype)
    a = g.g(z)
    found = cost_expressions(row, g, dtype=dtype)
    assert found.is_delta
    loss, delta = computed(found[:2], {"z": z, "a": a, "y": y}, dtype)
    agree(loss.sum(axis=0), row.fused[output].loss(z, y), dtype)
    agree(delta, row.fused[output].delta(z, a, y), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STEPPING)
def test_an_optimizer_is_its_expressions(name, dtype):
    optimizer = OPTIMIZERS(name)
    kind = np.dtype(dtype).type
    W, dW = WITHIN.astype(dtype), (WITHIN[::-1] - 0.5).astype(dtype)
    state = tuple((WITHIN + k).astype(dtype) for k in range(len(optimizer.slots)))
    inputs = {"W": W, "dW": dW, "t": 3.0, "alpha": 0.01}
    inputs |= {f"slot_{slot}": own for slot, own in zip(optimizer.slots, state, strict=True)}
    found = computed(optimizer_expressions(optimizer, dtype), inputs, dtype)
    new, slots = optimizer.update(W, dW, state, kind(3), kind(0.01))
    for values, expected in zip(found, (new, *slots), strict=True):
        np.testing.assert_allclose(values, expected, rtol=10 * CLOSE[dtype], atol=CLOSE[dtype])


def test_what_is_written_by_hand_is_what_cannot_be_traced():
    def refused(function, *arguments):
        with pytest.raises(UntraceableError):
            function(*arguments)
        return True

    found = {name for name in ACTIVATIONS if name not in ELEMENTWISE}
    assert all(refused(activation_expressions, ACTIVATIONS(name)) for name in found)
    costs = {name for name in COSTS if name not in OF_ONE_UNIT}
    assert all(refused(cost_expressions, COSTS(name)) for name in costs)
    pairs = {(c, g) for c in COSTS for g in COSTS(c).fused} - set(PAIRS)
    assert all(refused(cost_expressions, COSTS(c), ACTIVATIONS(g)) for c, g in pairs)
    optimizers = {name for name in OPTIMIZERS if name not in STEPPING}
    assert all(refused(optimizer_expressions, OPTIMIZERS(name)) for name in optimizers)
    named = {f"{g} with {c}" for c, g in pairs}
    assert found | costs | named | optimizers == set(WRITTEN_BY_HAND)


# --------------------------------------------------------------------- what cannot be traced


def bent(Z):
    A = 2 * Z
    A[0] = 0
    return A


def counted(Z):
    return Z * sum(1 for _ in Z)


UNTRACEABLE = [
    (lambda Z: Z if (Z > 0) else -Z, "branches on the values"),
    (lambda Z: Z if (Z > 0).all() else -Z, "branches on the values"),
    (lambda Z: Z if np.any(Z > 0) else -Z, "branches on the values"),
    (lambda Z: Z / Z.max(), r"uses \.max"),
    (lambda Z: max(Z, 0), "branches on the values"),
    (counted, "loops over an array"),
    (lambda Z: np.array([math.tanh(z) for z in Z.ravel()]), r"uses \.ravel"),
    (lambda Z: math.tanh(Z), "makes a number of an array"),
    (lambda Z: Z * int(Z), "makes a number of an array"),
    (bent, "writes single entries"),
    (lambda Z: Z[:1] * Z, "takes single entries"),
    (lambda Z: Z.__iadd__(1), "changes its argument in place"),
    (lambda Z: np.exp(Z, out=Z), "with options"),
    (lambda Z: np.add.reduce(Z), "calls add with reduce"),
    (lambda Z: Z * len(Z), "asks for an array's length"),
    (lambda Z: Z / Z.shape[1], "how many examples"),
    (lambda Z: Z / Z.shape[0], "how many units"),
    (lambda Z: Z + np.random.default_rng(0).normal(size=Z.shape), "how many|TypeError"),
    (lambda Z: Z / Z.size, r"uses \.size"),
    (lambda Z: Z.reshape(-1), r"uses \.reshape"),
    (lambda Z: Z.T, r"uses \.T"),
    (lambda Z: Z.astype("float64") * 2, "computes in float64"),
    (lambda Z: Z.astype(int), "computes in int64"),
    (lambda Z: Z * np.array([1.0, 2.0]), "uses ndarray"),
    (lambda Z: Z * 1j, "uses complex"),
    (lambda Z: Z + "1", "uses str|TypeError"),
    (lambda Z: np.sort(Z), "calls sort, which is not among the functions"),
    (lambda Z: scipy.special.gamma(Z), "calls gamma"),
    (lambda Z: namespace(Z).fft(Z), "calls fft"),
    (lambda Z: np.asarray(Z) * 2, "makes a NumPy array"),
    (lambda Z: Z % 2, "ends in TypeError"),
    (lambda Z: 1 / 0, "ends in ZeroDivisionError: division by zero"),
    (lambda Z: Z - Z.mean(axis=0), "how many units|combines sums"),
    (lambda Z: Z - Z.sum(axis=0), "combines sums over units with single units"),
    (lambda Z: Z.sum(axis=1), "sums other than over the units"),
    (lambda Z: Z.sum(axis=0), "returns a sum over units; expected single units"),
    (lambda Z: None, "returns NoneType"),
]


@pytest.mark.parametrize(("function", "why"), UNTRACEABLE)
def test_what_cannot_be_traced_gives_the_reason(function, why):
    with pytest.raises(UntraceableError, match=why):
        traced(function, ["z"])


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (lambda A, Y: (A - Y) ** 2, "returns single units; expected a sum"),
        (lambda A, Y: ((A - Y) ** 2).sum(axis=0) ** 0.5, "computes power of a sum"),
        (lambda A, Y: np.maximum((A - Y).sum(axis=0), 0), "computes maximum of a sum"),
        (lambda A, Y: (A * Y).sum(axis=0) * A.sum(axis=0), "computes multiply of a sum"),
        (lambda A, Y: 1 + (A * Y).sum(axis=0), "computes add of a sum"),
        (lambda A, Y: ((A - Y) ** 2).sum(), "sums other than"),
        (lambda A, Y: ((A - Y) ** 2).sum(axis=0, keepdims=True), "sums other than"),
        (lambda A, Y: 0.0, "returns float"),
    ],
)
def test_a_loss_that_is_no_sum_over_units_gives_the_reason(loss, why):
    with pytest.raises(UntraceableError, match=why):
        traced(loss, ["a", "y"], units=3, summed=True)


def test_a_loss_may_be_multiples_and_sums_of_sums():
    def loss(A, Y):
        return 2 * abs(A - Y).sum(axis=0) - np.sum(A * Y, axis=0) / 4 + np.mean(A, axis=0)

    (node,) = traced(loss, ["a", "y"], units=3, summed=True)
    (found,) = computed([node], {"a": WITHIN, "y": WITHIN[::-1]}, "float64")
    agree(found.sum(axis=0), loss(WITHIN, WITHIN[::-1]), "float64")


def custom(g, g_prime=np.ones_like):
    return dr.Activation("custom", g, g_prime)


@pytest.mark.parametrize(
    ("g", "why"),
    [
        (lambda Z: np.multiply(Z, 2, out=Z), "changes its argument in place"),
        (lambda Z: Z[:1], r"returned shape \(1, 7\); expected \(3, 7\)"),
        (lambda Z: Z.sum(axis=0), r"returned shape \(7,\)"),
        (lambda Z: Z * np.ones(7), "returned float64 for float32"),
        (lambda Z: Z > 0, "returned bool for float32"),
    ],
)
def test_a_custom_row_that_does_what_no_row_may_is_refused(g, why):
    with pytest.raises(SettingError, match=why):
        activation_expressions(custom(g))


def test_a_custom_row_that_is_not_deterministic_is_not_traced():
    rng = np.random.default_rng(0)
    with pytest.raises(UntraceableError, match="returns other numbers for the same argument"):
        activation_expressions(custom(lambda Z: Z * rng.random()))


def test_a_custom_row_that_knows_what_it_runs_on_is_found_out():
    def g(Z):
        return np.exp(Z) if isinstance(Z, np.ndarray) else np.tanh(Z)

    with pytest.raises(UntraceableError, match="computes other numbers than its operations say"):
        activation_expressions(custom(g))


def test_an_optimizer_that_forgets_its_state_is_refused():
    @dataclass(frozen=True)
    class Forgetful(dr.Optimizer):
        slots: ClassVar[tuple[str, ...]] = ("M",)

        def update(self, W, dW, state, t, alpha):
            return W - alpha * dW, ()

    with pytest.raises(SettingError, match="update returned 1 arrays"):
        optimizer_expressions(Forgetful(0.1))


# --------------------------------------------------------------- functions on symbolic arrays

SMOOTH = (np.random.default_rng(1).uniform(0.05, 3, (2, 30))) * np.array([[1], [1]])
UNARY = (
    *("abs", "absolute", "fabs", "negative", "positive", "sign", "floor", "ceil", "sqrt", "square"),
    *("reciprocal", "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sinh", "cosh"),
    *("tanh", "sin", "cos", "tan", "arctan", "isnan", "isinf", "isfinite"),
)
BINARY = (
    *("add", "subtract", "multiply", "divide", "true_divide", "minimum", "maximum", "power"),
    *("float_power", "logaddexp", "less", "less_equal", "greater", "greater_equal", "equal"),
    *("not_equal",),
)


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_numpy_is_traced(name):
    function = getattr(np, name)
    for values in (SMOOTH, -SMOOTH, np.array([[0.0, np.inf, -np.inf, np.nan, 1e300, -1e-300]])):
        (found,) = computed(traced(function, ["z"], dtype="float64"), {"z": values}, "float64")
        agree(found, quietly(function, values), "float64")


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_numbers_is_traced(name):
    function = getattr(np, name)
    for a, b in ((SMOOTH, SMOOTH[::-1]), (SMOOTH, SMOOTH), (np.full((1, 1), np.inf),) * 2):
        nodes = traced(function, ["a", "b"], dtype="float64")
        agree(computed(nodes, {"a": a, "b": b}, "float64")[0], quietly(function, a, b), "float64")
        nodes = traced(lambda x: function(x, 2.0), ["a"], dtype="float64")
        agree(computed(nodes, {"a": a}, "float64")[0], quietly(function, a, 2.0), "float64")


@pytest.mark.parametrize("name", ["erf", "erfc", "expit", "log_expit", "exp2", "expm1"])
def test_a_function_of_scipy_is_traced(name):
    function = getattr(scipy.special, name)
    (found,) = computed(traced(function, ["z"], dtype="float64"), {"z": SMOOTH}, "float64")
    agree(found, function(SMOOTH), "float64")


def test_a_logarithm_times_nothing_is_nothing():
    x, y = np.array([[0.0, 0.0, 2.0, 0.0]]), np.array([[0.0, 3.0, 3.0, np.nan]])
    nodes = traced(scipy.special.xlogy, ["x", "y"], dtype="float64")
    agree(computed(nodes, {"x": x, "y": y}, "float64")[0], scipy.special.xlogy(x, y), "float64")


@pytest.mark.parametrize(
    "function",
    [
        lambda Z: 1 - Z + (2 * Z - Z / 3) + 1 / Z + Z**2 + 2**Z + Z**0.5 + Z**-3,
        lambda Z: -(+Z) * abs(Z),
        lambda Z: np.where((Z > 0.5) & ~(Z >= 1) | (Z < 0.1), Z, 0),
        lambda Z: (Z > 1).astype(Z.dtype) * Z,
        lambda Z: (Z != 1) * Z + (Z == 1) + (Z <= 1) * 2,
        lambda Z: np.logical_or(np.logical_and(Z > 0, Z < 1), np.logical_not(Z < 2)) * Z,
        lambda Z: np.clip(Z, 0.2, 0.9) + Z.clip(min=1) + np.clip(Z, None, 2),
        lambda Z: np.zeros_like(Z) + np.ones_like(Z) * Z + np.full_like(Z, 3),
        lambda Z: Z.copy() * np.float64(2) + np.pi + np.array(2.0),
        lambda Z: namespace(Z).astype(Z > 1, Z.dtype) * namespace(Z).asarray(Z),
    ],
)
def test_operators_and_methods_are_those_of_arrays(function):
    (found,) = computed(traced(function, ["z"], dtype="float64"), {"z": SMOOTH}, "float64")
    agree(found, function(SMOOTH), "float64")


def test_another_name_of_an_argument_is_the_argument():
    def g(Z):
        A = Z.astype(Z.dtype, copy=False)
        A += 1
        return A

    with pytest.raises(UntraceableError, match="in place"):
        traced(g, ["z"])


def test_what_a_function_makes_it_may_change_in_place():
    def g(Z):
        A = 2 * Z
        B = A
        A += 1
        A *= Z
        B -= 3
        C = np.positive(B)
        C /= 2
        return A + C

    (found,) = computed(traced(g, ["z"], dtype="float64"), {"z": SMOOTH}, "float64")
    agree(found, g(SMOOTH), "float64")


# -------------------------------------------------------------------------- nodes themselves

z, y = entry("z"), entry("y")


def test_equal_expressions_are_one():
    first, second = (apply("add", apply("exp", z), y) for _ in range(2))
    assert first is second
    assert apply("add", y, apply("exp", z)) is not first  # rounding keeps its order
    assert constant(0.0) is not constant(-0.0)
    assert constant(math.nan) is constant(float("nan"))
    assert constant(1) is constant(1.0)
    assert constant(True) is not constant(1.0)
    assert len(list(in_order([apply("multiply", first, first)]))) == 5


@pytest.mark.parametrize(
    ("name", "arguments", "simpler"),
    [
        ("add", (constant(2), constant(3)), constant(5)),
        ("divide", (constant(1), constant(0)), constant(math.inf)),
        ("less", (constant(1), constant(2)), constant(True)),
        ("multiply", (constant(1), z), z),
        ("multiply", (z, constant(1)), z),
        ("divide", (z, constant(1)), z),
        ("negative", (apply("negative", z),), z),
        ("abs", (apply("negative", z),), apply("abs", z)),
        ("abs", (apply("abs", z),), apply("abs", z)),
        ("where", (constant(True), z, y), z),
        ("where", (constant(False), z, y), y),
        ("where", (apply("less", z, y), z, z), z),
        ("power", (z, constant(0)), constant(1)),
        ("power", (z, constant(1)), z),
        ("power", (z, constant(2)), apply("multiply", z, z)),
        ("power", (z, constant(0.5)), apply("sqrt", z)),
        ("power", (z, constant(-1)), apply("divide", constant(1), z)),
    ],
)
def test_what_needs_no_operation_has_none(name, arguments, simpler):
    assert apply(name, *arguments) is simpler


def test_what_is_not_the_same_in_every_bit_is_left():
    for name, arguments in (
        ("add", (z, constant(0))),  # −0 + 0 is 0
        ("multiply", (z, constant(0))),  # infinity times 0 is not a number
        ("subtract", (z, z)),
        ("divide", (z, z)),
        ("power", (z, constant(9))),
    ):
        assert apply(name, *arguments).name == name


MOVES = st.lists(
    st.tuples(
        st.sampled_from(sorted(set(OPERATIONS) - {"power", "erf"})), *[st.integers(0, 99)] * 3
    ),
    min_size=1,
    max_size=15,
)
POINTS = np.array([-np.inf, -2.5, -1.0, -0.0, 0.0, 0.3, 1.0, 7.0, np.inf, np.nan])


@given(MOVES)
def test_folding_and_sharing_change_no_bit(moves):
    """Operations on numbers and masks found so far, as expressions and as arrays."""
    nodes = {"n": [z, constant(2.0), constant(0.0), constant(1.0)], "m": [apply("less", z, z)]}
    arrays = {"n": [POINTS, 2.0, 0.0, 1.0], "m": [POINTS < POINTS]}
    with np.errstate(all="ignore"):
        for name, *picks in moves:
            operation = OPERATIONS[name]
            at = [
                (kind, pick % len(nodes[kind]))
                for kind, pick in zip(operation.arguments, picks, strict=False)
            ]
            nodes[operation.result].append(apply(name, *(nodes[kind][k] for kind, k in at)))
            found = operation.compute(*(arrays[kind][k] for kind, k in at))
            arrays[operation.result].append(np.asarray(found))
    every = nodes["n"] + nodes["m"]
    for found, expected in zip(
        evaluated(every, {"z": POINTS}, "float64"), arrays["n"] + arrays["m"], strict=True
    ):
        np.testing.assert_array_equal(*np.broadcast_arrays(found, expected))


def test_levels_say_what_a_number_depends_on():
    t = of_step("t")
    assert constant(1).level is Level.CONSTANT
    assert apply("multiply", t, constant(2)).level is Level.STEP
    assert apply("multiply", t, z).level is Level.ENTRY


@pytest.mark.parametrize("name", STEPPING)
def test_what_depends_on_the_step_alone_is_taken_out(name):
    optimizer = OPTIMIZERS(name)
    outputs = optimizer_expressions(optimizer)
    values, rest = hoisted(outputs)
    assert all(node.level is Level.STEP for node in values.values())
    for node in in_order(rest):
        assert node.level is not Level.STEP or node.name == "input"
    inputs = {"W": WITHIN, "dW": WITHIN[::-1], "t": 3.0, "alpha": 0.01}
    inputs |= {f"slot_{slot}": WITHIN + 1 for slot in optimizer.slots}
    found = evaluated(list(values.values()), {"t": 3.0, "alpha": 0.01}, "float64")
    later = inputs | dict(zip(values, found, strict=True))
    for one, other in zip(
        evaluated(outputs, inputs, "float64"), evaluated(rest, later, "float64"), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_output_of_the_step_alone_is_taken_out_too():
    rate = apply("multiply", of_step("alpha"), constant(2))
    values, (rest,) = hoisted([rate])
    assert values == {"k0": rate}
    assert rest is of_step("k0")


def test_rewriting_reaches_every_part_and_folds_again():
    part = apply("add", z, constant(1))
    whole = apply("multiply", part, apply("exp", part))
    assert rewritten([whole], {z: constant(1)}) == (constant(2 * math.exp(2)),)


def test_deep_expressions_are_walked_without_recursion():
    node = z
    for _ in range(5000):
        node = apply("sin", node)
    assert len(list(in_order([node]))) == 5001
    assert rewritten([node], {z: y})[0].level is Level.ENTRY
    assert evaluated([node], {"z": np.ones(1)}, "float64")[0].shape == (1,)


def test_deviation_sees_what_another_expression_computes():
    values = {"z": WITHIN}
    nodes = traced(np.exp, ["z"], dtype="float64")
    assert deviation(np.exp, nodes, values, dtype="float64") is None
    almost = traced(lambda Z: np.exp(Z) + 1e-6, ["z"], dtype="float64")
    assert deviation(np.exp, almost, values, dtype="float64") is not None
