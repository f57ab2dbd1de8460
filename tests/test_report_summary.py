"""The report's summary: each statement on data where it is true and on data where it is not."""

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.cli import main
from deltarule.report.content import Context
from deltarule.report.evidence import evidence_of, importances
from deltarule.report.summary import cautions_of, summary_of

from .test_cli import QUICK, write_flats
from .test_report import TASKS, checked, trained


def summary(task="regression", context=None, **settings):
    """The rows of a summary by name, and its cautions by heading."""
    result, X, Y = trained(task, m=600, epochs=settings.pop("epochs", 60), **settings)
    evidence = evidence_of(result, X, Y, columns=["one", "two", "noise"])
    context = Context() if context is None else context
    section = summary_of(evidence, context, importances(evidence), [])
    cautions = {each.what: each for each in cautions_of(evidence, context)}
    return dict(section.tables[0].rows), cautions, evidence


def test_numbers_are_summarized_in_their_unit():
    rows, cautions, evidence = summary()
    assert not cautions
    assert rows["What is predicted"] == "target 1, from 3 columns."
    mae, best = evidence.figures["mae"], abs(evidence.targets - evidence.targets.mean()).mean()
    assert f"off by {mae:.3f} on average" in rows["How well"]
    assert f"predicting the mean, by {best:.3f}" in rows["How well"]
    assert rows["What matters"] == (
        "Most important first: two, one. The other one matters little, or not clearly."
    )
    errors = abs(evidence.P - evidence.targets)[:, 0]
    assert f"nine of ten by at most {np.quantile(errors, 0.9):.3f}" in rows["How sure"]


@pytest.mark.parametrize("task", ["two classes", "classes", "labels"])
def test_classes_are_summarized_in_shares(task):
    rows, cautions, evidence = summary(task)
    assert not cautions
    assert f"{evidence.figures['accuracy']:.1%} of the" in rows["How well"]
    assert "have a probability of at least 90%" in rows["How sure"]


@pytest.mark.parametrize("task", TASKS)
def test_what_learned_nothing_is_worse_than_the_simplest_guess(task):
    result, X, Y = trained(task, m=600, epochs=1)
    shuffled = np.random.default_rng(0).permutation(Y)
    evidence = evidence_of(result, X, shuffled)
    found = {each.what for each in cautions_of(evidence, Context())}
    rows = dict(summary_of(evidence, Context(), importances(evidence), []).tables[0].rows)
    assert "What matters" not in rows
    assert found <= {"Worse than the simplest guess", "Hardly better than the simplest guess"}
    assert found
    assert not summary(task)[1]


@pytest.mark.parametrize("task", ["two classes", "regression"])
def test_rows_with_one_target_are_compared_with_no_guess(task):
    result, X, Y = trained(task, m=600)
    assert not list(cautions_of(evidence_of(result, X, np.ones_like(Y)), Context()))


def test_few_rows_are_a_caution():
    result, X, Y = trained("regression", m=150, epochs=60)
    evidence = evidence_of(result, X, Y)
    few = [each.what for each in cautions_of(evidence, Context(rows=100))]
    assert few == ["Few rows to learn from", "Few rows to evaluate on"]
    assert not summary(context=Context(rows=1000))[1]


def test_cautions_come_first_and_layers_are_folded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "leaky.csv", **{"moved in": pl.col("sold")})
    arguments = ["train", "leaky.csv", "--target", "sold", *QUICK, "--report", "r.html"]
    assert main(arguments) == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = checked(text).text
    places = [page.index(what) for what in ("alone explains", "What is predicted", "How sure")]
    assert places == sorted(places)
    fold = text.index("<details")
    assert text.index('class="facts"') > text.index('id="summary"')
    assert text.index('id="worst"') < text.index('id="data"') < fold
    for id in ("diagnosis", "training", "setup", "repeat"):
        assert text.index(f'id="{id}"') > fold
    assert "sold, one of 2 (no, yes), from" in page
    assert "of leaky.csv." in page


def test_cells_are_rounded_for_people(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.standard_normal(80), "big": 1e7 + rng.random(80)})
    frame.with_columns(y=pl.col("x") * 2).write_csv("t.csv")
    assert main(["train", "t.csv", "--target", "y", *QUICK, "--report", "r.html"]) == 0
    page = checked((tmp_path / "r.html").read_text(encoding="utf-8"))
    cells = [cell for cell in page.texts if cell.replace(".", "").replace("-", "").isdigit()]
    assert max(len(cell.lstrip("-0.").replace(".", "")) for cell in cells) <= 8
    assert "10000000" in cells or "10000001" in cells


def test_few_looks_are_a_table_and_nothing_is_drawn_of_no_dead_unit():
    many, few = explain.Watch(share=1.0), explain.Watch(share=1.0)
    for watch, epochs in ((many, 8), (few, 1)):
        result, X, Y = trained("regression", watch=watch, epochs=epochs)
        page = explain.report(result, X, Y, watch=watch).html
        assert "Dead units: none." in page
        assert ('aria-label="Gradient norm"' in page) == (watch is many)
        assert ("After epoch 1" in page) == (watch is few)
        assert 'aria-label="Dead units"' not in page


def test_dead_units_are_drawn_where_there_are_some():
    watch = explain.Watch(share=1.0)
    X = -np.random.default_rng(0).random((60, 2)) - 1
    network = dr.Network(2, [dr.Dense(6, "relu"), dr.Dense(1)])
    result = dr.train(network, X, X[:, :1], epochs=6, callbacks=[watch])
    assert watch.diagnostics.dead.any()
    page = explain.report(result, X, X[:, :1], watch=watch).html
    assert 'aria-label="Dead units"' in page
    assert "Dead units: none." not in page


def test_one_epoch_is_numbers_and_several_are_curves():
    for epochs in (1, 2):
        result, X, Y = trained("regression", epochs=epochs)
        page = explain.report(result, X, Y)
        assert ("validation cost" in checked(page.html).texts) == (epochs == 1)
        assert ('aria-label="Cost"' in page.html) == (epochs == 2)
