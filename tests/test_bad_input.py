"""Bad input at every public function: what, expected, got, what to do; nothing else changes."""

import re

import numpy as np
import pytest

import deltarule as dr
from deltarule.checks import check_gradients
from deltarule.errors import require

NETWORK = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(2)])
CLASSES = dr.Network(3, [dr.Dense(2, "softmax")], "categorical_cross_entropy")
X = np.ones((5, 3))
Y = np.ones((5, 2))
ONE_HOT = np.eye(2)[[0, 1, 0, 1, 0]]


def train(X=X, Y=Y, network=NETWORK, **settings):
    return dr.train(network, X, Y, **({"epochs": 1} | settings))


def infinite(value, at=(3, 1)):
    bad = X.copy()
    bad[at] = value
    return bad


NAN, INF = infinite(np.nan), infinite(-np.inf)

CASES = {
    # shapes
    "one example as a vector": (
        lambda: train(X=np.ones(3)),
        dr.ShapeError,
        "X: expected shape (rows, 3), got (3,). Put one example in each row. "
        "For a single example write X[None, :].",
    ),
    "too many columns": (
        lambda: train(X=np.ones((5, 4))),
        dr.ShapeError,
        "X: expected shape (rows, 3), got (5, 4)",
    ),
    "examples in columns": (
        lambda: train(Y=Y.T),
        dr.ShapeError,
        "Y: expected shape (rows, 2), got (2, 5)",
    ),
    "unequal lengths": (
        lambda: train(Y=Y[:4]),
        dr.ShapeError,
        "X has 5 rows and Y 4; expected as many.",
    ),
    "no rows": (
        lambda: train(X=np.ones((0, 3)), Y=np.ones((0, 2))),
        dr.ShapeError,
        "X: expected at least one row, got shape (0, 3).",
    ),
    "ragged": (
        lambda: train(X=[[1, 2, 3], [1, 2]]),
        dr.ShapeError,
        "X: expected a rectangular table of numbers, got rows of unequal length.",
    ),
    "weights of another length": (
        lambda: train(weights=[1, 2]),
        dr.ShapeError,
        "weights: expected one number per example, shape (5,), got (2,).",
    ),
    "parameters of another shape": (
        lambda: train(parameters=dr.Network(3, [dr.Dense(4), dr.Dense(3)]).initial_parameters()),
        dr.ShapeError,
        "W[2]: expected shape (2, 4), got (3, 4).",
    ),
    "parameters of another network": (
        lambda: train(parameters=CLASSES.initial_parameters()),
        dr.ShapeError,
        "parameters: expected a sequence of 2 dictionaries, one a layer.",
    ),
    "parameters of other names": (
        lambda: train(parameters=({"w": 1}, {"W": 1})),
        dr.ShapeError,
        "parameters of layer 1: expected ['W', 'b'], got ['w'].",
    ),
    "initial values of another shape": (
        lambda: dr.Network(3, [dr.Dense(2, weights=np.ones((3, 2)))]).initial_parameters(),
        dr.ShapeError,
        "initial values: expected shape (2, 3), got (3, 2).",
    ),
    "validation of four items": (
        lambda: train(validation=(X, Y, X, Y)),
        dr.ShapeError,
        "validation: expected a share, (X, Y) or (X, Y, weights); got 4 items.",
    ),
    # types
    "text": (
        lambda: train(X=[["a", "b", "c"]] * 5),
        dr.TypeMismatchError,
        "X: expected numbers, got dtype <U1. Turn text and categories into numbers first.",
    ),
    "objects": (
        lambda: train(X=np.array([[None, 1, 2]] * 5, dtype=object)),
        dr.TypeMismatchError,
        "X: expected numbers, got dtype object.",
    ),
    "complex numbers": (
        lambda: train(X=X + 1j),
        dr.TypeMismatchError,
        "X: expected numbers, got dtype complex128.",
    ),
    "no network": (
        lambda: train(network="relu"),
        dr.TypeMismatchError,
        "network: expected a Network, got str.",
    ),
    "no layer": (
        lambda: dr.Network(3, [64]),
        dr.TypeMismatchError,
        "Network: expected layers such as Dense(64), got 64.",
    ),
    "an activation that is not a name": (
        lambda: dr.Dense(3, 5),
        dr.TypeMismatchError,
        "activation: expected a name or an instance of Activation; got 5 of type int.",
    ),
    "labels that are fractions": (
        lambda: train(network=CLASSES, Y=np.full(5, 0.5)),
        dr.TypeMismatchError,
        "Y: expected class labels as whole numbers 0 to 1, or shape (rows, 2)",
    ),
    "a callback that answers nonsense": (
        lambda: train(callbacks=[lambda event: "stop"]),
        dr.TypeMismatchError,
        "callback: expected None, StopTraining or ScaleRate, got 'stop'.",
    ),
    # values
    "NaN in X": (
        lambda: train(X=NAN),
        dr.DataError,
        "X: expected finite numbers, got nan in row 3, column 1 (1 such in all). "
        "Fill or drop them first.",
    ),
    "infinity in X": (
        lambda: train(X=INF),
        dr.DataError,
        "X: expected finite numbers, got -inf in row 3, column 1",
    ),
    "NaN in Y": (
        lambda: train(Y=np.where(Y == 1, np.nan, 0)),
        dr.DataError,
        "Y: expected finite numbers, got nan in row 0, column 0 (10 such in all)",
    ),
    "NaN in validation data": (
        lambda: train(validation=(NAN, Y)),
        dr.DataError,
        "X: expected finite numbers, got nan",
    ),
    "NaN in weights": (
        lambda: train(weights=[1, np.nan, 1, 1, 1]),
        dr.DataError,
        "weights: expected finite numbers, got nan in row 1",
    ),
    "a negative weight": (
        lambda: train(weights=[1, -2, 1, 1, 1]),
        dr.DataError,
        "weights: expected none below zero, got -2.0 in row 1.",
    ),
    "no weight at all": (
        lambda: train(weights=np.zeros(5)),
        dr.DataError,
        "weights: all are zero, so there is nothing to learn from.",
    ),
    "NaN in parameters": (
        lambda: train(parameters=({"W": np.full((4, 3), np.nan), "b": np.ones((4, 1))}, {})),
        dr.DataError,
        "W[1]: expected finite numbers, got nan",
    ),
    "NaN at prediction": (
        lambda: train().predict(NAN),
        dr.DataError,
        "X: expected finite numbers, got nan in row 3, column 1",
    ),
    "too large for float32": (
        lambda: train(X=X * 1e300),
        dr.DataError,
        "X: expected finite numbers, got inf in row 0, column 0",
    ),
    "a class that is not": (
        lambda: train(network=CLASSES, Y=[0, 1, 2, 0, 1]),
        dr.DataError,
        "Y: expected class labels 0 to 1, got 2.",
    ),
    "targets outside the cost's range": (
        lambda: train(network=CLASSES, Y=Y * 3),
        dr.DataError,
        "Y: cost 'categorical_cross_entropy' needs targets in [0, 1], got 3.0 in row 0, column 0.",
    ),
    "targets that are not a distribution": (
        lambda: train(network=CLASSES, Y=Y),
        dr.DataError,
        "Y: cost 'categorical_cross_entropy' needs targets that sum to 1 in each row, got 2 in "
        "row 0.",
    ),
    "negative counts": (
        lambda: train(network=dr.Network(3, [dr.Dense(2, "exp")], "poisson"), Y=-Y),
        dr.DataError,
        "Y: cost 'poisson' needs targets in [0, inf), got -1.0",
    ),
    # settings
    "no units": (
        lambda: dr.Dense(0),
        dr.SettingError,
        "Dense(units=0): units must be a whole number, at least 1; got 0.",
    ),
    "half a unit": (lambda: dr.Dense(2.5), dr.SettingError, "units must be a whole number"),
    "all dropped": (
        lambda: dr.Dense(3, dropout=1.0),
        dr.SettingError,
        "Dense(dropout=1.0): dropout must be a number, at least 0, below 1; got 1.0.",
    ),
    "dropout at the output": (
        lambda: dr.Network(3, [dr.Dense(2, dropout=0.5)]),
        dr.SettingError,
        "Network: the output layer has dropout=0.5; expected none there.",
    ),
    "no layers": (
        lambda: dr.Network(3, []),
        dr.SettingError,
        "Network: expected at least one layer, got none.",
    ),
    "no inputs": (lambda: dr.Network(0, [dr.Dense(1)]), dr.SettingError, "inputs must be"),
    "a negative rate": (
        lambda: dr.Adam(-1e-3),
        dr.SettingError,
        "Adam(learning_rate=-0.001): learning_rate must be a number, at least 0; got -0.001.",
    ),
    "a rate that is NaN": (lambda: dr.SGD(float("nan")), dr.SettingError, "learning_rate must be"),
    "a rate that is a boolean": (lambda: dr.SGD(True), dr.SettingError, "learning_rate must be"),
    "beta of 1": (
        lambda: dr.Adam(beta_2=1.0),
        dr.SettingError,
        "Adam(beta_2=1.0): beta_2 must be a number, at least 0, below 1; got 1.0.",
    ),
    "a negative penalty": (
        lambda: dr.Regularization(l2=-1),
        dr.SettingError,
        "Regularization(l2=-1): l2 must be a number, at least 0; got -1.",
    ),
    "clipping to nothing": (
        lambda: dr.Regularization(clip_norm=0),
        dr.SettingError,
        "clip_norm must be a number, above 0; got 0.",
    ),
    "a schedule without end": (
        lambda: dr.Cosine(0.1, steps=0),
        dr.SettingError,
        "Cosine(steps=0): steps must be a number, at least 1; got 0.",
    ),
    "a negative batch": (lambda: train(batch_size=-5), dr.SettingError, "batch_size must be"),
    "no epochs": (lambda: train(epochs=0), dr.SettingError, "epochs must be a whole number"),
    "a negative seed": (lambda: train(seed=-1), dr.SettingError, "seed must be a whole number"),
    "half precision": (
        lambda: train(dtype="float16"),
        dr.SettingError,
        "dtype must be one of float32, float64; got 'float16'.",
    ),
    "a dtype that is none": (lambda: train(dtype="real"), dr.SettingError, "got 'real'"),
    "all rows for validation": (
        lambda: train(validation=0.99),
        dr.SettingError,
        "validation=0.99 of 5 rows leaves 0 for training and 5 for validation",
    ),
    "a share above 1": (lambda: train(validation=1.5), dr.SettingError, "validation must be"),
    "patience without validation": (
        lambda: train(stopping=dr.Stopping(patience=3)),
        dr.SettingError,
        "Stopping(patience=3): needs validation data, got none. Pass validation=0.1",
    ),
    "a cost that needs probabilities": (
        lambda: dr.Network(3, [dr.Dense(2, "relu")], "binary_cross_entropy"),
        dr.SettingError,
        "Network: cost 'binary_cross_entropy' needs outputs in (0, 1), but the last layer's "
        "activation 'relu' gives [0, inf). Fitting ones: sigmoid, softmax.",
    ),
    "softmax over one": (
        lambda: dr.Network(3, [dr.Dense(1, "softmax")], "categorical_cross_entropy"),
        dr.SettingError,
        "Network: softmax over one output is always 1.",
    ),
    "smoothed regression": (
        lambda: train(regularization=dr.Regularization(label_smoothing=0.1)),
        dr.SettingError,
        "label_smoothing=0.1 needs a cost of classes, such as 'categorical_cross_entropy'; "
        "got 'mse'.",
    ),
    "dropout with L-BFGS": (
        lambda: train(network=dr.Network(3, [dr.Dense(2)], input_dropout=0.1), optimizer="lbfgs"),
        dr.SettingError,
        "LBFGS minimises the cost of all the data and does not go with dropout.",
    ),
    "a focal exponent without derivative": (
        lambda: dr.COSTS("focal(0.5)"),
        dr.SettingError,
        "focal(gamma=0.5): gamma must be 0 or at least 1; got 0.5.",
    ),
    "a quantile of 1": (lambda: dr.COSTS("quantile(1)"), dr.SettingError, "tau must be"),
    "a softmax of one class": (
        lambda: dr.COSTS("softmax_cross_entropy(1)"),
        dr.SettingError,
        "softmax_cross_entropy(classes=1): classes must be a whole number, at least 2; got 1.",
    ),
    "a softmax of half a class": (
        lambda: dr.COSTS("softmax_cross_entropy(2.5)"),
        dr.SettingError,
        "softmax_cross_entropy(classes=2.5): classes must be a whole number, at least 2; got 2.5.",
    ),
    "outputs that are not whole groups": (
        lambda: dr.Network(3, [dr.Dense(7)], "softmax_cross_entropy(3)"),
        dr.SettingError,
        "Network: cost 'softmax_cross_entropy(3)' takes its outputs in groups of 3; the last layer "
        "has 7. Expected a multiple of 3.",
    ),
    "letters for numbers": (
        lambda: dr.COSTS("quantile(high)"),
        dr.SettingError,
        "cost 'quantile(high)': expected numbers in the brackets, got 'high'.",
    ),
    "numbers too many": (lambda: dr.COSTS("huber(1, 2)"), dr.SettingError, "2 numbers"),
    "an open bracket": (
        lambda: dr.COSTS("quantile(0.9"),
        dr.SettingError,
        "cost 'quantile(0.9': the bracket is not closed.",
    ),
    "two brackets": (lambda: dr.COSTS("quantile(0.9))"), dr.SettingError, "got '0.9)'"),
    "a fan-in rule for biases": (
        lambda: dr.Dense(3, biases="he_normal"),
        dr.SettingError,
        "Dense(biases='he_normal'): this rule is one for weights, by a layer's fan-in;",
    ),
    "numbers for a plain row": (
        lambda: dr.COSTS("mse(2)"),
        dr.SettingError,
        "cost 'mse' takes no numbers; got 'mse(2)'.",
    ),
    "an activation without g'": (
        lambda: dr.Activation("mine", np.tanh, None),
        dr.SettingError,
        "Activation('mine'): needs g_prime",
    ),
    "the result of an unfinished run": (
        lambda: dr.Training(NETWORK, X, Y).result,
        dr.SettingError,
        "Training.result: the run is not over; iterate over it first.",
    ),
    # names
    "an activation misspelt": (
        lambda: dr.Dense(3, "rleu"),
        dr.UnknownNameError,
        "unknown activation 'rleu'. Did you mean 'relu'? Known: identity, sigmoid, tanh",
    ),
    "a cost misspelt": (
        lambda: dr.Network(3, [dr.Dense(1)], "msee"),
        dr.UnknownNameError,
        "unknown cost 'msee'. Did you mean 'mse'?",
    ),
    "an optimizer misspelt": (
        lambda: train(optimizer="adma"),
        dr.UnknownNameError,
        "unknown optimizer 'adma'. Did you mean 'adam'?",
    ),
    "a schedule misspelt": (
        lambda: dr.Adam("cosin(0.1)"),
        dr.UnknownNameError,
        "unknown schedule 'cosin'. Did you mean 'cosine'?",
    ),
    "an initializer misspelt": (
        lambda: dr.Dense(3, weights="xavier"),
        dr.UnknownNameError,
        "unknown initializer 'xavier'.",
    ),
    "an engine misspelt": (
        lambda: train(engine="refrence"),
        dr.UnknownNameError,
        "unknown engine 'refrence'. Did you mean 'reference'?",
    ),
    # other public functions
    "a gradient check of NaN": (
        lambda: check_gradients(NETWORK, NAN, Y),
        dr.DataError,
        "X: expected finite numbers, got nan",
    ),
    "a runner's parameters": (
        lambda: dr.start(NETWORK, parameters=({"W": [[1.0]], "b": [[1.0]]},) * 2),
        dr.ShapeError,
        "W[1]: expected shape (4, 3), got (1, 1).",
    ),
    "a package that is not installed": (
        lambda: require("no_such_package", "cli", "the command line"),
        dr.MissingExtraError,
        'the command line needs the package "no_such_package", which is not installed. '
        'Run: pip install "deltarule[cli]"',
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_message(name):
    call, kind, message = CASES[name]
    with pytest.raises(kind, match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, dr.DeltaruleError)


BUILT_IN_KIN = {
    dr.SettingError: ValueError,
    dr.UnknownNameError: LookupError,
    dr.ShapeError: ValueError,
    dr.TypeMismatchError: TypeError,
    dr.DataError: ValueError,
    dr.CellError: ValueError,
    dr.FileError: OSError,
    dr.MissingExtraError: ImportError,
    dr.DivergenceError: ArithmeticError,
}


@pytest.mark.parametrize("kind", list(BUILT_IN_KIN))
def test_each_error_is_also_what_a_caller_would_expect(kind):
    assert issubclass(kind, dr.DeltaruleError)
    assert issubclass(kind, BUILT_IN_KIN[kind])


RUNNER_CASES = {
    "another dtype": (lambda r, x, y: r.step(x.astype("float64"), y), dr.TypeMismatchError),
    "a list": (lambda r, x, y: r.step(x.tolist(), y), dr.TypeMismatchError),
    "another width": (lambda r, x, y: r.predict(x[:, :2]), dr.ShapeError),
    "a vector": (lambda r, x, y: r.predict(x[0]), dr.ShapeError),
    "fewer targets": (lambda r, x, y: r.step(x, y[:2]), dr.ShapeError),
    "weights of another length": (lambda r, x, y: r.step(x, y, y[:, 0][:2]), dr.ShapeError),
    "no rows": (lambda r, x, y: r.predict(x[:0]), dr.ShapeError),
    "dA of another shape": (lambda r, x, y: r.step_from(x, y[:, :1]), dr.ShapeError),
    "out of another shape": (lambda r, x, y: r.predict_into(x, y[:2]), dr.ShapeError),
    "order out of range": (
        lambda r, x, y: r.train(x, y, np.array([0, 5]), 2, np.array([0.1])),
        dr.ShapeError,
    ),
    "order below zero": (
        lambda r, x, y: r.train(x, y, np.array([-1, 2]), 2, np.array([0.1])),
        dr.ShapeError,
    ),
    "too few rates": (
        lambda r, x, y: r.train(x, y, np.arange(5), 2, np.array([0.1])),
        dr.ShapeError,
    ),
}


@pytest.mark.parametrize("name", list(RUNNER_CASES))
def test_a_runner_checks_shape_and_dtype_and_stays_as_it_was(name):
    call, kind = RUNNER_CASES[name]
    runner = dr.start(NETWORK, engine="reference")
    before = runner.parameters()
    x, y = np.ones((5, 3), "float32"), np.ones((5, 2), "float32")
    with pytest.raises(kind):
        call(runner, x, y)
    for a, b in zip(runner.parameters(), before, strict=True):
        for part in a:
            np.testing.assert_array_equal(a[part], b[part])
    assert runner.state().step == 0
