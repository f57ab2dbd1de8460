"""The training process: batches, validation, *converged?*, events, divergence."""

from types import MappingProxyType

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines.native import core
from deltarule.training import steps
from deltarule.training.events import Ended, EpochEnded, Progressed, Started
from deltarule.training.stopping import Decision, Verdict

LINE = dr.Network(2, [dr.Dense(1)], "mse")


def line(m=40, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((m, 2))
    return X, X @ [1.0, -2.0] + 0.5 + noise * rng.standard_normal(m)


def fit(network=LINE, data=None, **settings):
    X, Y = data or line()
    settings = {"optimizer": dr.SGD(0.05), "epochs": 20, "dtype": "float64"} | settings
    return dr.train(network, X, Y, engine="reference", **settings)


def costs(result):
    return [event.cost for event in result.history]


def same(one, other):
    return all(
        (a[part] == b[part]).all()
        for a, b in zip(one.parameters, other.parameters, strict=True)
        for part in a
    )


def test_learns_a_line():
    result = fit(epochs=200)
    W, b = result.parameters[0]["W"], result.parameters[0]["b"]
    np.testing.assert_allclose(W, [[1.0, -2.0]], atol=1e-6)
    np.testing.assert_allclose(b, [[0.5]], atol=1e-6)
    np.testing.assert_allclose(result.predict([[1.0, 1.0]]), [[-0.5]], atol=1e-6)


def test_the_same_seed_gives_the_same_numbers():
    network = dr.Network(2, [dr.Dense(8, "relu", dropout=0.2), dr.Dense(1)])
    one, other = (fit(network, validation=0.2, seed=3) for _ in range(2))
    assert same(one, other)
    assert costs(one) == costs(other)
    assert not same(one, fit(network, validation=0.2, seed=4))


@pytest.mark.parametrize("batch_size", [1, 7, 40, 1000, None])
def test_batches(batch_size):
    result = fit(batch_size=batch_size, epochs=3, optimizer=dr.SGD(0.01))
    steps = -(-40 // min(batch_size or 40, 40))
    assert [event.step for event in result.history] == [steps, 2 * steps, 3 * steps]
    assert costs(result)[-1] < costs(result)[0]


def test_every_example_once_an_epoch_in_a_new_order():
    seen = []

    class Spy:
        def __init__(self, runner):
            self.runner = runner

        def __getattr__(self, name):
            return getattr(self.runner, name)

        def train(self, X, Y, order, *rest):
            seen.append(order.copy())
            return self.runner.train(X, Y, order, *rest)

    for shuffle in (True, False):
        seen.clear()
        X, Y = line()
        run = dr.Training(LINE, X, Y, epochs=3, shuffle=shuffle, batch_size=7, engine="reference")
        run.runner = Spy(run.runner)
        list(run)
        assert [sorted(order) for order in seen] == [list(range(40))] * 3
        assert (len({tuple(order) for order in seen}) == 3) == shuffle


def test_the_epochs_cost_is_the_mean_over_examples():
    """A short last batch counts by its size, weights by their sum."""
    X, Y = line(m=5)
    still = dr.GradientDescent(0.0)
    result = fit(data=(X, Y), batch_size=2, epochs=1, optimizer=still)
    expected = ((result.predict(X)[:, 0] - Y) ** 2).mean()
    assert costs(result)[0] == pytest.approx(expected)
    weights = np.array([1.0, 0, 3, 0, 0.5])
    result = fit(data=(X, Y), batch_size=2, epochs=1, optimizer=still, weights=weights)
    expected = np.average((result.predict(X)[:, 0] - Y) ** 2, weights=weights)
    assert costs(result)[0] == pytest.approx(expected)


def test_chunks_change_no_number(monkeypatch):
    whole = fit(batch_size=2)
    monkeypatch.setattr(steps, "_FIRST_CHUNK", 3)
    monkeypatch.setattr(steps, "_CHUNK_SECONDS", 1e-9)
    chopped = fit(batch_size=2)
    assert same(whole, chopped)
    assert costs(whole) == costs(chopped)


class TestConverged:
    def test_epoch_limit(self):
        result = fit(epochs=5)
        assert (result.stopped_because, len(result.history)) == ("epochs", 5)

    def test_gradient_norm(self):
        result = fit(stopping=dr.Stopping(epochs=1000, gradient_norm=1e-3), epochs=None)
        assert result.stopped_because == "gradient_norm"
        assert result.history[-1].gradient_norm < 1e-3 <= result.history[-2].gradient_norm

    def test_tolerance(self):
        rule = dr.Stopping(epochs=1000, tolerance=1e-6, tolerance_epochs=3)
        result = fit(stopping=rule, epochs=None)
        assert result.stopped_because == "tolerance"
        best = np.minimum.accumulate(costs(result))
        gains = best[:-1] - costs(result)[1:]
        assert (gains[-3:] <= 1e-6).all()
        assert not any((gains[i : i + 3] <= 1e-6).all() for i in range(len(gains) - 3))

    def test_patience_restores_the_best_epoch(self):
        network = dr.Network(2, [dr.Dense(50, "tanh"), dr.Dense(1)])
        X, Y = line(m=30, noise=2.0)
        test = line(m=200, noise=2.0, seed=9)
        result = fit(
            network,
            (X, Y),
            optimizer=dr.Adam(0.02),
            validation=test,
            stopping=dr.Stopping(epochs=500, patience=5),
            epochs=None,
        )
        assert result.stopped_because == "patience"
        validation = [event.validation_cost for event in result.history]
        assert result.best_epoch == int(np.argmin(validation)) + 1
        assert len(result.history) == result.best_epoch + 5
        restored = ((result.predict(test[0])[:, 0] - test[1]) ** 2).mean()
        assert restored == pytest.approx(min(validation))
        assert [e.epoch for e in result.history if e.best][-1] == result.best_epoch

    def test_a_metric_of_ones_own_judges(self):
        def closeness(truth, prediction):
            assert truth.shape == prediction.shape == (8, 1)
            return -abs(truth - prediction).max()

        result = fit(validation=0.2, metric=closeness, epochs=10)
        figures = [event.figure for event in result.history]
        assert result.best_epoch == int(np.argmax(figures)) + 1

    def test_time_limit(self):
        rule = dr.Stopping(epochs=10**9, seconds=0.05)
        assert fit(stopping=rule, epochs=None).stopped_because == "seconds"

    def test_each_verdict_is_a_sentence(self):
        for settings in ({"epochs": 1}, {"stopping": dr.Stopping(epochs=9, tolerance=1e9)}):
            assert len(fit(**({"epochs": None} | settings)).stopped_text.split()) > 3


class TestValidation:
    def test_a_fraction_is_held_out(self):
        X, Y = line()
        run = dr.Training(LINE, X, Y, validation=0.25, engine="reference", dtype="float64")
        rows = np.concatenate([run.data.X, run.validation.X])
        assert (len(run.data.X), len(run.validation.X)) == (30, 10)
        assert sorted(map(tuple, rows)) == sorted(map(tuple, X))

    def test_without_it_the_last_epoch_stays(self):
        assert fit().best_epoch is None

    def test_its_cost_has_no_penalty(self):
        X, Y = line()
        result = fit(validation=(X, Y), regularization=dr.Regularization(l2=10.0), epochs=1)
        expected = ((result.predict(X)[:, 0] - Y) ** 2).mean()
        assert result.history[0].validation_cost == pytest.approx(expected)

    def test_weights_of_its_own(self):
        X, Y = line()
        weights = np.arange(40.0)
        result = fit(validation=(X, Y, weights), epochs=1)
        expected = np.average((result.predict(X)[:, 0] - Y) ** 2, weights=weights)
        assert result.history[0].validation_cost == pytest.approx(expected)


class TestEvents:
    def test_their_order(self):
        X, Y = line()
        run = dr.Training(LINE, X, Y, epochs=2, engine="reference")
        kinds = [type(event) for event in run]
        assert kinds == [Started, EpochEnded, EpochEnded, Ended]

    def test_progress_within_a_long_epoch(self, monkeypatch):
        monkeypatch.setattr(steps, "_FIRST_CHUNK", 8)
        monkeypatch.setattr(steps, "_CHUNK_SECONDS", 1e-9)
        X, Y = line()
        events = list(dr.Training(LINE, X, Y, epochs=1, batch_size=1, engine="reference"))
        progress = [event for event in events if isinstance(event, Progressed)]
        assert progress[0].step == 8
        assert [p.step for p in progress] == sorted({p.step for p in progress})
        assert progress[-1].step < progress[-1].steps_per_epoch == 40

    def test_a_callback_may_stop(self):
        def enough(event):
            if isinstance(event, EpochEnded) and event.epoch == 3:
                return dr.StopTraining("three are enough")
            return None

        result = fit(callbacks=[enough])
        assert (result.stopped_because, result.stopped_text) == ("callback", "three are enough")
        assert len(result.history) == 3

    def test_a_callback_may_scale_the_rate(self):
        def halve(event):
            return dr.ScaleRate(0.5) if isinstance(event, EpochEnded) else None

        rates = [event.learning_rate for event in fit(callbacks=[halve], epochs=3).history]
        assert rates == pytest.approx([0.05, 0.025, 0.0125])

    def test_plateau(self):
        plateau = dr.ReduceOnPlateau(factor=0.1, patience=3, improvement=1e-3)
        rates = [e.learning_rate for e in fit(callbacks=[plateau], epochs=60).history]
        assert rates[0] == 0.05
        assert rates[-1] < 0.05
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] >= 0.05 * 1e-3

    def test_statistics_on_request(self):
        assert fit().history[0].statistics is None
        result = fit(statistics=True, batch_size=10, epochs=2)
        assert result.history[0].statistics.gradient_norm.shape == (4, 1)


class TestAveraging:
    """The moving mean of parameters, against what a listener sees between the epochs."""

    NETWORK = dr.Network(2, [dr.Dense(9, "tanh", dropout=0.1), dr.Dense(1)])

    def run(self, averaging, engine="reference", **settings):
        seen, runner = [], []

        def listen(event):
            if isinstance(event, Started):
                runner.append(event.runner)
            elif isinstance(event, EpochEnded):
                seen.append(runner[0].parameters())

        X, Y = line(noise=1.0)
        settings = {"epochs": 12, "validation": line(noise=1.0, seed=5), "batch_size": 7} | settings
        result = dr.train(
            self.NETWORK,
            *(X, Y),
            optimizer=dr.Adam(0.05),
            engine=engine,
            dtype="float64",
            averaging=averaging,
            callbacks=[listen],
            **settings,
        )
        return result, seen

    @staticmethod
    def mean(seen, horizon):
        """By weights: an epoch's share of the mean, times what each later one left of it."""
        shares = [1.0 / min(e, horizon) for e in range(1, len(seen) + 1)]
        weights = [p * np.prod([1.0 - q for q in shares[e + 1 :]]) for e, p in enumerate(shares)]
        assert sum(weights) == pytest.approx(1.0)
        return [
            {
                name: sum(w * p[l][name] for w, p in zip(weights, seen, strict=True))
                for name in seen[0][l]
            }
            for l in range(len(seen[0]))
        ]

    @pytest.fixture(params=["reference", "native", "jax"])
    def engine(self, request):
        """Each engine that is installed: `make pure` runs this file too."""
        if request.param == "native" and core.missing():
            pytest.skip("the compiled core is not installed")
        if request.param == "jax":
            pytest.importorskip("jax")
        return request.param

    def test_the_mean_is_evaluated_and_kept(self, engine):
        result, seen = self.run(2.5, engine)
        evaluate = dr.start(self.NETWORK, engine="reference", dtype="float64")
        X, Y = line(noise=1.0, seed=5)
        for epoch in result.history:
            evaluate.set_parameters(self.mean(seen[: epoch.epoch], 2.5))
            cost = evaluate.cost(X, Y.reshape(-1, 1))
            assert epoch.validation_cost == pytest.approx(cost, rel=1e-9)
        best = self.mean(seen[: result.best_epoch], 2.5)
        for ours, expected in zip(result.parameters, best, strict=True):
            for name in ours:
                np.testing.assert_allclose(ours[name], expected[name], rtol=1e-9, atol=1e-12)

    def test_the_steps_do_not_use_it(self, engine):
        (mean, seen), (plain, without) = (self.run(n, engine) for n in (4.0, 1.0))
        assert costs(mean) == costs(plain)
        for one, other in zip(seen, without, strict=True):
            np.testing.assert_array_equal(one[0]["W"], other[0]["W"])

    def test_without_validation_the_last_mean_stays(self):
        result, seen = self.run(3.0, validation=None)
        expected = self.mean(seen, 3.0)
        np.testing.assert_allclose(result.parameters[1]["W"], expected[1]["W"], rtol=1e-9)

    def test_a_metric_judges_the_mean(self):
        evaluated = []

        def metric(truth, prediction):
            evaluated.append(prediction.copy())
            return float(len(evaluated) == 4)

        result, _ = self.run(3.0, metric=metric)
        assert result.best_epoch == 4
        np.testing.assert_array_equal(result.predict(line(seed=5, noise=1.0)[0]), evaluated[3])

    def test_the_gradient_norm_is_the_means(self):
        X, Y = line()
        stopping = dr.Stopping(epochs=400, gradient_norm=1e-3)
        result = fit(data=(X, Y), averaging=20, stopping=stopping, epochs=None)
        assert result.stopped_because == "gradient_norm"
        gradients = result.runner.gradients(X, Y.reshape(-1, 1))
        norm = np.sqrt(sum((d * d).sum() for layer in gradients for d in layer.values()))
        assert norm == pytest.approx(result.history[-1].gradient_norm, rel=1e-9)
        assert norm < 1e-3

    def test_it_takes_noise_away(self):
        """Constant steps keep the parameters at a distance from the optimum; their mean is nearer.

        A line fitted to noisy targets with a rate of 0.1: by hand, least squares.
        """
        X, Y = line(m=200, noise=1.0)
        found = np.linalg.lstsq(np.c_[X, np.ones(200)], Y, rcond=None)[0]
        far = {}
        for averaging in (1.0, 50.0):
            result = fit(
                data=(X, Y),
                optimizer=dr.SGD(0.1, momentum=0.0),
                batch_size=5,
                epochs=100,
                averaging=averaging,
            )
            W, b = result.parameters[0]["W"][0], result.parameters[0]["b"][0]
            far[averaging] = np.linalg.norm([*W, *b] - found)
        assert far[50.0] < 0.3 * far[1.0]

    def test_divergence_begins_it_anew(self):
        run = dr.Training(
            LINE,
            *line(),
            optimizer=dr.SGD(0.01),
            stopping=dr.Stopping(epochs=30, on_divergence="reduce"),
            averaging=50.0,
            engine="reference",
            dtype="float64",
        )
        seen = []
        for event in run:
            seen.append(type(event))
            if isinstance(event, EpochEnded) and event.epoch == 4 and dr.RateReduced not in seen:
                run.act(dr.ScaleRate(1e4))
            run.resolve_wish()
        since = seen[::-1].index(dr.RateReduced)
        assert run.state.average.epochs == seen[-since:].count(EpochEnded) < len(run.history) == 30

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"averaging": 0.5}, "averaging"),
            ({"averaging": float("nan")}, "averaging"),
            ({"averaging": "5"}, "averaging"),
            ({"averaging": 5, "optimizer": "lbfgs"}, "LBFGS goes from where it is"),
        ],
    )
    def test_what_it_cannot_be(self, settings, message):
        with pytest.raises(dr.DeltaruleError, match=message):
            fit(**settings)


