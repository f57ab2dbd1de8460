"""Whatever is put in, out comes a result or an error of this package: plans, tables, parameters."""

import contextlib
import io
import json
import traceback
import warnings
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import polars as pl
from hypothesis import given
from sklearn.utils._param_validation import InvalidParameterError

import deltarule as dr

from .fuzz.examples import examples

ODD = st.sampled_from(
    [
        *(None, True, -1, 0, 1, 3, 0.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), 2**70),
        10**400,
        *("", "relu", "cosine(0.1)", "huber(2)", "x", "adam", (), (2,), b"", {}),
    ]
)
"""What no parameter is meant to be, and what some are."""

SMALL = st.integers(1, 4)
NAMES = {
    "activation": st.sampled_from(list(dr.ACTIVATIONS)),
    "cost": st.sampled_from(list(dr.COSTS)),
    "optimizer": st.sampled_from([name for name in dr.OPTIMIZERS if name != "lbfgs"]),
    "schedule": st.sampled_from(list(dr.SCHEDULES)),
}


def mostly(usual):
    """The usual, and one time in twenty something odd."""
    return st.integers(0, 19).flatmap(lambda k: ODD if k == 0 else usual)


def some(fields):
    """Any of some keyword arguments, each mostly as it should be."""
    return st.fixed_dictionaries({}, optional={k: mostly(v) for k, v in fields.items()})


EDGES = st.integers(1, 4).map(lambda width: ((-1.0, 0.0, 2.0),) * width)
STARTS = st.sampled_from([0.5, "normal(0.1)", "zeros", "he_normal", [[1.0]] * 2])
LAYERS = st.one_of(
    st.builds(
        lambda **k: (dr.Dense, k), units=mostly(SMALL), activation=mostly(NAMES["activation"])
    ),
    *(st.just((kind, {})) for kind in (dr.LayerNorm, dr.BatchNorm, dr.Scale, dr.Parametric)),
    st.builds(lambda start: (dr.Scale, {"start": start}), mostly(STARTS)),
    st.builds(lambda **k: (dr.PiecewiseLinear, k), edges=mostly(EDGES)),
    st.builds(lambda **k: (dr.Periodic, k), frequencies=mostly(SMALL)),
    st.builds(lambda **k: (dr.Embedding, k), levels=mostly(SMALL.map(lambda n: (3,) * n))),
    st.builds(lambda **k: (dr.Grouped, k), units=mostly(SMALL), size=mostly(SMALL)),
    st.builds(lambda **k: (dr.Shared, k), units=mostly(SMALL), members=mostly(SMALL)),
)
REGULARISATION = some(
    {
        **dict.fromkeys(("l1", "l2", "decay", "label_smoothing"), st.sampled_from([0.0, 0.1])),
        **dict.fromkeys(("clip_norm", "clip_value", "max_norm"), st.sampled_from([None, 0.5])),
    }
)
STOPPING = some(
    {
        "epochs": SMALL,
        "tolerance": st.sampled_from([None, 0.1]),
        "patience": st.sampled_from([None, 2]),
        "on_divergence": st.sampled_from(["raise", "stop", "reduce", "ignore"]),
    }
)
NUMBERS = st.lists(
    st.one_of(st.floats(-5, 5), st.sampled_from([0.0, 1.0, 1e30, float("nan"), -float("inf")])),
    min_size=1,
    max_size=40,
)


@contextlib.contextmanager
def nothing_else(*more):
    """Only this package's errors may leave, and no warning of NumPy's."""
    with warnings.catch_warnings(), contextlib.suppress(dr.DeltaruleError, *more):
        warnings.simplefilter("error", RuntimeWarning)
        yield


@examples(150)
@given(
    layers=st.lists(LAYERS, min_size=1, max_size=3),
    cost=mostly(NAMES["cost"]),
    optimizer=mostly(NAMES["optimizer"]),
    regularization=REGULARISATION,
    stopping=STOPPING,
    training=some(
        {
            "batch_size": SMALL,
            "validation": st.sampled_from([None, 0.4]),
            "dtype": st.sampled_from(["float32", "float64"]),
            "seed": SMALL,
            "engine": st.sampled_from(["auto", "native", "reference"]),
            "shuffle": st.booleans(),
            "averaging": st.sampled_from([0.5, 1.0, 3.0]),
            "statistics": st.booleans(),
        }
    ),
    numbers=NUMBERS,
    width=SMALL,
)
def test_any_plan_trains_or_is_refused(
    layers, cost, optimizer, regularization, stopping, training, numbers, width
):
    X = np.resize(numbers, (6, width))
    with nothing_else():
        network = dr.Network(width, [kind(**own) for kind, own in layers], cost)
        Y = np.resize(np.abs(numbers[::-1]), (6, network.outputs))
        if "cross_entropy" in network.cost_row.name or network.cost_row.distribution:
            Y = np.eye(network.outputs)[np.arange(6) % network.outputs]
        rules = replace(dr.Stopping(epochs=2), **stopping)
        result = dr.train(
            network, X, Y, optimizer=optimizer, stopping=rules,
            regularization=dr.Regularization(**regularization), **training,
        )  # fmt: skip
        assert result.predict(X).shape == (6, network.outputs)


