"""The compiled engine's boundary: any strides and alignment; bad arrays stop before a kernel."""

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines import native
from deltarule.engines.native.core import chosen
from deltarule.engines.native.plain import plain
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError, ShapeError, TypeMismatchError


@pytest.fixture
def runner():
    return dr.start(dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(2)]), engine="native")


def data_of(m=9):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((m, n)).astype(np.float32) for n in (3, 2)]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    assert not raw.flags.aligned
    return raw


def sparse(array):
    wide = np.zeros([2 * n for n in array.shape], array.dtype)
    wide[::2, ::2] = array
    return wide[::2, ::2]


def backwards(array):
    return np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]


@pytest.mark.parametrize(
    "form", [np.asfortranarray, read_only, misaligned, sparse, backwards], ids=lambda f: f.__name__
)
def test_any_strides_and_alignment_give_the_same_numbers(runner, form):
    X, Y = data_of()
    expected = runner.predict(X)
    np.testing.assert_array_equal(runner.predict(form(X)), expected)
    assert runner.cost(form(X), form(Y)) == runner.cost(X, Y)
    other = dr.start(runner.plan.network, engine="native")
    for one, x, y in ((runner, X, Y), (other, form(X), form(Y))):
        one.train(x, y, np.arange(9), 4, np.ones(3))
    np.testing.assert_array_equal(runner.predict(X), other.predict(X))


@pytest.mark.parametrize("form", [np.asfortranarray, misaligned, sparse, backwards])
def test_predictions_are_written_at_any_strides(runner, form):
    X, _ = data_of()
    out = form(np.zeros((9, 2), np.float32))
    runner.predict_into(X, out)
    np.testing.assert_array_equal(out, runner.predict(X))


def test_bad_arrays_are_refused(runner):
    X, Y = data_of()
    for call, expected in [
        (lambda: runner.step(X.astype(np.float64), Y), TypeMismatchError),
        (lambda: runner.step(X.astype(np.int32), Y), TypeMismatchError),
        (lambda: runner.step(X.astype(object), Y), TypeMismatchError),
        (lambda: runner.step(X.astype(X.dtype.newbyteorder()), Y), TypeMismatchError),
        (lambda: runner.step(X.tolist(), Y), TypeMismatchError),
        (lambda: runner.step(None, Y), TypeError),
        (lambda: runner.step(X[:, :2], Y), ShapeError),
        (lambda: runner.step(X[0], Y[0]), ShapeError),
        (lambda: runner.step(X[:0], Y[:0]), ShapeError),
        (lambda: runner.step(X, Y[:5]), ShapeError),
        (lambda: runner.step(X, Y, np.ones(8, np.float32)), ShapeError),
        (lambda: runner.step(X, Y, np.ones((9, 1), np.float32)), ShapeError),
        (lambda: runner.step_from(X, X), ShapeError),
        (lambda: runner.predict_into(X, read_only(Y)), TypeMismatchError),
        (lambda: runner.predict_into(X, Y[:8]), ShapeError),
        (lambda: runner.cost(X, Y[:, :1]), ShapeError),
        (lambda: runner.gradients(X[:, :, None], Y), ShapeError),
        (lambda: runner.jacobian(X[:, :1]), ShapeError),
        (lambda: runner.set_parameters([{"W": np.zeros((3, 4))}]), ShapeError),
    ]:
        with pytest.raises(expected):
            call()


@pytest.mark.parametrize("number", [-1, 9, 2**62, -(2**63), np.uint64(2**63 + 5)])
def test_row_numbers_out_of_range_are_refused(runner, number):
    X, Y = data_of()
    with pytest.raises(ShapeError, match="0 to 8"):
        runner.train(X, Y, np.array([number, number]), 2, np.ones(1))


def test_an_order_of_other_numbers_and_wrong_rates_are_refused(runner):
    X, Y = data_of()
    with pytest.raises(TypeMismatchError):
        runner.train(X, Y, np.array([0.0, 1.0]), 2, np.ones(1))
    with pytest.raises(ShapeError):
        runner.train(X, Y, np.arange(9), 2, np.ones(4))
    assert len(runner.train(X, Y, np.arange(0), 2, np.ones(0)).costs) == 0


@pytest.mark.parametrize("form", ["float16", "complex64", "datetime64[s]", "S4", "U1", "f4,f4"])
def test_other_types_are_refused(runner, form):
    X, Y = data_of()
    with pytest.raises(TypeMismatchError):
        runner.step(np.zeros(X.shape, form), Y)


def test_arrays_without_axes_and_sequences_of_bytes_are_refused(runner):
    X, Y = data_of()
    for one in (np.float32(1), np.array(1, np.float32)):
        for call in (
            lambda one: runner.step(one, Y),
            lambda one: runner.step(X, one),
            lambda one: runner.step(X, Y, one),
            lambda one: runner.step_from(X, one),
            lambda one: runner.predict_into(X, one),
            lambda one: runner.predict_into(one, Y),
            lambda one: runner.cost(one, one),
            lambda one: runner.set_parameters([{"W": one}]),
        ):
            with pytest.raises((ShapeError, TypeMismatchError)):
                call(one)
    with pytest.raises(TypeMismatchError):
        runner.step(bytes(X), Y)
    with pytest.raises(TypeMismatchError):
        runner.train(X, Y, np.array(1), 2, np.ones(1))