class TestFullBatchDriver:
    def test_lbfgs_converges(self):
        result = fit(optimizer="lbfgs", epochs=100)
        assert result.stopped_because == "driver"
        np.testing.assert_allclose(result.parameters[0]["W"], [[1, -2]], atol=1e-4)
        assert costs(result) == sorted(costs(result), reverse=True)

    def test_lbfgs_keeps_to_the_epoch_limit_and_the_best_epoch(self):
        network = dr.Network(2, [dr.Dense(30, "tanh"), dr.Dense(1)])
        X, Y = line(m=20, noise=2.0)
        test = line(m=200, noise=2.0, seed=9)
        result = fit(network, (X, Y), optimizer="lbfgs", epochs=30, validation=test)
        assert result.stopped_because == "epochs"
        assert len(result.history) == 30
        validation = [event.validation_cost for event in result.history]
        assert result.best_epoch == int(np.argmin(validation)) + 1

    def test_lbfgs_with_penalty_and_weights(self):
        X, Y = line(noise=0.5)
        weights = np.linspace(0, 1, 40)
        rules = dr.Regularization(l2=0.3)
        result = fit(
            data=(X, Y), optimizer="lbfgs", weights=weights, regularization=rules, epochs=200
        )
        A = np.c_[X, np.ones(40)]
        H = 2 * (A.T * weights) @ A / weights.sum() + 0.3 * np.diag([1, 1, 0])
        expected = np.linalg.solve(H, 2 * (A.T * weights) @ Y / weights.sum())
        np.testing.assert_allclose(result.parameters[0]["W"][0], expected[:2], atol=1e-4)

    def test_lbfgs_listens_to_callbacks(self):
        network = dr.Network(2, [dr.Dense(30, "tanh"), dr.Dense(1)])
        seen = []

        def enough(event):
            if isinstance(event, EpochEnded):
                seen.append(event.epoch)
                if event.epoch == 4:
                    return dr.StopTraining("four are enough")
            return None

        result = fit(network, line(noise=1.0), optimizer="lbfgs", epochs=50, callbacks=[enough])
        assert seen == [1, 2, 3, 4]
        assert result.stopped_text == "four are enough"

    def test_lbfgs_ends_where_nobody_listens_any_more(self):
        X, Y = line(noise=1.0)
        network = dr.Network(2, [dr.Dense(30, "tanh"), dr.Dense(1)])
        run = dr.Training(network, X, Y, optimizer="lbfgs", engine="reference")
        for event in run:
            if isinstance(event, EpochEnded):
                break
        assert len(run.history) == 1

    def test_lbfgs_does_not_step(self):
        runner = dr.start(LINE, optimizer="lbfgs", engine="reference")
        x, y = np.zeros((1, 2), "float32"), np.zeros((1, 1), "float32")
        with pytest.raises(dr.SettingError, match="does not step by batches"):
            runner.step(x, y)


