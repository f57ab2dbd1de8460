"""Confidence intervals of metrics, paired differences, and what is said first of a model."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import deltarule.baselines as bl
from deltarule import tabular
from deltarule.bootstrap import DRAWS, ConfidenceInterval, Resampling, interval_of
from deltarule.cli import main
from deltarule.consequences import Alarms, TypicalErrors
from deltarule.metrics import FIGURES, figures
from deltarule.modelfile import Model, load_model, save_model


def rng(seed=0):
    return np.random.default_rng(seed)


def scored(m, seed=0, share=0.3):
    """Labels and probabilities that know something of them."""
    draw = rng(seed)
    labels = (draw.random(m) < share).astype(int)
    p = np.clip(share + 0.3 * (labels - share) + 0.2 * draw.normal(size=m), 0.01, 0.99)
    return labels, np.stack([1 - p, p], axis=1)


def evaluated(name, labels, P, **further):
    return bl.evaluated(
        name, "classification", bl.Examples(labels, labels, None, **further), P, 0.0
    )


# ---------------------------------------------------------------------------------- intervals


def test_metrics_are_those_of_scikit_learn():
    from sklearn import metrics as sk

    labels, P = scored(500, share=0.1)
    P = P.round(2)  # with ties
    s = rng(1).uniform(size=500)
    found = figures("classification", labels, P, s)
    assert found["auc"] == pytest.approx(sk.roc_auc_score(labels, P[:, 1], sample_weight=s))
    assert found["average_precision"] == pytest.approx(
        sk.average_precision_score(labels, P[:, 1], sample_weight=s)
    )
    Y, predicted = rng().normal(size=(50, 2)), rng(1).normal(size=(50, 2))
    assert figures("regression", Y, predicted, s[:50])["r2"] == pytest.approx(
        sk.r2_score(Y, predicted, sample_weight=s[:50])
    )


def test_average_precision_is_of_rare_classes_only_whichever_they_are():
    labels, P = scored(500, share=0.1)
    assert "average_precision" not in figures("classification", *scored(500, share=0.4))
    swapped = figures("classification", 1 - labels, P[:, ::-1])
    assert swapped == pytest.approx(figures("classification", labels, P))


def test_intervals_are_those_of_rows_drawn_with_replacement():
    labels, P = scored(300, share=0.15)
    found = evaluated("network", labels, P).intervals
    drawn = rng(3).integers(0, 300, (800, 300))
    exact = [figures("classification", labels[rows], P[rows]) for rows in drawn]
    for name in ("accuracy", "log_loss", "auc", "average_precision"):
        values = [each[name] for each in exact if name in each]
        low, high = np.quantile(values, [0.025, 0.975])
        assert found[name] == pytest.approx((low, high), abs=0.25 * (high - low))


def test_intervals_of_many_rows_are_those_of_theory():
    values = rng().normal(size=(50_000, 1))
    rows = bl.Examples(values, values, None)
    found = bl.evaluated("mean", "regression", rows, np.zeros_like(values), 0.0).intervals["rmse"]
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(2 * 50_000), rel=0.15)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    hits = 0
    for seed in range(200):
        is_right = rng(seed).random(150) < 0.8
        P = np.eye(2)[np.where(is_right, 0, 1)]
        hits += 0.8 in evaluated("network", np.zeros(150, int), P).intervals["accuracy"]
    assert 180 <= hits <= 199


def test_rows_of_one_group_are_drawn_together():
    labels, P = scored(60)
    groups = np.repeat(np.arange(60), 10)  # each row ten times
    repeated = evaluated("network", labels.repeat(10), P.repeat(10, axis=0), groups=groups)
    alone = evaluated("network", labels, P)
    naive = evaluated("network", labels.repeat(10), P.repeat(10, axis=0))
    for name, interval in alone.intervals.items():
        assert repeated.intervals[name] == pytest.approx(interval)
    widths = [of.intervals["log_loss"].high - of.intervals["log_loss"].low for of in (alone, naive)]
    assert widths[0] > 2.5 * widths[1]


def test_one_group_alone_has_no_interval_and_no_winner():
    labels, P = scored(40)
    one = evaluated("network", labels, P, groups=np.zeros(40, int))
    other = evaluated("majority class", labels, 1 - P, groups=np.zeros(40, int))
    assert one.intervals == {}
    assert bl.verdict("classification", one, [other]).startswith("No verdict without an interval")


def test_a_perfect_accuracy_has_an_interval_by_the_number_of_rows():
    labels = np.arange(30) % 2
    assert evaluated("network", labels, np.eye(2)[labels]).intervals["accuracy"] == (0.884, 1.0)
    assert interval_of(np.zeros(DRAWS), trials=30) == ConfidenceInterval(0.0, 0.116)
    assert interval_of(np.full(DRAWS, np.nan)) is None


def test_folds_are_drawn_each_by_itself():
    labels, P = scored(400)
    whole = evaluated("network", labels, P)
    folds = [evaluated("network", labels[k::4], P[k::4]) for k in range(4)]
    together = bl.averaged(folds)
    assert together.rows == 400
    assert together.figures["log_loss"] == pytest.approx(whole.figures["log_loss"])
    widths = [
        of.intervals["log_loss"].high - of.intervals["log_loss"].low for of in (together, whole)
    ]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


def test_the_same_rows_give_the_same_intervals():
    labels, P = scored(3000)
    assert evaluated("a", labels, P).intervals == evaluated("b", labels, P).intervals


def test_a_draw_needs_sums_of_parts_only():
    accuracy = FIGURES["classification"][0]
    parts = np.array([np.ones(5000), np.tile([0.0, 1.0], 2500)])
    resampling = Resampling(5000)
    assert resampling.units == 5000
    assert resampling.draws(accuracy, parts).std() == pytest.approx(0.5 / np.sqrt(5000), rel=0.1)


# ----------------------------------------------------------------------------- several targets


def two_targets(scale=1.0):
    """Rows of a large target and a small one, and predictions that know something of both."""
    Y = rng().normal(size=(200, 2)) * [1000.0, 0.01 * scale] + [5000.0, 0.1]
    P = Y + rng(1).normal(size=(200, 2)) * [300.0, 0.005 * scale]
    return bl.Examples(Y, Y, None, names=("price", "dose")), P


def test_every_target_has_metrics_in_its_own_unit_and_none_is_a_mean_over_units():
    rows, P = two_targets()
    found = bl.evaluated("network", "regression", rows, P, 0.0)
    assert list(found.figures) == ["r2", *(f"{each}_{name}" for name in rows.names
                                           for each in ("rmse", "mae", "r2"))]  # fmt: skip
    for k, name in enumerate(rows.names):
        alone = figures("regression", rows.targets[:, [k]], P[:, [k]])
        assert {each: found.figures[f"{each}_{name}"] for each in alone} == alone
        assert found.intervals[f"rmse_{name}"].low < alone["rmse"]
    own = [found.figures[f"r2_{name}"] for name in rows.names]
    assert found.figures["r2"] == pytest.approx(np.mean(own))


def test_no_unit_decides_the_verdict_of_several_targets():
    shares = []
    for scale in (1.0, 1e6):
        rows, P = two_targets(scale)
        mean = np.broadcast_to(rows.targets.mean(axis=0), P.shape)
        network = bl.evaluated("network", "regression", rows, P, 0.0)
        guess = bl.evaluated("mean", "regression", rows, mean, 0.0)
        told = bl.verdict("regression", network, [guess])
        assert told.startswith("The network wins: mean R² 0.8")
        shares.append(network.figures["r2"])
        assert tabular.alerts_of("regression", [network, guess]) == []
        assert "Mean R² of the network" in bl.comparison_table("regression", [network, guess])[0][0]
        useless = tabular.alerts_of("regression", [guess._replace(name="network"), guess])
        assert "no better than the mean: mean R² 0.000" in useless[0].text
    assert shares[0] == pytest.approx(shares[1])


def test_a_target_that_does_not_vary_leaves_the_mean_to_the_others():
    rows, P = two_targets()
    rows.targets[:, 1] = 0.1
    found = bl.evaluated("network", "regression", rows, P, 0.0)
    assert found.figures["r2"] == pytest.approx(found.figures["r2_price"])
    assert "r2_dose" not in found.figures
    rows.targets[:, 0] = 5000.0
    assert bl.evaluated("network", "regression", rows, P, 0.0).first("regression").title == (
        "RMSE of price"
    )


def test_the_command_says_metrics_target_by_target(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = rng().uniform(size=200)
    pl.DataFrame({"x": x, "price": 900.0 * x, "dose": 0.01 * x**2}).write_csv("t.csv")
    quick = ["--hidden", "8", "--epochs", "5", "--ensemble", "1", "--out", "m"]
    targets = ["--target", "price", "--target", "dose"]
    assert main(["train", "t.csv", *targets, *quick, "--report", "r.html", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert {"r2", "rmse_price", "rmse_dose"} <= known["figures"]["network"].keys()
    assert "rmse" not in known["figures"]["network"]
    assert "Metrics of price" in (tmp_path / "r.html").read_text()
    for command in (["inspect", "m"], ["evaluate", "m", "t.csv"]):
        assert main(command) == 0
        told = capsys.readouterr().out
        assert "mean R²" in told
        assert told.index("Metrics of 'price'") < told.index("Metrics of 'dose'")


# --------------------------------------------------------------------------------- differences


def test_a_difference_is_paired():
    """Two models that err on the same rows differ clearly though their intervals overlap."""
    Y = rng().normal(size=(200, 1))
    rows = bl.Examples(Y, np.zeros_like(Y), None)
    near = bl.evaluated("network", "regression", rows, Y, 0.0)
    far = bl.evaluated("mean", "regression", rows, 1.05 * Y, 0.0)
    assert near.intervals["rmse"].high > far.intervals["rmse"].low
    assert bl.difference(near, far, "rmse").is_clear
    assert bl.verdict("regression", near, [far]).startswith("The network wins")


@pytest.mark.parametrize("seed", range(20))
def test_too_close_to_call_is_said_exactly_where_the_interval_spans_zero(seed):
    labels, P = scored(200, seed)
    shift = rng(seed).normal(scale=0.15, size=200)
    other = np.clip(P[:, 1] + shift, 0.01, 0.99)
    network = evaluated("network", labels, P)
    tree = evaluated("trees", labels, np.stack([1 - other, other], axis=1))
    spans = 0.0 in bl.difference(network, tree, "accuracy").interval
    assert bl.verdict("classification", network, [tree]).startswith("Too close to call") == spans


# ---------------------------------------------------------------------------- words and alerts


def test_alarms_in_words():
    assert Alarms("churn", "yes", 0, 0, 3, 50).sentences() == [
        "No row has churn 'yes'; 0 of 3 alarms are right (precision 0 %)."
    ]
    assert Alarms("churn", "yes", 0, 4, 0, 50).sentences() == [
        "Finds 0 of the 4 rows with churn 'yes' (recall 0 %); no row is predicted to have it."
    ]
    both = Alarms("y", "a", 1, 2, 3, 10).joined([Alarms("y", "a", 1, 2, 3, 10)] * 2)
    assert both == Alarms("y", "a", 2, 4, 6, 20)


def test_errors_are_a_share_of_the_median_where_no_value_is_negative():
    Y = np.array([[10.0], [20.0], [30.0]])
    assert TypicalErrors.of(["y"], ["kg"], Y, Y + 2, None).sentences() == [
        "Typical error of y: 2 kg, which is 10 % of its median (20 kg)."
    ]
    assert TypicalErrors.of(["y"], [""], Y - 15, Y, None).sentences() == ["Typical error of y: 15."]


def kinds(task, evaluated, **further):
    return [alert.kind for alert in tabular.alerts_of(task, evaluated, **further)]


def test_alerts_where_they_are_true_and_where_not():
    labels, P = scored(400)
    network = evaluated("network", labels, P)
    guess = evaluated("majority class", labels, np.tile([0.7, 0.3], (400, 1)))
    wrong = evaluated("network", labels, P[:, ::-1])
    assert kinds("classification", [network, guess]) == []
    assert kinds("classification", [wrong, guess]) == ["no better than guessing"]
    alike = guess._replace(name="network", figures={**guess.figures, "accuracy": 0.9})
    (alert,) = tabular.alerts_of("classification", [alike, guess])
    assert alert.text.startswith("The network is not clearly better than the majority class")
    assert kinds("classification", [network, guess], leaks=["column 'x' …"]) == ["leak"]
    few = evaluated("network", labels[:30], P[:30])
    (alert,) = tabular.alerts_of("classification", [few], of_held_out=True)
    assert "30 rows" in alert.text
    rare = network._replace(consequences=Alarms("y", "yes", 1, 3, 5, 400))
    assert kinds("classification", [rare]) == ["too few rows"]


def test_a_model_of_low_accuracy_that_ranks_well_is_no_worse_than_the_majority():
    """As with balanced classes: accuracy and log loss below those of the majority, AUC above."""
    labels, P = scored(800, share=0.1)
    p = np.clip(P[:, 1] * 4, 0.01, 0.99)
    network = evaluated("network", labels, np.stack([1 - p, p], axis=1))
    guess = evaluated("majority class", labels, np.tile([0.9, 0.1], (800, 1)))
    assert network.figures["accuracy"] < guess.figures["accuracy"]
    assert kinds("classification", [network, guess]) == []


# -------------------------------------------------------------------------------- command line


@pytest.fixture
def rents(tmp_path):
    draw = rng()
    area = draw.uniform(20, 120, 300).round(1)
    rent = (10 * area + draw.normal(scale=60, size=300)).round().astype(int)
    path = tmp_path / "rents.csv"
    pl.DataFrame({"area": area, "rent": [f"{each} EUR" for each in rent]}).write_csv(path)
    return path


QUICK = ["--epochs", "8", "--hidden", "16"]


def test_train_and_evaluate_show_the_same_intervals(rents, tmp_path, capsys):
    model = tmp_path / "m.safetensors"
    given = ["train", str(rents), "--target", "rent", *QUICK, "--out", str(model)]
    assert main([*given, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    low, high = shown["intervals"]["network"]["rmse"]
    assert low < shown["figures"]["network"]["rmse"] < high
    ridge = shown["differences"]["ridge regression"]["rmse"]
    assert ridge["interval"][0] <= ridge["value"] <= ridge["interval"][1]
    assert shown["consequences"]["values"]["rent"]["unit"] == "EUR"
    assert shown["alerts"] == []
    assert main(["evaluate", str(model), str(rents), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["intervals"] == shown["intervals"]["network"]
    assert again["consequences"] == shown["consequences"]
    assert main(["inspect", str(model)]) == 0
    text = capsys.readouterr().out
    assert "95 % interval from" in text
    assert "Typical error of rent" in text


def test_the_terminal_says_what_comes_next(rents, tmp_path, capsys):
    given = ["train", str(rents), "--target", "rent", *QUICK]
    assert main(given) == 0
    out = capsys.readouterr().out
    assert "The model was not saved: add --out FILE." in out
    assert "RMSE of the network less that of" in out
    model = tmp_path / "my model.safetensors"
    assert main([*given, "--no-baselines", "--out", str(model)]) == 0
    out = capsys.readouterr().out
    assert f"deltarule predict '{model}' NEW.csv" in " ".join(out.split())
    assert f"deltarule explain '{model}' {rents}" in " ".join(out.split())


def test_cross_validation_has_intervals(rents, capsys):
    given = ["train", str(rents), "--target", "rent", *QUICK, "--cv", "2", "--json"]
    assert main(given) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["intervals"]["network"].keys() == {"rmse", "mae", "r2"}
    assert shown["judged_rows"] == 300


def test_a_network_that_learns_nothing_is_called_so_first(tmp_path, capsys):
    path = tmp_path / "noise.csv"
    pl.DataFrame({"x": rng().normal(size=300), "y": rng(1).normal(size=300)}).write_csv(path)
    assert main(["train", str(path), "--target", "y", *QUICK]) == 0
    results = capsys.readouterr().out.partition("restored")[2].splitlines()[2:]
    assert "better than the mean" in results[0]


def test_a_leak_is_named_before_the_metrics(tmp_path, capsys):
    path = tmp_path / "leak.csv"
    y = rng().integers(0, 2, 300)
    pl.DataFrame({"x": rng(1).normal(size=300), "paid": y * 5, "y": y}).write_csv(path)
    assert main(["train", str(path), "--target", "y", *QUICK]) == 0
    results = capsys.readouterr().out.partition("restored")[2].splitlines()[2:]
    assert results[0].startswith("Column 'paid' alone explains")


def test_files_of_earlier_versions_have_no_intervals(rents, tmp_path, capsys):
    model = tmp_path / "m.safetensors"
    assert main(["train", str(rents), "--target", "rent", *QUICK, "--out", str(model)]) == 0
    loaded = load_model(model)
    new = ("intervals", "differences", "consequences", "alerts")
    about = {name: value for name, value in loaded.about.items() if name not in new}
    save_model(model, replace(loaded, about=about))
    capsys.readouterr()
    assert isinstance(load_model(model), Model)
    assert main(["inspect", str(model)]) == 0
    assert "95 %" not in capsys.readouterr().out


def test_of_one_group_nothing_is_called_close_or_useless():
    """Its rows are one draw: no interval, so no verdict either."""
    rows = bl.Examples(np.zeros((60, 1)), np.arange(60.0)[:, None], None, np.zeros(60, int))
    mean = bl.evaluated("mean", "regression", rows, np.full((60, 1), 29.5), 0.0)
    network = bl.evaluated("network", "regression", rows, rows.targets + 1.0, 0.0)
    assert bl.verdict("regression", network, [mean]).startswith("No verdict without an interval")
    assert [alert.kind for alert in tabular.alerts_of("regression", [network, mean])] == [
        "too few rows"
    ]
    assert bl.comparison_table("regression", [network, mean])[1][0][-1] == "–"
