"""Custom rows on every engine: the same numbers as on the reference, or a clear reason why not."""

import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from tests.tolerances import STEP, error

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.engines import choose
from deltarule.engines.native.core import chosen
from deltarule.engines.native.plain import plain
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError, SlowerEngineWarning
from deltarule.optimizers import OPTIMIZERS, Optimizer

ENGINES = ("native", "jax")
DTYPES = ("float32", "float64")

SOFTSIGN = dr.Activation(
    "softsign", lambda Z: Z / (1.0 + abs(Z)), lambda Z: 1.0 / (1.0 + abs(Z)) ** 2
)
LOG_COSH = dr.Cost(
    "log_cosh",
    lambda A, Y: np.log(np.cosh(A - Y)).sum(axis=0),
    lambda A, Y: np.tanh(A - Y),
)


@dataclass(frozen=True)
class AMSGrad(Optimizer):
    """Adam with the largest V so far (Reddi and others 2018): three slots."""

    slots: ClassVar[tuple[str, ...]] = ("M", "V", "L")

    def update(self, W, dW, state, t, alpha):
        M, V, L = state
        M, V = 0.9 * M + 0.1 * dW, 0.99 * V + 0.01 * dW * dW
        L = np.maximum(L, V)
        return W - alpha / (1.0 - 0.9**t) * M / (np.sqrt(L) + 1e-8), (M, V, L)


@dataclass(frozen=True)
class Fixed(Optimizer):
    """Whatever the rate and the step; its state starts at 1 and is what it last saw."""

    slots: ClassVar[tuple[str, ...]] = ("seen",)

    def init(self, W):
        return (np.ones_like(W),)

    def update(self, W, dW, state, t, alpha):
        return W - 0.05 * dW - 0.01 * state[0], (dW,)


@dataclass(frozen=True)
class Rates(Optimizer):
    """Its state is a number of the step alone; one slot more than most have."""

    slots: ClassVar[tuple[str, ...]] = ("a", "b", "c")

    def update(self, W, dW, state, t, alpha):
        a, b, c = state
        return W - alpha * dW - 0.1 * a, (0.0 * W + alpha / t, a, b + c)


def own(row, **changes):
    """A copy of a row that no engine has compiled in."""
    return replace(row, name=f"own {row.name}", **changes)


def data(network, dtype, rows=50):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, network.inputs)).astype(dtype)
    Y = rng.uniform(0.1, 0.9, size=(rows, network.outputs)).astype(dtype)
    return X, Y, rng.uniform(0.5, 2.0, rows).astype(dtype)


def found(network, engine, dtype, optimizer="adam", weighted=False, rows=50, **settings):
    """What an engine makes of some steps: costs, predictions, cost, Jacobian, gradients."""
    X, Y, weights = data(network, dtype, rows)
    weights = weights if weighted else None
    runner = dr.start(network, optimizer=optimizer, engine=engine, dtype=dtype, seed=3, **settings)
    costs = [runner.step(X, Y, weights) for _ in range(5)]
    gradients = runner.gradients(X, Y, weights)
    return [
        np.array(costs),
        np.asarray(runner.predict(X)),
        np.array(runner.cost(X, Y, weights)),
        np.asarray(runner.jacobian(X[:2])),
        np.concatenate([np.ravel(d) for own in gradients for d in own.values()]),
    ]


def same(network, engine, dtype, **settings):
    for one, other in zip(
        found(network, engine, dtype, **settings),
        found(network, "reference", dtype, **settings),
        strict=True,
    ):
        assert error(one, other) <= STEP[dtype]


def network_of(g="tanh", cost="mse", output="sigmoid", **settings):
    layers = [dr.Dense(19, g, **settings), dr.Dense(7, g), dr.Dense(3, output)]
    return dr.Network(5, layers, cost)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_every_activation_runs_as_a_program(name, dtype):
    g = own(ACTIVATIONS(name))
    same(network_of(g, dropout=0.2), "native", dtype, weighted=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "output"),
    [
        (name, output)
        for name in COSTS
        if name != "softmax_cross_entropy"
        for output in (None, *COSTS(name).fused)
        if output != "softmax"
    ],
)
def test_every_cost_runs_as_a_program(name, output, dtype):
    cost = own(COSTS(name), **({} if output else {"fused": {}}))
    if name == "poisson" and output is None and dtype == "float32":
        pytest.skip("1 − y/a at a near 0 magnifies a's own rounding")
    same(network_of(cost=cost, output=output or "sigmoid"), "native", dtype, weighted=True)


