"""From a table to a evaluated model: splits, figures, baselines, the recipe, honest numbers."""

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

import deltarule as dr
from deltarule import baselines as bl
from deltarule import tabular
from deltarule.data import built_in
from deltarule.metrics import figures
from deltarule.tabular.embeddings import Columns, bins
from deltarule.tabular.splits import Keys, folds, held_out

QUICK = {"hidden": (16,), "epochs": 15, "learning_rate": 0.05}


def rng(seed=0):
    return np.random.default_rng(seed)


def flats(m=300, seed=0):
    random = rng(seed)
    area = random.uniform(20, 120, m)
    town = random.choice(["north", "south"], m)
    rent = 8 * area + 200 * (town == "south") + random.normal(0, 20, m)
    return pl.DataFrame(
        {"area": area, "town": town, "block": np.arange(m) // 10, "day": np.arange(m), "rent": rent}
    )


# -------------------------------------------------------------------------------------- splits


def test_classes_get_their_share():
    labels = np.repeat([0, 1, 2], [500, 100, 10])
    parts = held_out(610, 0.2, Keys(labels=labels), 0, 1)
    assert np.bincount(labels[parts.held]).tolist() == [100, 20, 2]
    assert sorted([*parts.kept, *parts.held]) == list(range(610))


def test_a_class_of_one_row_is_kept():
    labels = np.array([0] * 20 + [1])
    assert 20 in held_out(21, 0.5, Keys(labels=labels), 0, 1).kept


def test_groups_stay_together():
    groups = rng().integers(0, 30, 300)
    parts = held_out(300, 0.2, Keys(groups=groups), 0, 1)
    assert not set(groups[parts.kept]) & set(groups[parts.held])
    assert 40 <= len(parts.held) <= 80


@pytest.mark.parametrize("sizes", [(30, 30), (30, 30, 30), (60, 10, 10, 10, 10), (40, 20, 20, 20)])
def test_few_large_groups_are_split_whatever_the_seed(sizes):
    groups = np.repeat(np.arange(1, len(sizes) + 1), sizes)  # no row has group 0
    keys = Keys(groups=groups)
    for seed in range(50):
        parts = held_out(len(groups), 0.2, keys, seed, 1)
        assert not set(groups[parts.kept]) & set(groups[parts.held])
        if len(sizes) > 2:  # and what is left is split again
            again = held_out(len(parts.kept), 0.2, keys.take(parts.kept), seed, 2)
            assert len(again.kept)
            assert len(again.held)


def test_what_is_held_out_is_later():
    time = rng().integers(0, 50, 300)
    parts = held_out(300, 0.2, Keys(time=time), 0, 1)
    assert time[parts.kept].max() < time[parts.held].min()


@pytest.mark.parametrize(
    "written",
    [
        lambda i: f"{i % 28 + 1}.{i // 28 % 12 + 1}.{2019 + i // 336}",  # not in order of text
        lambda i: f"{i % 28 + 1} {['May', 'June', 'July'][i // 28 % 3]} {2019 + i // 84}",
        lambda i: f"{2000 + i // 4}Q{i % 4 + 1}",
        lambda i: 10 * i,
        lambda i: float(f"{i % 12 + 1}.{2000 + i // 12}"),
    ],
)
def test_times_however_they_are_written(written):
    frame = flats().with_columns(day=pl.Series([written(i) for i in range(300)]))
    whole = tabular.table(frame, tabular.Roles(("rent",), time="day"))
    assert (np.diff(whole.keys.time) > 0).all()


def test_rows_are_those_of_the_table_as_it_came():
    rent = flats()["rent"].set(flats()["block"] == 1, None)
    frame = flats().with_columns(rent, area=flats()["area"].set(flats()["day"] == 250, np.inf))
    with pytest.raises(
        dr.CellError, match="holds inf in row 250 of the table, counted from 0; exp"
    ) as caught:
        tabular.table(frame, tabular.Roles(("rent",)))
    assert caught.value.row == 250
    fine = tabular.table(frame.head(250), tabular.Roles(("rent",)))
    assert fine.rows.tolist() == [*range(10), *range(20, 250)]


@pytest.mark.parametrize("keys", [{}, {"labels": 3}, {"groups": 20}])
def test_folds_cover_every_row_once(keys):
    drawn = {name: rng().integers(0, n, 100) for name, n in keys.items()}
    found = list(folds(100, 4, Keys(**drawn), 0))
    assert sorted(np.concatenate([parts.held for parts in found])) == list(range(100))
    for parts in found:
        assert not set(parts.kept) & set(parts.held)
        if "groups" in drawn:
            groups = drawn["groups"]
            assert not set(groups[parts.kept]) & set(groups[parts.held])


def test_folds_by_time_train_on_the_past():
    time = rng().integers(0, 100, 200)
    for parts in folds(200, 4, Keys(time=time), 0):
        assert time[parts.kept].max() < time[parts.held].min()


def test_folds_need_as_many_groups_as_have_rows():
    groups = np.repeat([1, 4], 10)
    with pytest.raises(dr.DataError, match="3 folds: expected at least as many groups, got 2"):
        list(folds(20, 3, Keys(groups=groups), 0))


def test_splits_are_the_seeds():
    one, same, other = (held_out(100, 0.3, Keys(), seed, 1).held for seed in (5, 5, 6))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("keys", [{"groups": np.zeros(20, int)}, {"time": np.zeros(20, int)}])
def test_what_cannot_be_split(keys):
    with pytest.raises(dr.DataError, match="one part would be empty"):
        held_out(20, 0.2, Keys(**keys), 0, 1)


# ------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_of_classes_are_scikit_learns(weighted):
    labels = rng().integers(0, 2, 200)
    p = np.round(np.clip(0.4 * labels + rng(1).uniform(0, 0.6, 200), 0.01, 0.99), 1)
    P, s = np.stack([1 - p, p], axis=1), rng(2).uniform(0, 2, 200) if weighted else None
    found = figures("classification", labels, P, s)
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(labels, P.argmax(1), sample_weight=s),
            "log_loss": metrics.log_loss(labels, P, sample_weight=s),
            "auc": metrics.roc_auc_score(labels, p, sample_weight=s),
        }
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_of_numbers_are_scikit_learns(weighted):
    Y = rng().normal(size=(100, 2))
    P, s = Y + rng(1).normal(size=(100, 2)), rng(2).uniform(0, 2, 100) if weighted else None
    found = figures("regression", Y, P, s)
    assert found == pytest.approx(
        {
            "rmse": metrics.mean_squared_error(Y, P, sample_weight=s) ** 0.5,
            "mae": metrics.mean_absolute_error(Y, P, sample_weight=s),
            "r2": metrics.r2_score(Y, P, sample_weight=s),
        }
    )