def test_a_size_of_batch_beyond_all_rows_is_all_rows(runner):
    X, Y = data_of()
    other = dr.start(runner.plan.network, engine="native")
    for one, size in ((runner, 9), (other, 2**64 - 1)):
        assert len(one.train(X, Y, np.arange(9), size, np.ones(1)).costs) == 1
    np.testing.assert_array_equal(runner.predict(X), other.predict(X))


@pytest.mark.parametrize("size", [0, -1, 2**64])
def test_sizes_of_batches_that_are_none_reach_no_kernel(size):
    X, Y = data_of()
    core = core_runner()
    with pytest.raises((SettingError, TypeError)):
        core.train(X, Y, np.arange(9), size, np.ones(1), None, np.zeros(1), None, 1)


def endless(rows, width):
    """An array that claims so many rows, all in the place of one."""
    one = np.zeros((1, width), np.float32)
    return np.lib.stride_tricks.as_strided(one, (rows, width), (0, 4))


@pytest.mark.parametrize(("rows", "error"), [(2**57, ShapeError), (2**48, MemoryError)])
def test_batches_that_memory_cannot_hold_are_refused(runner, rows, error):
    X, Y, small = endless(rows, 3), endless(rows, 2), data_of()
    before = runner.predict(small[0])
    for call in (runner.step, runner.step_from, runner.gradients):
        with pytest.raises(error):
            call(X, Y)
    np.testing.assert_array_equal(runner.predict(small[0]), before)
    assert np.isfinite(runner.step(*small))


def core_runner(**changes):
    """The core's own runner, of a plan in plain numbers with some of them changed."""
    network = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(2)])
    return chosen().Runner32(plain(Plan(network)) | changes)


def test_products_are_mixed_in_float32_alone():
    network = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(2)])
    with pytest.raises(SettingError, match="mixed keeps its parameters in float32"):
        chosen().Runner64(plain(Plan(network), mixed=True))


GROUPED_COST = native.COST_ROWS.index("softmax_cross_entropy")


def layer(**changes):
    first, second = plain(Plan(dr.Network(3, [dr.Dense(4), dr.Dense(2)])))["layers"]
    return [first | changes, second]


def others():
    """A layer of each of the kinds whose own numbers say what they read and where."""
    parts = dr.Parallel([(0, 2, [dr.Periodic(2)]), (1, 4, [])])
    kinds = [
        *(dr.Embedding([3, 2, 5], width=2), dr.Grouped(2, size=3), dr.Dense(3)),
        *(dr.PiecewiseLinear([[0, 1], [0, 1, 2], [0, 1]]), parts, dr.Shared(2, 7)),
    ]
    return plain(Plan(dr.Network(3, kinds)))["layers"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"inputs": 0}, SettingError),
        ({"inputs": 2**60}, SettingError),
        ({"inputs": 2**64 - 1}, SettingError),
        ({"layers": []}, SettingError),
        ({"layers": layer(units=0)}, SettingError),
        ({"layers": layer(units=2**61)}, SettingError),
        ({"inputs": 2**32, "layers": layer(units=2**32)}, SettingError),
        ({"inputs": 2**24, "layers": layer(units=2**25)}, MemoryError),
        ({"layers": layer(activation=len(native.ACTIVATION_ROWS) + 1)}, SettingError),
        ({"layers": layer(activation=-1)}, SettingError),
        ({"cost": len(native.COST_ROWS)}, SettingError),
        *(
            ({"cost": GROUPED_COST, "cost_number": n}, SettingError)
            for n in (0, -2, 0.5, 1.5, 3, 2**24 + 1, float("nan"))
        ),
        ({"optimizer": len(native.OPTIMIZER_ROWS)}, SettingError),
    ],
    ids=str,
)
def test_plans_that_no_kernel_could_run_are_refused(changes, error):
    with pytest.raises(error):
        core_runner(**changes)


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (0, {"counts": [3, 2]}),
        (0, {"counts": [3, 2, 0]}),
        (0, {"counts": [3, 2, 2**63]}),
        (0, {"counts": [2**40, 2**40, 2**40]}),
        (0, {"units": 5}),
        (0, {"sources": [1]}),
        (0, {"sources": [2**63]}),
        (0, {"sources": [0, 0]}),
        (0, {"owner": 1}),
        (1, {"size": 0}),
        (1, {"size": 4}),
        (1, {"units": 5}),
        (3, {"counts": [1, 2, 2]}),
        (3, {"starts": [0.0] * 3}),
        (3, {"widths": []}),
        (3, {"owner": 1}),
        (4, {"first": 3}),
        (4, {"first": 2**64 - 1}),
        (4, {"units": 5}),
        (5, {"counts": [2]}),
        (7, {"sources": []}),
        (7, {"sources": [6]}),
        (7, {"sources": [0, 7]}),
        (7, {"sources": [8, 7]}),
        (8, {"size": 0}),
        (8, {"size": 2}),
        (8, {"units": 15}),
    ],
    ids=str,
)
def test_layers_that_would_read_elsewhere_are_refused(number, changes):
    layers = others()
    core_runner(layers=layers)
    layers[number] = layers[number] | changes
    with pytest.raises(SettingError, match="plan: "):
        core_runner(layers=layers)