RULES = {
    "plain": dr.Regularization(),
    "in one pass": dr.Regularization(l1=0.01, l2=0.1, clip_value=0.01, decay=0.1),
    "in two": dr.Regularization(l2=0.1, clip_norm=0.1, max_norm=1.0),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "lbfgs"])
def test_every_optimizer_runs_as_a_program(name, rules, dtype):
    kind = type(OPTIMIZERS(name))
    mine = dataclass(frozen=True)(type("Mine", (kind,), {"__module__": __name__}))
    same(network_of(), "native", dtype, optimizer=mine(), regularization=RULES[rules])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_rows_of_ones_own_on_every_engine(engine, dtype):
    layers = [dr.Dense(6, SOFTSIGN, rate=0.5), dr.Parametric(), dr.Dense(3)]
    cost = LOG_COSH if engine == "native" else own(COSTS("mse"))
    optimizer = AMSGrad(0.01) if engine == "native" else "adam"
    same(dr.Network(5, layers, cost), engine, dtype, optimizer=optimizer)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "optimizer", [Fixed(), Rates(0.01), AMSGrad("inverse_scaling(0.01)")], ids=repr
)
def test_optimizers_of_any_state_and_rate(optimizer, dtype):
    layers = [dr.Dense(19, "tanh", rate=0.5, bias_rate=2.0), dr.Dense(3)]
    same(dr.Network(5, layers, "mse"), "native", dtype, optimizer=optimizer, weighted=True)


def test_more_slots_than_the_core_has_run_elsewhere():
    mine = dataclass(frozen=True)(
        type("Mine", (dr.GradientDescent,), {"__module__": __name__, "slots": tuple("abcdefghi")})
    )
    update = lambda self, W, dW, state, t, alpha: (W - alpha * dW, state)  # noqa: E731
    mine.update = update
    with pytest.raises(SettingError, match="has 9 slots and 1 numbers of the step"):
        choose(Plan(network_of(), mine()), "native")


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_no_number_at_0_stays_out_of_the_padding(dtype):
    g = dr.Activation("reciprocal", lambda Z: 1.0 / Z, lambda Z: -1.0 / (Z * Z))
    layers = [dr.Dense(5, g), dr.Parametric(g), dr.Dense(3)]
    same(dr.Network(5, layers, "mse"), "native", dtype, optimizer=dr.GradientDescent(1e-9))


def test_threads_and_batches_change_no_bit():
    network, dtype = network_of(SOFTSIGN, cost=LOG_COSH), "float32"
    X, Y, _ = data(network, dtype, 700)
    after = []
    for threads in (1, 2, 3):
        options = dr.EngineOptions(n_threads=threads)
        runner = dr.start(network, optimizer=AMSGrad(), engine="native", options=options)
        for _ in range(3):
            runner.step(X, Y)
        after.append(runner.predict(X))
    assert all(np.array_equal(after[0], other) for other in after[1:])


def test_many_networks_with_rows_of_ones_own():
    network = network_of(SOFTSIGN, cost=LOG_COSH)
    X, Y, _ = data(network, "float32", 64)
    many = dr.train_many(network, X, Y, seeds=[0, 1, 2], epochs=2, engine="native")
    one = dr.train(network, X, Y, seed=1, epochs=2, engine="reference")
    assert error(many[1].outputs(X), one.outputs(X)) <= STEP["float32"]


def test_the_table_s_cost_with_an_activation_of_a_listed_name():
    """A pair goes by the name of its activation, on every engine alike."""
    mine = dr.Activation(
        "sigmoid",
        lambda Z: 0.5 + 0.5 * SOFTSIGN.g(Z),
        lambda Z: 0.5 * SOFTSIGN.g_prime(Z),
        ACTIVATIONS("sigmoid").range,
    )
    network = network_of(cost="binary_cross_entropy", output=mine)
    same(network, "native", "float64")


