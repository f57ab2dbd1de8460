"""What people do with a network and its result: show, predict labels, evaluate, save, load."""

import copy
import io
import pickle
import warnings
from dataclasses import fields

import numpy as np
import pandas
import pytest

import deltarule as dr
from deltarule.training.progress import Progress

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
CODES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
NAMES = np.array(["low", "mid", "top"])
THREE = dr.Network(3, [dr.Dense(8, "tanh"), dr.Dense(3, "softmax")], "categorical_cross_entropy")
TWO = dr.Network(3, [dr.Dense(1, "sigmoid")], "binary_cross_entropy")
LINE = dr.Network(3, [dr.Dense(1)])


def trained(network=THREE, Y=NAMES[CODES], **settings):
    settings = {"optimizer": dr.Adam(0.05), "epochs": 30} | settings
    return dr.train(network, X, Y, **settings)


# ----------------------------------------------------------------------------- one line


def shown():
    result = trained(epochs=1, statistics=True)
    runner = dr.start(THREE)
    yield from (THREE, *THREE.layers, *map(dr.OPTIMIZERS, dr.OPTIMIZERS), result, runner)
    yield from (result.history, *result.history, dr.train_many(LINE, X, X[:, 0], seeds=[1, 2]))
    yield from (dr.Run.of(THREE), dr.Stopping(), dr.Regularization(l2=0.1), dr.EngineOptions())
    yield from (dr.TrainingState(result.parameters), dr.Cosine(0.1), dr.Warmup(0.1, 3))
    yield from map(dr.ACTIVATIONS, dr.ACTIVATIONS)
    yield dr.PiecewiseLinear(tuple(tuple(np.linspace(0, 1, 50)) for _ in range(9)))
    yield dr.Network(3, [dr.Dense(8, "relu")] * 40 + [dr.Dense(1)])


def test_everything_is_shown_in_one_line():
    for value in shown():
        text = repr(value)
        assert "\n" not in text, text
        assert len(text) < 250, text
        assert "0x" not in text, text


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw", "lion", "rmsprop"])
def test_a_shown_optimizer_is_what_makes_it(optimizer):
    made = dr.OPTIMIZERS(optimizer)
    assert eval(repr(made), vars(dr)) == made
    changed = type(made)(0.5)
    assert eval(repr(changed), vars(dr)) == changed


def test_a_shown_network_is_what_makes_it():
    text = "Network(3, [Dense(8, 'tanh'), Dense(3, 'softmax')], 'categorical_cross_entropy')"
    assert repr(THREE) == text
    assert eval(text, vars(dr)) == THREE
    other = dr.Dense(8, "tanh", dropout=0.5, weights="zeros")
    assert repr(other) == "Dense(8, 'tanh', dropout=0.5, weights='zeros')"


def test_a_custom_row_is_no_name():
    cube = dr.Activation("relu", lambda Z: Z**3, lambda Z: 3 * Z**2)
    assert repr(dr.Dense(2, cube)) == "Dense(2, Activation('relu'))"


def test_what_is_shown_copies_and_pickles():
    for value in (THREE, dr.Adam(0.1), trained(epochs=1).history):
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value


def test_a_summary_counts_what_there_is(capsys):
    THREE.summary()
    out = capsys.readouterr().out
    assert f"{THREE.parameter_count} parameters" in out
    assert out.splitlines()[2].split() == ["1", "dense", "tanh", "8", "32"]


# ----------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("network", "Y", "classes"),
    [
        (THREE, CODES, [0, 1, 2]),
        (THREE, NAMES[CODES], ["low", "mid", "top"]),
        (THREE, list(NAMES[CODES]), ["low", "mid", "top"]),
        (THREE, pandas.Series(NAMES[CODES]), ["low", "mid", "top"]),
        (TWO, CODES > 0, [False, True]),
        (TWO, (CODES > 0).astype(np.int8), [0, 1]),
        (TWO, np.where(CODES > 0, "yes", "no"), ["no", "yes"]),
    ],
)
def test_labels_come_back(network, Y, classes):
    result = trained(network, Y, epochs=60)
    assert result.classes.tolist() == classes
    predicted = result.predict(X)
    assert predicted.shape == (200,)
    assert set(predicted.tolist()) <= set(classes)
    P = result.predict_proba(X)
    assert P.shape == (200, len(classes))
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-5)
    assert (np.array(classes)[P.argmax(axis=1)] == predicted).all()
    accuracy = (predicted == np.asarray(Y)).mean()
    assert accuracy > 0.8
    assert result.evaluate(X, Y)["accuracy"] == pytest.approx(accuracy)


