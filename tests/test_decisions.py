"""The threshold between two classes: chosen on validation rows, stored, applied, exported."""

import json

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.errors import SettingError
from deltarule.modelfile import load_model
from deltarule.preprocessing import Targets
from deltarule.preprocessing.decision import Decision, positive_class
from deltarule.tabular.decisions import chosen_decision

QUICK = ["--epochs", "8", "--hidden", "16"]
TARGETS = Targets(("y",), "classification", "", ("no", "yes"))


def rng(seed=0):
    return np.random.default_rng(seed)


def table(m=600, classes=("no", "yes"), shift=1.0):
    draw = rng()
    x = draw.normal(size=(m, 2))
    is_second = x[:, 0] + draw.normal(size=m) > shift
    labels = np.where(is_second, classes[1], classes[0])
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": labels})


@pytest.fixture(scope="module")
def churn(tmp_path_factory):
    path = tmp_path_factory.mktemp("decisions") / "churn.csv"
    table().write_csv(path)
    return path


def calibrated(m=4000, share=0.2):
    """Labels whose probabilities are what they say, in a column each."""
    draw = rng(1)
    p = draw.beta(1, (1 - share) / share, m)
    return (draw.random(m) < p).astype(int), np.stack([1 - p, p], axis=1)


# ------------------------------------------------------------------------------------ choosing


@pytest.mark.parametrize(
    ("classes", "counts", "positive"),
    [
        (("no", "yes"), (10, 90), "yes"),
        ((0, 1), (10, 90), 1),
        ((False, True), (10, 90), True),
        (("bad", "good"), (30, 70), "bad"),
        (("a", "b"), (50, 50), "b"),
    ],
)
def test_the_positive_class_affirms_or_is_the_rarer(classes, counts, positive):
    assert positive_class(classes, counts) == positive


def test_a_stated_recall_is_reached_with_the_fewest_alarms():
    labels, P = calibrated()
    for recall in (0.3, 0.8, 1.0):
        chosen = chosen_decision(TARGETS, labels, P, None, tabular.Settings(min_recall=recall))
        is_alarm = P[:, 1] >= chosen.threshold
        found = labels[is_alarm].sum() / labels.sum()
        assert recall <= found < recall + 2 / labels.sum()


def test_a_stated_precision_is_reached_with_the_most_alarms():
    labels, P = calibrated()
    chosen = chosen_decision(TARGETS, labels, P, None, tabular.Settings(min_precision=0.6))
    order = np.argsort(-P[:, 1])
    precision = np.cumsum(labels[order]) / np.arange(1, len(labels) + 1)
    assert (P[:, 1] >= chosen.threshold).sum() == np.flatnonzero(precision >= 0.6)[-1] + 1


def test_a_precision_that_no_threshold_has_is_said():
    labels = np.array([1, 0] * 20)
    P = np.full((40, 2), 0.5)
    chosen = chosen_decision(TARGETS, labels, P, None, tabular.Settings(min_precision=0.9))
    assert chosen.reason == (
        "no threshold has a validation precision of 0.9; this one has the highest, 0.5"
    )


def test_stated_costs_give_the_threshold_of_equal_expected_costs():
    labels, P = calibrated()
    settings = tabular.Settings(cost_of_miss=8.0, cost_of_alarm=2.0)
    assert chosen_decision(TARGETS, labels, P, None, settings).threshold == pytest.approx(0.2)


def test_probabilities_that_are_no_shares_are_corrected_by_the_costs_of_rows():
    """As those of balanced classes: far above the share of rows."""
    labels, P = calibrated()
    odds = 8 * P[:, 1] / P[:, 0]
    inflated = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    settings = tabular.Settings(cost_of_miss=4.0)
    chosen = chosen_decision(TARGETS, labels, inflated, None, settings)
    assert (inflated[:, 1] >= chosen.threshold).mean() == pytest.approx(
        (P[:, 1] >= 0.2).mean(), abs=0.05
    )


def test_weights_count_and_any_class_may_be_positive():
    labels, P = calibrated()
    s = np.where(np.arange(len(labels)) < 2000, 1.0, 0.0)
    settings = tabular.Settings(min_recall=0.7)
    weighted = chosen_decision(TARGETS, labels, P, s, settings)
    assert weighted == chosen_decision(TARGETS, labels[:2000], P[:2000], None, settings)
    settings = tabular.Settings(min_recall=0.7, positive="no")
    other = chosen_decision(TARGETS, labels, P, None, settings)
    assert other.positive == "no"
    is_alarm = P[:, 0] >= other.threshold
    assert (is_alarm & (labels == 0)).sum() / (labels == 0).sum() == pytest.approx(0.7, abs=0.001)


