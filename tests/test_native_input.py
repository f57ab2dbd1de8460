"""The compiled engine's boundary: any strides and alignment; bad arrays stop before a kernel."""

import numpy as np
import pytest

import deltarule as dr
from deltarule.errors import ShapeError, TypeMismatchError


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


@pytest.mark.parametrize("order", [[-1, 0], [0, 9], [2**62, 0]])
def test_row_numbers_out_of_range_are_refused(runner, order):
    X, Y = data_of()
    with pytest.raises(ShapeError, match="0 to 8"):
        runner.train(X, Y, np.array(order), 2, np.ones(1))


def test_an_order_of_other_numbers_and_wrong_rates_are_refused(runner):
    X, Y = data_of()
    with pytest.raises(TypeMismatchError):
        runner.train(X, Y, np.array([0.0, 1.0]), 2, np.ones(1))
    with pytest.raises(ShapeError):
        runner.train(X, Y, np.arange(9), 2, np.ones(4))
    assert len(runner.train(X, Y, np.arange(0), 2, np.ones(0)).costs) == 0


@pytest.mark.parametrize("where", ["X", "Y", "weights"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
def test_a_nan_ends_the_epoch_at_its_step_and_leaves_what_was_learned(activation, where):
    network = dr.Network(3, [dr.Dense(5, activation), dr.Dense(4, activation), dr.Dense(2)])
    given = dict(zip("XY", data_of(12), strict=True), weights=np.ones(12, np.float32))
    clean = {name: array.copy() for name, array in given.items()}
    given[where][7] = np.nan
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