def test_text_and_numbers_train_the_same_bits():
    by_name, by_code = trained(validation=0.25), trained(Y=CODES, validation=0.25)
    for ours, theirs in zip(by_name.parameters, by_code.parameters, strict=True):
        assert all((ours[name] == theirs[name]).all() for name in ours)


def test_validation_data_may_be_labels_too():
    result = trained(validation=(X[:50], NAMES[CODES[:50]]))
    assert result.evaluate()["accuracy"] == result.evaluate(X[:50], NAMES[CODES[:50]])["accuracy"]
    with pytest.raises(dr.DataError, match=r"validation: label 'huge' in row 1 is none of"):
        trained(validation=(X[:2], ["low", "huge"]))


@pytest.mark.parametrize(
    ("Y", "error", "match"),
    [
        (["low", "top"] * 100, dr.DataError, r"labels of 3 classes.*got 2: 'low', 'top'"),
        (["low", 1] * 100, dr.TypeMismatchError, r"got 1 of type int in row 1"),
        (["low", None] * 100, dr.TypeMismatchError, r"got None of type NoneType in row 1"),
        (np.full(200, 7), dr.DataError, r"class labels 0 to 2, got 7"),
    ],
)
def test_labels_that_fit_no_network(Y, error, match):
    with pytest.raises(error, match=match):
        trained(Y=Y)


def test_numbers_stay_numbers():
    result = trained(TWO, (CODES > 0).astype(float), epochs=1)
    assert result.classes is None
    assert result.predict(X).shape == (200, 1)
    assert result.predict_proba(X).shape == (200, 2)
    with pytest.raises(dr.TypeMismatchError, match=r"predict_proba: expected a network whose"):
        trained(LINE, X[:, 0], epochs=1).predict_proba(X)


# --------------------------------------------------------------------------- the result