@pytest.mark.parametrize("positive", ["no", "yes"])
def test_the_class_follows_the_threshold(positive):
    targets = Targets(("y",), "classification", "", ("no", "yes"), decision=Decision(positive, 0.8))
    outputs = np.array([[0.1], [0.3], [0.7], [0.9]])
    expected = {"yes": ["no", "no", "no", "yes"], "no": ["no", "yes", "yes", "yes"]}
    assert targets.decode(outputs)["y"].to_list() == expected[positive]
    assert Targets.from_dict(json.loads(json.dumps(targets.to_dict()))) == targets


@pytest.mark.parametrize(
    "change",
    [
        {"positive": "maybe"},
        {"threshold": 1.5},
        {"threshold": "0.5"},
        {"reason": None},
        {"more": 1},
    ],
)
def test_a_damaged_decision_is_refused(change):
    state = Targets(
        ("y",), "classification", "", ("no", "yes"), decision=Decision("yes", 0.8)
    ).to_dict()
    state["decision"] = {**state["decision"], **change}
    with pytest.raises(ValueError, match="decision"):
        Targets.from_dict(state)


# ------------------------------------------------------------------------------- refused clearly


@pytest.mark.parametrize(
    "given", [{"cost_of_miss": 2.0}, {"min_recall": 0.8}, {"min_precision": 0.5}, {"positive": "a"}]
)
def test_other_targets_are_refused(given):
    frame = table().with_columns(pl.Series("y", list("abc") * 200))
    whole = tabular.table(frame, tabular.Roles(("y",)))
    with pytest.raises(SettingError, match="expected a target of two classes; 'y' has 3"):
        tabular.problem(whole, tabular.Settings(**given), np.arange(500), frame[500:])
    whole = tabular.table(frame.drop("y"), tabular.Roles(("a",)))
    with pytest.raises(SettingError, match="expected a target of two classes; 'a' is a number"):
        tabular.problem(whole, tabular.Settings(**given), np.arange(500), frame[500:])


def test_rules_that_contradict_each_other_are_refused():
    with pytest.raises(SettingError, match="expected one of them"):
        tabular.Settings(min_recall=0.5, cost_of_miss=3.0)
    for wrong in ({"min_recall": 1.2}, {"min_precision": 0.0}, {"cost_of_alarm": -1.0}):
        with pytest.raises(SettingError):
            tabular.Settings(**wrong)


def test_a_positive_class_that_is_none_is_refused(churn, capsys):
    assert main(["train", str(churn), "--target", "y", "--positive", "maybe", *QUICK]) == 2
    assert "expected one of the classes 'no' and 'yes'; got 'maybe'" in capsys.readouterr().err


def test_models_per_key_have_no_threshold(churn, capsys):
    given = ["train", str(churn), "--target", "y", "--by", "b", "--min-recall", "0.8"]
    assert main(given) == 2
    assert "min" in capsys.readouterr().err


# ------------------------------------------------------------------------- from train to predict