class TestDivergence:
    def test_names_step_layer_quantity_and_advice(self):
        with pytest.raises(dr.DivergenceError, match="Lower the learning rate") as caught:
            fit(optimizer=dr.SGD(1e30), batch_size=10)
        error = caught.value
        assert 1 < error.step <= 40
        assert (error.layer, error.quantity) in {(1, "W"), (1, "b"), (1, "Z"), (None, "cost")}
        assert isinstance(error, ArithmeticError)

    def test_the_last_step_of_an_epoch_is_looked_at_too(self):
        with pytest.raises(dr.DivergenceError):
            fit(optimizer=dr.GradientDescent(1e308), batch_size=None, epochs=1)

    def test_the_first_layer_is_named(self):
        network = dr.Network(2, [dr.Dense(3), dr.Dense(3, "exp"), dr.Dense(1)])
        start = [dict(p) for p in network.initial_parameters(0, "float64")]
        start[1]["b"] += 800.0
        with pytest.raises(dr.DivergenceError, match="A of layer 2") as caught:
            fit(network, parameters=tuple(start))
        assert (caught.value.step, caught.value.layer, caught.value.quantity) == (1, 2, "A")


def test_class_labels_are_one_hot_targets():
    X = np.random.default_rng(0).standard_normal((30, 4))
    labels = np.arange(30) % 3
    network = dr.Network(4, [dr.Dense(3, "softmax")], "categorical_cross_entropy")
    one = dr.train(network, X, labels, epochs=2, engine="reference")
    other = dr.train(network, X, np.eye(3)[labels], epochs=2, engine="reference")
    assert same(one, other)