def test_three_classes_have_no_auc_and_a_constant_no_r2():
    P = np.full((4, 3), 1 / 3)
    assert list(figures("classification", [0, 1, 2, 0], P)) == ["accuracy", "log_loss"]
    ones = np.ones((4, 1))
    assert list(figures("regression", ones, ones)) == ["rmse", "mae"]


def test_a_class_that_training_lacks_has_no_probability():
    rows = bl.Examples(rng().normal(size=(40, 2)), np.repeat([0, 2], 20), None)
    evaluated = bl.judge_baseline(
        bl.BASELINES["classification"][1], "classification", 3, rows, rows, 0
    )
    assert evaluated.figures["accuracy"] >= 0.5


# ------------------------------------------------------------------------------------- verdict


def evaluated(name, errors, **figures):
    """A model with such errors, its figures written as the sentences are to say them."""
    errors = np.asarray(errors)
    if errors.dtype == bool:
        rows = bl.Examples(errors, np.zeros(len(errors), int), None)
        found = bl.evaluated(name, "classification", rows, np.eye(2)[errors.astype(int)], 1.0)
    else:
        rows = bl.Examples(errors, np.zeros((len(errors), 1)), None)
        found = bl.evaluated(name, "regression", rows, np.sqrt(errors)[:, None], 1.0)
    return found._replace(figures=figures)