def test_only_arrays_that_exist_are_read_and_set():
    core, W, b = core_runner(), np.zeros((4, 3), np.float32), np.zeros((4, 1), np.float32)
    with pytest.raises(SettingError, match="call gradients first"):
        core.get(-2, 0, False, W)
    for which, l in [(-3, 0), (5, 0), (-1, 2), (-1, 2**63)]:
        with pytest.raises(SettingError):
            core.get(which, l, False, W)
        with pytest.raises(SettingError):
            core.set(which, l, False, W)
    with pytest.raises(SettingError, match="computed, not set"):
        core.set(-2, 0, False, W)
    for out in (b, W.T, read_only(W), misaligned(W), W.astype(float)):
        with pytest.raises((ShapeError, TypeMismatchError)):
            core.get(-1, 0, False, out)
    core.gradients(*data_of(), None, 1)
    db = np.zeros((2, 1), np.float32)
    core.get(-2, 1, True, db)
    assert db.all()


def test_what_is_filled_in_is_checked_too():
    X, Y = data_of()
    core, order, rates = core_runner(), np.arange(9), np.ones(3)
    costs, found = np.zeros(3), np.zeros((3, 3, 2))
    for wrong in (
        {"costs": np.zeros(2)},
        {"costs": read_only(costs)},
        {"costs": np.zeros(3, np.float32)},
        {"statistics": np.zeros((3, 2, 2))},
        {"statistics": read_only(found)},
        {"rates": np.ones(6)[::2]},
        {"order": np.arange(18)[::2]},
        {"order": order.astype(np.int32)},
        {"order": order.astype(np.uint64)},
    ):
        arguments = {"order": order, "rates": rates, "costs": costs, "statistics": found} | wrong
        with pytest.raises((ShapeError, TypeMismatchError)):
            core.train(X=X, Y=Y, batch_size=4, weights=None, threads=1, **arguments)
    with pytest.raises((ShapeError, TypeMismatchError)):
        core.jacobian_into(X, read_only(np.zeros((9, 2, 3), np.float32)))
    with pytest.raises((ShapeError, TypeMismatchError)):
        core.jacobian_into(X, np.zeros((3, 2, 9), np.float32).T)
    with pytest.raises(TypeMismatchError):
        chosen().math32("exp", X[0], read_only(X[0]))


@pytest.mark.parametrize(
    ("where", "value"),
    [("X", np.nan), ("Y", np.nan), ("Y", np.inf), ("weights", np.nan)],
)
@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
def test_what_is_not_finite_ends_the_epoch_before_its_step(activation, where, value):
    network = dr.Network(3, [dr.Dense(5, activation), dr.Dense(4, activation), dr.Dense(2)])
    clean = dict(zip("XY", data_of(12), strict=True), weights=np.ones(12, np.float32))
    given = {name: array.copy() for name, array in clean.items()}
    given[where][7] = value
    runner, same = (dr.start(network, optimizer="adam", engine="native") for _ in range(2))
    found = runner.train(given["X"], given["Y"], np.arange(12), 3, np.ones(4), given["weights"])
    same.train(clean["X"], clean["Y"], np.arange(6), 3, np.ones(2), clean["weights"])
    assert np.isfinite(found.costs).tolist() == [True, True, False]
    assert runner.state().step == 2
    for ours, theirs in zip(runner.parameters(), same.parameters(), strict=True):
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_training_that_diverges_names_its_step():
    X, Y = data_of(40)
    network = dr.Network(3, [dr.Dense(4, "relu"), dr.Dense(2)])
    with pytest.raises(dr.DivergenceError, match="Lower the learning rate") as caught:
        dr.train(network, X, Y, optimizer=dr.SGD(1e20), batch_size=8, epochs=5, engine="native")
    assert 1 < caught.value.step <= 25


def test_a_network_without_parameters_is_the_references():
    network = dr.Network(1, [dr.PiecewiseLinear([[-1.0, 0.0, 2.0]])])
    X, Y = np.zeros((6, 1)), np.ones((6, 2))
    with pytest.raises(dr.SettingError, match="the network has no parameters to train"):
        dr.train(network, X, Y, engine="native")
    assert dr.train(network, X, Y, epochs=2).engine == "reference"
