"""Sparse examples: the numbers of dense ones, a batch at a time; bad structure is refused."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import deltarule as dr
from deltarule.sparse import CompressedRows

NETWORK = dr.Network(23, [dr.Dense(19, "tanh", 0.2), dr.Dense(3)])
EMBEDDED = dr.Network(
    23,
    [
        dr.Parallel(
            [
                (0, 20, [dr.Periodic(4), dr.Grouped(3, size=4, activation="relu")]),
                (19, 23, [dr.Embedding([3, 2, 4, 2], width=5)]),
            ]
        ),
        dr.Shared(7, 4, "tanh"),
        dr.Dense(3),
    ],
)
M = 41


def data_of(dtype="float32", indices="int32", m=M, width=23):
    rng = np.random.default_rng(0)
    X = sparse.random_array((m, width), density=0.2, format="csr", rng=rng, dtype=dtype)
    X.indices, X.indptr = X.indices.astype(indices), X.indptr.astype(indices)
    return X, rng.standard_normal((m, 3)).astype(dtype)


def arrays_of(parameters):
    return [W for layer in parameters for W in layer.values()]


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def every_method(runner, X, Y):
    """What all methods of a runner return, and the parameters they leave."""
    order, out = np.random.default_rng(2).permutation(M), np.zeros((M, 3), Y.dtype)
    s = np.linspace(0, 1, M, dtype=Y.dtype)
    found = [runner.predict(X), runner.jacobian(X), runner.cost(X, Y, s), out]
    found += [runner.cost(X, Y, s, penalised=False), *arrays_of(runner.gradients(X, Y, s))]
    runner.predict_into(X, out)
    found += [runner.train(X, Y, order, 7, np.full(6, 1e-2), s).costs, runner.step(X, Y, s)]
    runner.step_from(X, Y)
    return [*found, *arrays_of(runner.parameters())]


@pytest.mark.parametrize("network", [NETWORK, EMBEDDED], ids=["dense", "embedded"])
@pytest.mark.parametrize("indices", ["int32", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_native_gives_the_bits_of_dense_examples(dtype, indices, network):
    X, Y = data_of(dtype, indices)
    plan = {"optimizer": "adam", "dtype": dtype, "engine": "native"}
    runners = [dr.start(network, **plan) for _ in range(3)]
    expected = every_method(runners[0], X.toarray(), Y)
    assert_equal(every_method(runners[1], X, Y), expected)
    assert_equal(every_method(runners[2], CompressedRows.of(X), Y), expected)


@pytest.mark.parametrize("engine", ["reference", "jax"])
def test_other_engines_give_the_numbers_of_dense_examples(engine):
    X, Y = data_of("float64")
    plan = {"optimizer": "adam", "dtype": "float64", "engine": engine}
    runners = [dr.start(NETWORK, **plan) for _ in range(2)]
    found = [every_method(r, x, Y) for r, x in zip(runners, (X, X.toarray()), strict=True)]
    for ours, dense in zip(*found, strict=True):
        np.testing.assert_allclose(ours, dense, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("engine", ["native", "reference", "jax"])
def test_training_and_predicting(engine, form):
    X, Y = data_of()
    X = form(X)
    plan = {"epochs": 3, "batch_size": 8, "validation": 0.2, "engine": engine}
    ours, dense = (dr.train(NETWORK, x, Y, **plan) for x in (X, X.toarray()))
    np.testing.assert_allclose(
        [(e.cost, e.validation_cost) for e in ours.history],
        [(e.cost, e.validation_cost) for e in dense.history],
        rtol=1e-5,
    )
    np.testing.assert_allclose(ours.predict(X), dense.predict(X.toarray()), rtol=1e-4, atol=1e-6)
    if engine == "native":
        assert_equal(arrays_of(ours.parameters), arrays_of(dense.parameters))


def test_whole_numbers_and_booleans_are_read():
    X, Y = data_of()
    X.data[:] = 1
    expected = dr.train(NETWORK, X.toarray(), Y, epochs=1).predict(X)
    for dtype in (np.int8, bool, np.float64):
        assert_equal([dr.train(NETWORK, X.astype(dtype), Y, epochs=1).predict(X)], [expected])


def test_lbfgs_takes_them():
    X, Y = data_of("float64")
    network = dr.Network(23, [dr.Dense(3)])
    plan = {"optimizer": "lbfgs", "epochs": 4, "dtype": "float64"}
    ours, dense = (dr.train(network, x, Y, **plan).predict(X) for x in (X, X.toarray()))
    np.testing.assert_allclose(ours, dense, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_unsorted_entries_and_duplicates_are_added_up(data):
    """Any structure that leads nowhere else is read as SciPy reads it, bit for bit."""
    m, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40))
    lengths = data.draw(st.lists(st.integers(0, 9), min_size=m, max_size=m))
    entries = sum(lengths)
    columns = data.draw(st.lists(st.integers(0, width - 1), min_size=entries, max_size=entries))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    values = np.random.default_rng(entries).standard_normal(entries)
    X = sparse.csr_array((values, np.array(columns, int), indptr), shape=(m, width))
    assert_equal([CompressedRows.of(X).dense()], [X.toarray()])
    rows = np.arange(m)[::-1]
    assert_equal([CompressedRows.of(X).take(rows).dense()], [X.toarray()[rows]])
    runner = dr.start(dr.Network(width, [dr.Dense(1)]), engine="native", dtype="float64")
    assert_equal([runner.predict(X)], [runner.predict(X.toarray())])


class Hostile:
    """Looks like a CSR matrix and leads out of itself; SciPy would not make it."""

    format = "csr"

    def __init__(self, **changes):
        X, _ = data_of(m=5)
        parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
        self.__dict__.update(parts | changes)
        self.nnz = len(X.data)
        for name in ("data", "indices", "indptr"):
            setattr(self, name, np.array(getattr(self, name)))


def changed(name, place, value):
    array = getattr(data_of(m=5)[0], name).copy()
    array[place] = value
    return {name: array}


HOSTILE = [
    changed("indices", 3, 23),
    changed("indices", 3, -1),
    changed("indices", -1, 2**31 - 1),
    changed("indptr", 0, 1),
    changed("indptr", 0, -1),
    changed("indptr", 2, -5),
    changed("indptr", 2, 10**6),
    changed("indptr", -1, 10**6),
    changed("indptr", slice(1, None), 2**31 - 1),
    {"indptr": np.zeros(5, np.int32)},
    {"indptr": np.zeros(7, np.int32)},
    {"indptr": np.zeros(0, np.int32)},
    {"indices": np.zeros(2, np.int32)},
    {"data": np.zeros(2, np.float32)},
    {"data": np.zeros((1, 23), np.float32)},
    {"shape": (2**40, 23)},
    {"shape": (5, 22)},
    {"shape": (0, 23), "indptr": np.zeros(1, np.int32)},
    {"shape": (5,)},
    {"indices": np.zeros(23, np.float32)},
    {"indptr": np.zeros(6, np.float64)},
    {"indices": np.zeros(23, object)},
    {"format": "csc"},
]


@pytest.mark.parametrize("wrong", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("engine", ["native", "reference", "jax"])
def test_hostile_structure_is_refused(engine, wrong):
    X, Y = Hostile(**wrong), np.ones((5, 3), np.float32)
    runner = dr.start(NETWORK, engine=engine)
    before = arrays_of(runner.parameters())
    calls = [
        lambda: runner.train(X, Y, np.arange(5), 2, np.ones(3)),
        lambda: runner.step(X, Y),
        lambda: runner.predict(X),
        lambda: runner.predict_into(X, Y.copy()),
    ]
    if engine == "native":
        calls += [lambda: dr.train(NETWORK, X, Y, epochs=1), lambda: runner.jacobian(X)]
    for call in calls:
        with pytest.raises((dr.ShapeError, dr.TypeMismatchError)):
            call()
    assert_equal(arrays_of(runner.parameters()), before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_entries_that_are_not_finite_are_named_by_place(value):
    X, Y = data_of()
    X.data[5] = value
    row, column = np.argwhere(~np.isfinite(X.toarray()))[0]
    with pytest.raises(dr.DataError, match=rf"row {row}, column {column} \(1 such"):
        dr.train(NETWORK, X, Y)


@pytest.mark.parametrize("form", [sparse.csc_array, sparse.coo_array])
def test_other_formats_are_told_what_to_do(form):
    X, Y = data_of()
    with pytest.raises(dr.TypeMismatchError, match=r"Pass X.tocsr\(\)"):
        dr.train(NETWORK, form(X), Y)


def test_the_dtype_is_the_plans():
    runner = dr.start(NETWORK, engine="native")
    with pytest.raises(dr.TypeMismatchError, match=r"X.data: expected an array of float32"):
        runner.predict(data_of("float64")[0])


MEMORY = """
import resource, sys
import numpy as np
import deltarule as dr
from scipy import sparse
m, width = 20_000, 5_000                      # 400 MB dense, 2 MB sparse
indptr = np.arange(0, 10 * m + 1, 10, dtype=np.int32)
indices = np.random.default_rng(0).integers(0, width, 10 * m).astype(np.int32)
X = sparse.csr_array((np.ones(10 * m, np.float32), indices, indptr), shape=(m, width))
Y = np.ones((m, 1), np.float32)
network = dr.Network(width, [dr.Dense(8, "relu"), dr.Dense(1)])
engine = sys.argv[1]
dr.train(network, X[:100], Y[:100], epochs=1, engine=engine)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = dr.train(network, X, Y, epochs=1, batch_size=64, validation=0.2, engine=engine)
result.predict(X)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such measure")
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_whole_is_never_dense(engine):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, engine], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    parts = {"native": 40, "reference": 180}[engine]  # MB: of a batch, of 4096 rows
    assert float(done.stdout) < parts