def test_a_run_starts_from_given_parameters_and_leaves_them_alone():
    start = LINE.initial_parameters(9, "float64")
    before = start[0]["W"].copy()
    result = fit(parameters=start, optimizer=dr.SGD(0.0), epochs=1)
    np.testing.assert_array_equal(result.parameters[0]["W"], before)
    fit(parameters=start, epochs=1)
    np.testing.assert_array_equal(start[0]["W"], before)


def test_the_callers_data_are_not_copied_where_they_fit():
    X, Y = np.zeros((10, 2), "float32"), np.zeros((10, 1), "float32")
    run = dr.Training(LINE, X, Y, engine="reference")
    assert np.shares_memory(run.data.X, X)
    assert np.shares_memory(run.data.Y, Y)


def test_a_schedule_is_bound_to_the_run():
    result = fit(optimizer=dr.SGD(dr.Cosine(0.1)), batch_size=None, epochs=10)
    rates = [event.learning_rate for event in result.history]
    expected = [0.1 * 0.5 * (1 + np.cos(np.pi * k / 10)) for k in range(10)]
    assert rates == pytest.approx(expected)


def test_a_run_goes_on_from_a_state():
    """Two runs of three epochs, the second from the first's state, are one of six."""
    X, Y = line()
    same = {"optimizer": dr.Adam(0.05), "shuffle": False, "batch_size": 7, "engine": "reference"}
    first = dr.Training(LINE, X, Y, epochs=3, **same)
    first.finish()
    on = dr.train(LINE, X, Y, epochs=3, state=first.snapshot(), **same)
    whole = dr.train(LINE, X, Y, epochs=6, **same)
    assert [e.cost for e in on.history] == [e.cost for e in whole.history[3:]]
    for own, expected in zip(on.parameters, whole.parameters, strict=True):
        for name, W in own.items():
            np.testing.assert_array_equal(W, expected[name])


def test_a_rule_of_the_callers_decides_on_end_best_epoch_and_rate():
    class Second(dr.StoppingRule):
        epochs, seconds, on_divergence = 9, None, "raise"
        decides = MappingProxyType({})

        def start(self, earlier=None):
            return (0,)

        def after_epoch(self, memory, event):
            verdict = self.verdict(memory, event)
            return (event.epoch,), Decision(event.epoch == 2, verdict, 0.5**event.epoch)

        def verdict(self, memory, event):
            return Verdict("third", "three are enough") if event.epoch == 3 else None

    X, Y = line()
    settings = {"optimizer": dr.GradientDescent(0.1), "batch_size": None, "engine": "reference"}
    result = dr.train(LINE, X, Y, stopping=Second(), **settings)
    assert [e.learning_rate for e in result.history] == [0.1, 0.05, 0.025]
    assert (result.stopped_because, result.best_epoch) == ("third", 2)
    assert [e.best for e in result.history] == [False, True, False]
    halved = dr.StepDecay(0.1, every=1, factor=0.5)
    two = dr.train(LINE, X, Y, epochs=2, **settings | {"optimizer": dr.GradientDescent(halved)})
    np.testing.assert_array_equal(result.parameters[0]["W"], two.parameters[0]["W"])
