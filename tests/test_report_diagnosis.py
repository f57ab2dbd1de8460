"""The training diagnosis: each mended statement on a run where it holds and where it does not."""

import numpy as np
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.report.diagnosis import diagnose

from .test_report import FALLING, run


def findings(*case, **looks):
    return {finding.what: finding for finding in diagnose(run(*case, **looks))}


def findings_of(network, X, Y, **settings):
    """Of a real run, looked into in every epoch."""
    watch = explain.Watch(share=1.0)
    result = dr.train(network, X, Y, callbacks=[watch], **settings)
    return {each.what for each in explain.report(result, X, Y, watch=watch).findings}


# --------------------------------------------------------------------------------- it went well


def test_costs_that_are_not_finite_are_divergence():
    for costs, held in (([1.0, np.inf] * 4, None), (FALLING, np.r_[FALLING[:-1], np.nan])):
        with np.errstate(invalid="ignore"):
            assert findings(costs, held)["The training diverged"].level == "problem"
    assert "The training diverged" not in findings(FALLING, FALLING)


@pytest.mark.parametrize("rate", [0.05, 5.0])
def test_no_training_goes_well_that_ends_in_no_numbers(rate):
    X = np.random.default_rng(0).standard_normal((200, 3))
    network = dr.Network(3, [dr.Dense(8, "relu"), dr.Dense(1)])
    settings = {"optimizer": dr.SGD(rate), "stopping": dr.Stopping(on_divergence="ignore")}
    result = dr.train(network, X, X[:, :1], epochs=8, **settings)
    page = explain.report(result, X, X[:, :1])
    found = {each.what for each in page.findings}
    assert ("Worse than the simplest guess" in found) == (rate == 5.0)
    assert ("The training went well" in found) == (rate == 0.05)
    assert ("the predictions are not finite numbers" in page.html) == (rate == 5.0)


# ------------------------------------------------------------------------- the gradient vanishes


def deep(activation):
    X = np.random.default_rng(0).standard_normal((200, 3))
    layers = [dr.Dense(8, activation) for _ in range(9)]
    return dr.Network(3, [*layers, dr.Dense(1)]), X, X[:, :1] * 2


def test_the_gradient_vanishes_in_many_sigmoid_layers():
    network, X, Y = deep("sigmoid")
    assert "The gradient vanishes" in findings_of(network, X, Y, optimizer="sgd", epochs=8)


def test_it_does_not_where_the_first_layer_moves_as_the_last_does():
    network, X, Y = deep("sigmoid")
    assert "The gradient vanishes" not in findings_of(network, X, Y, optimizer="adam", epochs=8)
    network, X, Y = deep("gelu")
    assert "The gradient vanishes" not in findings_of(network, X, Y, optimizer="sgd", epochs=8)
    same = {"gradient_norm": [1e-5, 0.1, 1.0], "update_ratio": [1e-3] * 3}
    assert "The gradient vanishes" not in findings(FALLING, **same)


def test_a_layer_without_parameters_neither_vanishes_nor_dies():
    X = np.random.default_rng(0).uniform(-1, 1, (60, 1))
    first = dr.PiecewiseLinear((tuple(np.linspace(-40.0, 40.0, 41)),))  # most bins are never met
    layers = [first, dr.Dense(4, "tanh"), dr.Dense(4, "tanh"), dr.Dense(1)]
    watch = explain.Watch(share=1.0)
    result = dr.train(dr.Network(1, layers), X, X, epochs=12, callbacks=[watch])
    assert np.isnan(watch.diagnostics.dead[:, 0]).all()
    found = {each.what for each in explain.report(result, X, X, watch=watch).findings}
    assert not {"The gradient vanishes", "Dead units in layer 1"} & found


# --------------------------------------------------------------------------- the network overfits


def rising(first, best, last, epochs=40):
    """A validation cost that falls for a quarter of the epochs and then rises."""
    at = epochs // 4
    return np.r_[np.geomspace(first, best, at), np.linspace(best, last, epochs - at + 1)[1:]]


LONG = np.geomspace(1.0, 0.01, 40)


def test_a_lasting_rise_is_overfitting():
    found = findings(LONG, rising(0.7, 0.5, 1.1), 10)["The network overfits"]
    assert found.level == "note"
    assert "Epoch 10 was restored, so the model is not affected." in found.why
    found = findings(LONG, rising(0.7, 0.5, 1.1), None)["The network overfits"]
    assert found.level == "problem"
    assert "The last epoch was kept." in found.why


@pytest.mark.parametrize(
    "held",
    [
        rising(0.06, 0.00145, 0.00188),  # small beside what was gained
        rising(0.7, 0.5, 0.54),  # small beside the best
        np.r_[rising(0.7, 0.5, 0.5)[:-1], 1.2],  # of the last epoch alone
        LONG,
    ],
    ids=["beside the fall", "beside the best", "once", "none"],
)
def test_other_rises_are_not(held):
    assert "The network overfits" not in findings(LONG, held, 10)


def test_overfitting_on_real_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 20))
    noise, signal = rng.standard_normal((400, 1)), X[:, :1] + X[:, 1:2]
    network = dr.Network(20, [dr.Dense(64, "relu"), dr.Dense(1)])
    settings = {"epochs": 40, "validation": 0.3, "optimizer": dr.Adam(0.01)}
    assert "The network overfits" in findings_of(network, X, noise, **settings)
    assert "The network overfits" not in findings_of(network, X, signal, **settings)


# --------------------------------------------------------------------------------------- the watch


def test_the_epoch_that_is_kept_is_looked_into():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    network = dr.Network(5, [dr.Dense(16, "tanh"), dr.Dense(1)])
    watch = explain.Watch(share=1e-9)
    settings = {"epochs": 12, "validation": 0.3, "callbacks": [watch]}
    result = dr.train(network, X, rng.standard_normal(200), **settings)
    assert watch.diagnostics.epochs.tolist() == sorted({1, result.best_epoch})
    watch = explain.Watch(share=1e-9)
    dr.train(network, X, X[:, 0], epochs=7, callbacks=[watch])
    assert watch.diagnostics.epochs.tolist() == [1, 7]