def test_the_verdict_says_who_wins():
    good, bad = rng().uniform(size=1000) < 0.1, rng(1).uniform(size=1000) < 0.4
    network, other = evaluated("network", good, accuracy=0.9), evaluated("trees", bad, accuracy=0.6)
    assert bl.verdict("classification", network, [other]) == (
        "The network wins: accuracy 0.900 for the network, 0.600 for trees, on 1,000 rows."
    )
    lost = bl.verdict(
        "classification",
        evaluated("network", bad, accuracy=0.6),
        [evaluated("trees", good, accuracy=0.9), evaluated("mean", ~good, accuracy=0.1)],
    )
    assert lost == (
        "Trees wins: accuracy 0.600 for the network, 0.900 for trees, on 1,000 rows. The network "
        "beats the mean."
    )
    draw = bl.verdict("classification", network, [evaluated("trees", good, accuracy=0.9)])
    assert draw.startswith("Too close to call: accuracy 0.900 for the network, 0.900 for trees")


def test_less_error_wins_a_regression():
    network, other = (
        evaluated("network", np.full(100, 0.1), rmse=0.3),
        evaluated("mean", [9.0] * 100, rmse=3.0),
    )
    assert bl.verdict("regression", network, [other]).startswith("The network wins: RMSE 0.300")


# -------------------------------------------------------------------------------------- recipe


@pytest.mark.parametrize(
    ("task", "outputs", "cost", "output"),
    [
        ("regression", 1, None, "identity"),
        ("classification", 1, None, "sigmoid"),
        ("classification", 4, None, "softmax"),
        ("regression", 1, "poisson", "exp"),
        ("regression", 1, "quantile(0.9)", "identity"),
        ("classification", 4, "focal", "softmax"),
        ("classification", 1, "binary_focal", "sigmoid"),
        ("classification", 1, "mse", "sigmoid"),
    ],
)
def test_the_output_fits_task_and_cost(task, outputs, cost, output):
    network = tabular.recipe(tabular.Settings(cost=cost), task, 5, outputs, 100).network
    assert network.layers[-1].g.name == output
    assert network.cost_row.name == (cost or network.cost_row.name).replace("focal", "focal(2)")


@pytest.mark.parametrize("name", list(dr.OPTIMIZERS))
def test_every_optimizer_has_a_recipe(name):
    chosen = tabular.recipe(tabular.Settings(optimizer=name), "regression", 5, 1, 100)
    optimizer = chosen.run.plan.optimizer_row
    assert optimizer.full_batch or isinstance(optimizer.schedule, dr.Cosine)
    assert chosen.run.plan.regularization.decay == 0.0