# --------------------------------------------------------------------------- what is refused


def activation(g, g_prime=lambda Z: np.ones_like(Z)):
    return dr.Activation("mine", g, g_prime)


def loop(Z):
    return np.array([[max(z, 0.0) for z in row] for row in Z], dtype=Z.dtype)


def in_place(Z):
    Z *= 2.0
    return Z


UNTRACED = {
    "loops over an array": activation(loop),
    "branches on the values": activation(lambda Z: Z if (Z > 0).all() else 2.0 * Z),
    "calls sort": activation(lambda Z: np.sort(Z, axis=0)),
    "asks how many units": activation(lambda Z: Z / Z.shape[0]),
    "asks how many examples": activation(lambda Z: Z * 1.0 if Z.shape[1] < 9 else Z * 2.0),
    "takes single entries": activation(lambda Z: Z[::-1]),
    "makes a NumPy array": activation(lambda Z: np.vectorize(lambda z: z, otypes="f")(Z)),
}


@pytest.mark.parametrize("reason", UNTRACED)
def test_what_cannot_be_traced_runs_on_a_slower_engine_with_the_reason(reason):
    plan = Plan(network_of(UNTRACED[reason]))
    with pytest.warns(SlowerEngineWarning, match=reason):
        choice = choose(plan, "auto")
    assert choice.name == "reference"
    with pytest.raises(SettingError, match=f"'mine' of layer 1 .*{reason}"):
        choose(plan, "native")


def test_a_row_that_is_random_is_not_taken_for_its_first_numbers():
    rng = np.random.default_rng(0)
    noisy = activation(lambda Z: Z * Z.dtype.type(rng.random()))
    with pytest.raises(SettingError, match="other numbers for the same argument"):
        choose(Plan(network_of(noisy)), "native")


REFUSED = {
    "changes its argument in place": in_place,
    "returned shape": lambda Z: Z.sum(axis=0),
    "returned float64 for float32": lambda Z: Z * np.float64(2.0),
}


@pytest.mark.parametrize("engine", ["auto", "native", "reference"])
@pytest.mark.parametrize("reason", REFUSED)
def test_what_would_make_wrong_numbers_is_refused_everywhere(reason, engine):
    for network in (
        network_of(activation(REFUSED[reason])),
        network_of(activation(lambda Z: Z, REFUSED[reason])),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error", SlowerEngineWarning)
            with pytest.raises(SettingError, match=f"g.*{reason}"):
                dr.start(network, engine=engine)


def test_costs_and_optimizers_are_tried_out_too():
    wrong = dr.Cost("mine", lambda A, Y: (A - Y) ** 2, lambda A, Y: 2.0 * (A - Y))
    for engine in ("native", "reference"):
        with pytest.raises(SettingError, match="loss returned shape"):
            dr.start(network_of(cost=wrong), engine=engine)

    @dataclass(frozen=True)
    class Halves(Optimizer):
        def update(self, W, dW, state, t, alpha):
            W -= alpha * dW
            return W, ()

    for engine in ("native", "reference"):
        with pytest.raises(SettingError, match="update changes its argument in place"):
            dr.start(network_of(), optimizer=Halves(), engine=engine)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p["code"].__setitem__(0, 99), "an operation that does not exist"),
        (lambda p: p["code"].__setitem__(1, 0), "a result that has no register"),
        (lambda p: p["code"].__setitem__(2, 500), "an argument that is not there"),
        (lambda p: p["code"].append(1), "an instruction that is not whole"),
        (lambda p: p["outputs"].pop(), "other inputs or outputs"),
        (lambda p: p["outputs"].__setitem__(0, 0), "an output that is not a computed number"),
        (lambda p: p.update(computed=10**6), "too many registers"),
        (lambda p: p.update(inputs=2), "other inputs or outputs"),
        (lambda p: p.update(constants=[0.0] * 200), "too many registers"),
    ],
)
def test_a_corrupted_program_is_refused_before_anything_runs(spoil, message):
    described = plain(Plan(network_of(SOFTSIGN)))
    spoil(described["layers"][0]["activation_program"])
    with pytest.raises(SettingError, match=message):
        chosen().Runner32(described)