def test_a_threshold_is_stored_applied_shown_and_exported(churn, tmp_path, capsys):
    model, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    given = ["--cost-of-miss", "9", "--ensemble", "2", *QUICK, "--out", str(model), "--json"]
    assert main(["train", str(churn), "--target", "y", *given]) == 0
    shown = json.loads(capsys.readouterr().out)
    loaded = load_model(model)
    decision = loaded.targets.decision
    assert decision.positive == "yes"
    assert decision.threshold < 0.5
    assert main(["predict", str(model), str(churn), "--probabilities", "--out", str(out)]) == 0
    predicted = pl.read_csv(out)
    is_alarm = predicted["probability_yes"].to_numpy() >= decision.threshold
    assert ((predicted["predicted_y"] == "yes").to_numpy() == is_alarm).all()
    assert is_alarm.sum() > (predicted["probability_yes"] >= 0.5).sum()
    capsys.readouterr()
    assert main(["inspect", str(model)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"decision {decision.describe()}" in text
    assert main(["evaluate", str(model), str(churn)]) == 0
    values = shown["consequences"]["values"]
    assert f"Finds {values['found']} of the {values['present']} rows" in " ".join(
        capsys.readouterr().out.split()
    )
    estimator = dr.TabularClassifier.load(model)
    frame = pl.read_csv(churn)
    assert ((estimator.predict(frame) == "yes") == is_alarm).all()


def test_the_threshold_is_not_chosen_on_held_out_rows(churn):
    """Other test rows, the same threshold."""
    whole = tabular.table(pl.read_csv(churn), tabular.Roles(("y",)))
    settings = tabular.Settings(epochs=4, hidden=(8,), min_recall=0.8)
    parts = tabular.split(whole, settings)
    frames = whole.frame[parts.held], whole.frame[parts.held][:20]
    found = [
        tabular.fit(tabular.problem(whole, settings, parts.kept, test), settings) for test in frames
    ]
    assert found[0].model.targets.decision == found[1].model.targets.decision


def test_onnx_predicts_by_the_threshold(churn):
    pytest.importorskip("onnxruntime")
    from deltarule.export import check

    frame = pl.read_csv(churn)
    classifier = dr.TabularClassifier(epochs=6, hidden=(8,), min_recall=0.95, random_state=0)
    model = classifier.fit(frame.drop("y"), frame["y"]).model_
    from deltarule.export.onnx_file import onnx_bytes

    assert check.checked(onnx_bytes(model), model, frame.drop("y")).rows == 600


def test_c_says_the_threshold(churn):
    from deltarule.export.c_file import c_file

    frame = pl.read_csv(churn)
    classifier = dr.TabularClassifier(epochs=6, hidden=(8,), min_recall=0.95, random_state=0)
    model = classifier.fit(frame.drop("y"), frame["y"]).model_
    assert f"Decision: {model.targets.decision.describe()}" in c_file(model).text


def test_an_update_keeps_the_rule(churn):
    frame = pl.read_csv(churn)
    classifier = dr.TabularClassifier(epochs=4, hidden=(8,), min_recall=0.9, random_state=0)
    classifier.fit(frame[:300].drop("y"), frame[:300]["y"])
    updated = tabular.update_model(classifier.model_, frame[300:].rename({"y": "target"}))
    assert updated.model.targets.decision.reason == "validation recall of at least 0.9"


def test_costs_are_said_per_row(churn, capsys):
    given = ["train", str(churn), "--target", "y", "--cost-of-miss", "5", "--no-baselines", *QUICK]
    assert main(given) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Cost per row:" in out
    assert "(a miss costs 5, a false alarm 1); the accuracy above" in out


def test_all_parts_of_a_table_and_its_updates_have_one_positive_class():
    """Classes as frequent as each other: in some rows either is the rarer one."""
    frame = table(400, ("cat", "dog"), shift=0.0)
    whole = tabular.table(frame, tabular.Roles(("y",)))
    positive = whole.targets.decision.positive
    quick = {"hidden": (8,), "epochs": 3}
    for seed in range(4):
        settings = tabular.Settings(min_recall=0.9, seed=seed, **quick)
        for parts in tabular.cross_validation(whole, settings, 3):
            problem = tabular.problem(whole, settings, parts.kept, frame[parts.held])
            model = tabular.fit(problem, settings).model
            assert model.targets.decision.positive == positive
    fitted = dr.TabularClassifier(min_recall=0.9, random_state=0, **quick)
    fitted.fit(frame.drop("y"), frame["y"])
    more = frame.filter(pl.col("y") != positive).extend(frame.filter(pl.col("y") == positive)[:60])
    fitted.partial_fit(more.drop("y"), more["y"])
    assert fitted.model_.targets.decision.positive == positive


def test_the_page_of_a_row_says_what_predict_says():
    frame = table()
    fitted = dr.TabularClassifier(cost_of_miss=9, epochs=5, random_state=0)
    model = fitted.fit(frame.drop("y"), frame["y"]).model_
    P, found = model.predict_proba(frame)[:, 1], fitted.predict(frame.drop("y"))
    row = int(np.flatnonzero((P < 0.5) & (found == "yes"))[0])
    assert "target: yes (probability" in tabular.row_page(model, frame[row : row + 1])


def test_the_simplest_guess_is_of_the_rows_as_they_are_also_where_classes_are_balanced():
    frame = table(600, shift=2.0)
    whole = tabular.table(frame, tabular.Roles(("y",)))
    settings = tabular.Settings(class_weight="balanced", hidden=(8,), epochs=3)
    problem = tabular.problem(whole, settings, np.arange(450), frame[450:])
    majority, *_ = tabular.baselines(problem, settings)
    share = (frame["y"][450:] == "no").mean()
    assert majority.figures["accuracy"] == pytest.approx(share)


def test_sets_and_the_report_follow_the_threshold(churn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["train", str(churn), "--target", "y", "--cost-of-miss", "50", *QUICK]
    assert main([*command, "--out", "m", "--report", "r.html"]) == 0
    model, frame = load_model(tmp_path / "m"), table()
    _, sets = tabular.prediction_sets(model, frame, 0.9)
    labels = model.predict(frame)["y"].to_list()
    assert all(sets[i, ["no", "yes"].index(label)] for i, label in enumerate(labels))
    assert "Predictions follow a threshold instead" in (tmp_path / "r.html").read_text()
    evidence = tabular.evidence(model, tabular.Roles(("y",)), frame, np.arange(600))
    assert [("no", "yes")[k] for k in evidence.taken] == labels