@pytest.mark.parametrize("name", list(dr.SCHEDULES))
def test_every_schedule_takes_the_rate(name):
    settings = tabular.Settings(schedule=name, learning_rate=0.5)
    assert (
        tabular.recipe(settings, "regression", 5, 1, 100).run.plan.optimizer_row.schedule.rate
        == 0.5
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1; got 0"),
        ({"epochs": 0}, "epochs must be a whole number, at least 1; got 0"),
        ({"hidden": (0,)}, "units must be a whole number"),
        ({"engine": "nativ"}, "unknown engine 'nativ'"),
        ({"optimizer": "adm"}, "unknown optimizer 'adm'. Did you mean 'adam'"),
        ({"optimizer": "lbfgs", "dropout": 0.1}, "does not go with dropout"),
        ({"task": "guess"}, "task must be 'classification' or 'regression'; got 'guess'"),
        ({"dtype": "int8"}, "dtype must be one of float32, float64"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(dr.SettingError, match=message):
        tabular.check(tabular.Settings(**settings))


# ---------------------------------------------------------------------------- table to figures


def run(frame, settings=None, **roles):
    settings = tabular.Settings(**(settings or QUICK))
    whole = tabular.table(frame, tabular.Roles(**roles), task=settings.task)
    parts = tabular.split(whole, settings)
    problem = tabular.problem(whole, settings, parts.kept, whole.frame[parts.held])
    return problem, tabular.fit(problem, settings), settings


def test_a_regression_beats_the_mean():
    problem, fitted, settings = run(flats(), target=("rent",))
    network = tabular.evaluated_network(fitted, problem)
    mean = tabular.baselines(problem, settings)[0]
    assert network.figures["rmse"] < 0.5 * mean.figures["rmse"]
    assert mean.figures["r2"] == pytest.approx(0.0, abs=0.1)


def test_nothing_is_learnt_from_the_held_out_rows():
    """Preprocessing, targets and parameters stay as they are whatever the held-out rows hold."""
    frame = flats()
    settings = tabular.Settings(**QUICK)
    roles = tabular.Roles(("rent",))
    whole = tabular.table(frame, roles)
    parts = tabular.split(whole, settings)
    held = np.isin(np.arange(len(frame)), parts.held)
    spoilt = frame.with_columns(
        pl.when(pl.Series(held)).then(1e6).otherwise(pl.col(name)).alias(name)
        for name in ("area", "rent")
    )
    one, other = (
        tabular.fit(tabular.problem(tabular.table(f, roles), settings, parts.kept, f), settings)
        for f in (frame, spoilt)
    )
    for own, same in zip(one.model.parameters, other.model.parameters, strict=True):
        for name in own:
            np.testing.assert_array_equal(own[name], same[name])
    assert one.model.targets == other.model.targets


def test_columns_with_a_role_are_no_inputs():
    problem, _, _ = run(flats(), target=("rent",), groups="block", weights="day", drop=("town",))
    assert problem.preprocessing.names == ("area",)


def test_several_targets():
    frame = flats().with_columns(double=pl.col("rent") * 2)
    problem, fitted, _ = run(frame, target=("rent", "double"), drop=("day", "block"))
    predicted = fitted.model.predict(problem.test)
    assert predicted.columns == ["rent", "double"]
    assert np.corrcoef(predicted["double"], problem.test["double"])[0, 1] > 0.9


def test_balanced_classes_count_alike():
    frame = pl.DataFrame({"x": rng().normal(size=200), "y": ["a"] * 180 + ["b"] * 20})
    problem, _, settings = run(frame, {**QUICK, "class_weight": "balanced"}, target=("y",))
    s = tabular.fitting.training_weights(problem, settings)
    labels = (problem.train["y"] == "b").to_numpy()
    assert s[labels].sum() == pytest.approx(s[~labels].sum())
    assert s.sum() == pytest.approx(len(s))


def test_counts_with_the_poisson_cost():
    random = rng()
    x = random.normal(size=400)
    frame = pl.DataFrame({"x": x, "y": random.poisson(np.exp(1 + x)) + 0.0})
    settings = {**QUICK, "cost": "poisson", "task": "regression", "epochs": 40}
    problem, fitted, _ = run(frame, settings, target=("y",))
    predicted = fitted.model.predict(problem.test)["y"].to_numpy()
    assert (predicted > 0).all()
    assert tabular.evaluated_network(fitted, problem).figures["r2"] > 0.4


def test_the_same_seed_gives_the_same_model():
    frame, target = built_in("iris")
    one, same, other = (
        run(frame, {**QUICK, "seed": seed}, target=(target,))[1].model for seed in (1, 1, 2)
    )
    assert (one.parameters[-1]["W"] == same.parameters[-1]["W"]).all()
    assert (one.parameters[-1]["W"] != other.parameters[-1]["W"]).any()


@pytest.mark.parametrize(
    ("asked", "averaging"),
    [
        ({}, 6.4),  # a twentieth of 128
        ({"epochs": 60}, 3.0),
        ({"epochs": 10}, 1.0),
        ({"optimizer": "adam"}, 1.0),
    ],
)
def test_parameters_are_averaged_over_a_twentieth_of_the_epochs(asked, averaging):
    plan = tabular.recipe(tabular.Settings(**asked), "classification", 4, 3, 150)
    assert plan.run.mean.horizon == pytest.approx(averaging)
    said = f"parameters averaged over {averaging:.1f} epochs"
    assert plan.lines()[1].endswith(said) is (averaging > 1)


def test_training_averages_as_the_recipe_says(monkeypatch):
    frame, target = built_in("iris")
    seen = []
    real = tabular.running.Training

    def spied(run, *given, **more):
        seen.append((run.stopping.epochs, run.mean.horizon))
        return real(run, *given, **more)

    monkeypatch.setattr(tabular.running, "Training", spied)
    run(frame, {"hidden": (8,), "epochs": 80}, target=(target,))
    assert seen == [(10, 1.0), (10, 1.0), (80, 4.0)]  # two trials of an eighth, and the fit
    seen.clear()
    run(frame, {"hidden": (8,), "epochs": 240}, target=(target,))
    assert seen == [(30, 1.5), (30, 1.5), (240, 12.0)]


def test_only_finely_cut_columns_go_through_units_of_their_own():
    edges = ((0.0, 1.0), (0.0, 1.0), tuple(range(18)), tuple(range(17)), tuple(range(49)))
    layers = bins(Columns(5, edges=edges), 10_000)
    assert [layer.kind for layer in layers] == ["piecewise_linear", "parallel"]
    parts = [(part.first, part.last, len(part.layers)) for part in layers[1].parts]
    assert parts == [(0, 2, 0), (2, 19, 1), (19, 35, 0), (35, 83, 1)]
    some = edges[1::2]
    for rows, own in ((10_000, some), (9_999, edges)):  # coarse columns; few rows
        layers = bins(Columns(len(own), edges=own), rows)
        assert [layer.kind for layer in layers] == ["piecewise_linear"]


@pytest.mark.parametrize(
    ("task", "rows", "steps"),
    [("regression", 4_000, 2_500), ("regression", 4_001, 5_000), ("classification", 1_000, 1_500)],
)
def test_steps_of_few_and_of_more_rows(task, rows, steps):
    chosen = tabular.recipe(tabular.Settings(), task, 5, 1, rows)
    assert chosen.run.stopping.epochs == steps * chosen.run.batch_size // rows


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("rows", [100, 10_000, 1_000_000])
def test_hidden_layers_have_gelu_and_a_little_dropout(task, rows):
    network = tabular.recipe(tabular.Settings(), task, 5, 1, rows).network
    *hidden, _ = [layer for layer in network.layers if layer.kind == "dense"]
    assert {(layer.g.name, layer.dropout) for layer in hidden} == {("gelu", 0.1)}


@pytest.mark.parametrize(("rows", "epochs"), [(500_000, 16), (1_000_000, 8), (10_000_000, 4)])
def test_of_very_many_rows_there_are_fewer_epochs(rows, epochs):
    chosen = tabular.recipe(tabular.Settings(), "regression", 5, 1, rows)
    assert chosen.run.stopping.epochs == epochs


@pytest.mark.parametrize("seed", range(4))
def test_digits_are_learnt(seed):
    frame, target = built_in("digits")
    problem, fitted, _ = run(frame, {"seed": seed, "epochs": 80}, target=(target,))
    assert tabular.evaluated_network(fitted, problem).figures["accuracy"] >= 0.96


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"target": ("rnt",)}, "no column 'rnt' (the target). Did you mean 'rent'?"),
        ({"target": ("rent",), "weights": "wt"}, "no column 'wt' (weights)."),
        ({"target": ("rent",), "drop": ("twn",)}, "no column 'twn' (dropped). Did you mean 'town'"),
        ({"target": ("rent",), "kinds": {"twn": "category"}}, "no column 'twn' (kinds)."),
        ({"target": ("rent",), "weights": "town"}, "column 'town' (weights) holds"),
        ({"target": ("rent",), "drop": ("area", "town", "block", "day")}, "no column is left"),
    ],
)
def test_columns_that_are_not_there(roles, message):
    with pytest.raises(dr.DataError) as caught:
        run(flats(), **roles)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"weights": "rent"}, "column 'rent' is named twice: as the target and as weights"),
        ({"groups": "a", "time": "b"}, "they cannot be combined"),
    ],
)
def test_roles_that_cannot_be(roles, message):
    with pytest.raises(dr.SettingError, match=message):
        tabular.Roles(target=("rent",), **roles)


def test_missing_times_are_refused():
    frame = flats().with_columns(pl.when(pl.col("day") > 5).then("day").alias("day"))
    with pytest.raises(dr.DataError, match=r"column 'day' \(time\) is missing in 6 rows"):
        run(frame, target=("rent",), time="day")