def test_metrics_are_those_of_the_predictions():
    result = trained(LINE, X @ [1.0, 2.0, 3.0] + 0.3 * X[:, 0] ** 2)
    Y = X @ [1.0, 2.0, 3.0]
    found, error = result.evaluate(X, Y), result.predict(X)[:, 0] - Y
    assert found["mae"] == pytest.approx(abs(error).mean(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert found["cost"] == pytest.approx((error**2).mean(), rel=1e-5)
    weighted = result.evaluate(X, Y, np.arange(200.0))
    assert weighted["mae"] == pytest.approx(
        np.average(abs(error), weights=np.arange(200)), rel=1e-5
    )


def test_several_labels_have_an_accuracy():
    network = dr.Network(3, [dr.Dense(2, "sigmoid")], "binary_cross_entropy")
    Y = (X[:, :2] > 0).astype(float)
    result = trained(network, Y)
    right = ((result.predict(X) >= 0.5) == Y).mean()
    assert result.evaluate(X, Y) == pytest.approx({"cost": result.runner.cost(
        X.astype("float32"), Y.astype("float32")), "accuracy": right})  # fmt: skip


def test_without_rows_the_validation_data_is_meant():
    result = trained(validation=0.25)
    assert result.evaluate()["cost"] == pytest.approx(min(result.history["validation_cost"]))
    with pytest.raises(dr.SettingError, match=r"evaluate: expected rows .* validation=0.2"):
        trained().evaluate()
    with pytest.raises(dr.SettingError, match=r"report: expected rows .* validation=0.2"):
        trained().report()


def test_a_history_is_events_and_columns():
    history = trained(epochs=4, validation=0.25).history
    assert [event.epoch for event in history] == history["epoch"].tolist() == [1, 2, 3, 4]
    assert history[1:3]["cost"].tolist() == history["cost"][1:3].tolist()
    assert np.isnan(history["figure"]).all()
    frame = pandas.DataFrame(history)
    assert list(frame.columns) == [each.name for each in fields(dr.EpochEnded)]
    assert frame["validation_cost"].tolist() == history["validation_cost"].tolist()
    with pytest.raises(dr.UnknownNameError, match=r"Write history\['validation_cost'\]"):
        history["val_loss"]


def test_plots_and_reports(tmp_path):
    result = trained(validation=0.25, epochs=3)
    assert result.plot().get_xlabel() == "epoch"
    result.report(tmp_path / "report.html", title="Heights")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Heights" in page
    assert "top" in page
    assert result.report(X=X, Y=NAMES[CODES]).html


# -------------------------------------------------------------------------------- load


def test_a_result_is_saved_and_loaded(tmp_path):
    for network, Y in ((THREE, NAMES[CODES]), (TWO, CODES > 0), (LINE, X[:, 0]), (THREE, CODES)):
        result = trained(network, Y, epochs=3)
        result.save(tmp_path / "model")
        model = dr.load(tmp_path / "model")
        assert type(model) is dr.Model
        assert (model.predict(X) == result.predict(X)).all()
        assert model.predict(X).dtype == result.predict(X).dtype
        assert model.evaluate(X, Y) == pytest.approx(result.evaluate(X, Y))
        if network is not LINE:
            assert (model.predict_proba(X) == result.predict_proba(X)).all()
        model.save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


def test_load_gives_what_was_saved(tmp_path):
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    saved = {
        "mlp": dr.MLPClassifier((4,), max_iter=3),
        "regressor": dr.MLPRegressor(hidden_layer_sizes=(4,), max_iter=3),
        "table": dr.TabularClassifier(epochs=2, random_state=0),
        "numbers": dr.TabularRegressor(epochs=2, random_state=0),
    }
    for name, estimator in saved.items():
        Y = (
            X[:, 0] + X[:, 1]
            if isinstance(estimator, (dr.MLPRegressor, dr.TabularRegressor))
            else NAMES[CODES]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            estimator.fit(frame, Y)
        estimator.save(tmp_path / name)
        found = dr.load(tmp_path / name)
        assert type(found) is type(estimator)
        assert (found.predict(frame) == estimator.predict(frame)).all()
    keyed = dr.train_by_key({"x": X[:, 0], "k": ["a", "b"] * 100, "y": X[:, 1]}, "y", "k",
                            epochs=2, out=tmp_path / "keys")  # fmt: skip
    for path in (tmp_path / "keys", tmp_path / "keys" / "models.safetensors"):
        assert dr.load(path).keys == keyed.keys


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\x89HDF\r\n", "an HDF5 file, as Keras writes it"),
        (b"PK\x03\x04", "a zip archive"),
        (pickle.dumps({"a": 1}), "a pickle"),
        (b"", "the file is empty"),
        (b"a,b\n1,2\n" * 9, "it does not begin like a safetensors file"),
    ],
)
def test_load_names_foreign_files(tmp_path, content, match):
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(dr.FileError, match=match):
        dr.load(tmp_path / "model")
    with pytest.raises(dr.FileError, match="cannot be read"):
        dr.load(tmp_path / "none")


def test_load_names_an_unfinished_training(tmp_path):
    trained(checkpoints=dr.Checkpoints(tmp_path / "run"), epochs=2)
    file = next((tmp_path / "run").glob("checkpoint-*"))
    for path in (tmp_path / "run", file):
        with pytest.raises(dr.FileError, match=r"checkpoint.* Continue the training"):
            dr.load(path)


def test_a_file_with_classes_of_another_network_is_refused(tmp_path):
    from deltarule.modelfile import Model, load_model, save_model

    for classes in (["a"], ["a", 1, "b"], ["a", "a", "b"], "abc", [0.5, 1.5, 2.5], {"a": 1}):
        model = Model(THREE, THREE.initial_parameters(), about={"classes": classes})
        save_model(tmp_path / "model", model)
        with pytest.raises(dr.FileError, match="its classes are not those"):
            load_model(tmp_path / "model")


# --------------------------------------------------------------------------- many, keyed


def test_a_member_is_the_result_that_train_gives():
    many = dr.train_many(THREE, X, NAMES[CODES], seeds=[3, 4], epochs=3)
    assert many.predict(X).shape == (2, 200)
    assert many.predict_proba(X).shape == (2, 200, 3)
    for member, seed in zip(many, [3, 4], strict=True):
        alone = dr.train(THREE, X, NAMES[CODES], seed=seed, epochs=3)
        assert (member.predict_proba(X) == alone.predict_proba(X)).all()
        np.testing.assert_allclose(member.history["cost"], alone.history["cost"])
        assert member.history["step"].tolist() == alone.history["step"].tolist()
        assert member.evaluate(X, NAMES[CODES]) == alone.evaluate(X, NAMES[CODES])
    with pytest.raises(IndexError):
        many[2]


def test_a_members_best_epoch_is_that_of_its_validation_cost():
    held, kept = np.arange(50), np.arange(50, 200)
    settings = {"optimizer": dr.SGD(0.5), "epochs": 6}
    many = dr.train_many(LINE, X, X[:, 0], rows=[kept], validation=[held], **settings)
    best = int(many.validation_costs[0].argmin())
    assert many[0].best_epoch == best + 1
    assert [event.best for event in many[0].history].index(True) == best
    again = many[0].evaluate(X[held], X[held, 0])["cost"]
    assert again == pytest.approx(many.validation_costs[0].min(), rel=1e-6)


def test_keyed_training_takes_settings_by_name():
    table = {"x": X[:, 0], "k": ["a", "b"] * 100, "y": X[:, 1]}
    by_name = dr.train_by_key(table, "y", "k", epochs=2, seed=5)
    from deltarule.tabular import Settings

    by_group = dr.train_by_key(table, "y", "k", settings=Settings(epochs=2, seed=5))
    assert (by_name.outputs(table) == by_group.outputs(table)).all()
    with pytest.raises(dr.UnknownKeywordError, match=r"train_by_key has no parameter 'max_iter'"):
        dr.train_by_key(table, "y", "k", max_iter=3)


# ----------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def events(seconds, monkeypatch):
    """Three epochs, `seconds` apart on the clock that progress reads."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    result = trained(epochs=3)
    plan = result.runner.plan
    yield dr.Started(plan, "native", "", 200, 0, 32, 7, 3)
    for event in result.history:
        now[0] += seconds
        yield event


def progressed(stream, verbose, seconds, monkeypatch):
    source = events(seconds, monkeypatch)
    started = next(source)
    with Progress(verbose, stream) as progress:
        progress(started)
        for event in source:
            progress(event)
    return stream.getvalue(), progress


def test_a_terminal_has_a_bar_once_a_run_lasts(monkeypatch):
    assert progressed(Terminal(), None, 0.1, monkeypatch)[0] == ""
    text, _ = progressed(Terminal(), None, 1.5, monkeypatch)
    assert text.count("\r") == 2
    assert text.endswith("\n")
    assert "epoch 3/3 [========================]" in text
    assert "epoch 1/3" in progressed(Terminal(), True, 0.2, monkeypatch)[0]


def test_elsewhere_there_is_nothing_unless_asked_for(monkeypatch):
    _, progress = progressed(io.StringIO(), None, 9.0, monkeypatch)
    assert not progress.is_shown
    text, _ = progressed(io.StringIO(), True, 9.0, monkeypatch)
    assert [line.split()[1] for line in text.splitlines()] == ["1/3", "2/3", "3/3"]
    assert not Progress(False, Terminal()).is_shown
    assert not Progress(None, object()).is_shown


def test_train_shows_progress_where_it_is_asked_for(capsys):
    trained(epochs=2, verbose=True)
    assert capsys.readouterr().err.startswith("epoch 1/2  cost ")
    trained(epochs=2)
    trained(epochs=2, verbose=False)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_a_closed_stream_ends_no_training():
    stream = Terminal()
    stream.close()
    with Progress(True, stream) as progress:
        progress(dr.EpochEnded(1, 1, 0.5))


# ------------------------------------------------------------------------ slower engines


def test_a_slower_engine_is_named_with_its_reason():
    ordered = dr.Activation("ordered", lambda Z: np.sort(Z, axis=0), np.ones_like)
    network = dr.Network(3, [dr.Dense(2, ordered), dr.Dense(1)])
    with pytest.warns(dr.SlowerEngineWarning, match=r"'reference' is used, which is slower: "):
        dr.train(network, X, X[:, 0], epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dr.train(network, X, X[:, 0], epochs=1, engine="reference")


def test_start_and_train_have_one_default():
    assert dr.start(LINE).plan.optimizer == dr.Run.of(LINE).plan.optimizer == dr.Adam()


@pytest.mark.parametrize("engine", ["native", "reference", "jax"])
def test_arrays_of_another_dtype_are_named_with_the_cast(engine):
    runner = dr.start(LINE, engine=engine)
    Y = X[:, :1].astype(np.float32)
    with pytest.raises(dr.TypeMismatchError, match=r"numpy.asarray\(X, dtype='float32'\)"):
        runner.step(X, Y)
    runner.step(np.asarray(X, dtype="float32"), Y)