@examples(60)
@given(
    name=NAMES["optimizer"],
    schedule=NAMES["schedule"],
    rate=mostly(st.sampled_from([0.0, 1e-3, 0.5])),
    steps=st.integers(0, 30),
)
def test_any_rate_is_a_schedule_or_refused(name, schedule, rate, steps):
    with nothing_else():
        row = replace(dr.SCHEDULES(schedule), rate=rate).bound(max(steps, 1))
        dr.OPTIMIZERS(name)
        assert np.isfinite(row(np.arange(steps))).all()


SHARE = st.sampled_from([0.0, 0.3])
ESTIMATOR = some(
    {
        "hidden_layer_sizes": st.sampled_from([3, (), (2, 3), [4]]),
        "activation": NAMES["activation"] | st.just("logistic"),
        "solver": st.sampled_from(["adam", "sgd", "lbfgs"]),
        "alpha": SHARE,
        "batch_size": st.sampled_from(["auto", 5]),
        "learning_rate": st.sampled_from(["constant", "invscaling", "adaptive"]),
        "learning_rate_init": st.sampled_from([1e-3, 10.0]),
        "early_stopping": st.booleans(),
        "validation_fraction": SHARE,
        "momentum": SHARE,
        "n_iter_no_change": SMALL,
        "optimizer": NAMES["optimizer"] | st.none(),
        "n_estimators": st.sampled_from([1, 2]),
        "warm_start": st.booleans(),
        "engine": st.sampled_from(["auto", "reference"]),
        "tol": SHARE,
        "checkpoints": st.none(),
    }
)
NESTED = some(
    {
        "regularization__dropout": SHARE,
        "regularization__l1": SHARE,
        "regularization__average": SHARE,
        "stopping__patience": SMALL,
        "stopping__on_divergence": st.sampled_from(["raise", "stop", "reduce", "ignore"]),
        "stopping__metric": st.sampled_from(["loss", "r2", "roc_auc"]),
        "network__normalization": st.sampled_from(["batch", "layer"]),
        "network__cost": NAMES["cost"],
    }
)


@examples(120)
@given(
    classifies=st.booleans(),
    parameters=ESTIMATOR,
    nested=NESTED,
    numbers=NUMBERS,
    labels=st.sampled_from([[0, 1], ["a", "b", "c"], [1], [True, False], [0.5, 2.5]]),
)
def test_any_parameters_of_an_estimator_fit_or_are_refused(
    classifies, parameters, nested, numbers, labels
):
    """Scikit-learn refuses some by an error of its own, which is a ValueError, as all here are."""
    kind = dr.MLPClassifier if classifies else dr.MLPRegressor
    X = np.resize(numbers, (20, 3))
    y = np.resize(labels, 20) if classifies else np.resize(numbers, 20)
    model = kind(random_state=0)
    with nothing_else(InvalidParameterError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_params(**{"max_iter": 2, **parameters}).set_params(**nested)
        with scikit_learns_own():
            model.fit(X, y)
            assert model.predict(X).shape == (20,)


@contextlib.contextmanager
def scikit_learns_own():
    """Let scikit-learn's own validation of data raise its ValueErrors."""
    try:
        yield
    except ValueError as error:
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if not frame.f_globals["__name__"].startswith("sklearn."):
            raise


CELLS = st.one_of(
    st.none(),
    st.sampled_from(["", "?", "NA", "1", "2.5", "1,5", "-3", "1e400", "yes", "no", "2024-05-31"]),
    st.text(max_size=3),
    st.integers(-3, 3),
    st.floats(-3, 3),
)


@examples(15)
@given(
    columns=st.lists(
        st.lists(CELLS, min_size=12, max_size=12).map(lambda cells: [str(c) for c in cells])
        | st.lists(st.floats(-3, 3) | st.none(), min_size=12, max_size=12)
        | st.lists(st.integers(0, 2), min_size=12, max_size=12),
        min_size=2,
        max_size=4,
    ),
    options=st.lists(
        st.sampled_from(
            [
                *(("--cv", "2"), ("--drop", "c1"), ("--task", "regression"), ("--weights", "c1")),
                *(("--time", "c1"), ("--groups", "c1"), ("--kind", "c1=category")),
                *(("--batch-size", "0"), ("--hidden", "2,x"), ("--on-divergence", "stop")),
            ]
        ),
        max_size=2,
        unique=True,
    ),
)
def test_any_table_is_trained_on_by_the_command_or_refused(tmp_path_factory, columns, options):
    """Status 0, 1 or 2; a sentence for each that is not 0, and never a traceback."""
    from deltarule.cli import main

    path = tmp_path_factory.mktemp("any") / "table.csv"
    pl.DataFrame({f"c{k}": c for k, c in enumerate(columns)}, strict=False).write_csv(path)
    given_options = [part for option in options for part in option]
    quick = ["--no-baselines", "--json", "--epochs", "1", "--hidden", "3", "--target", "c0"]
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        status = main(["train", str(path), *quick, *given_options])
    assert status in (0, 1, 2)
    if status == 0:
        assert json.loads(out.getvalue())["figures"]
    else:
        assert "\nerror: " in "\n" + err.getvalue()
