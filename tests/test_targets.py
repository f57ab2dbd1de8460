"""Targets: no number becomes a class, and labels that cannot be trusted are named."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.preprocessing import Targets
from deltarule.preprocessing.cells import coded
from deltarule.preprocessing.classes import doubtful_classes
from deltarule.preprocessing.number_targets import refuse_numbers
from deltarule.tabular.estimators import TabularClassifier


@pytest.mark.parametrize(
    "cells",
    [
        [f"CHF {i}" for i in range(30)],
        [f"{i} km/h" for i in range(30)],
        [f"{i} m²" for i in range(30)],
        [f"{i}.{i}M" for i in range(1, 4)] * 10,
        ["5%", "10%", "20%"] * 10,
        ["$5", "$10"] * 15,
        ["80-", "40", "20"] * 10,
        ["3.5/5", "4/5"] * 15,
        [f"1'{i}00" for i in range(1, 9)] * 3,
        [f"{i} - {i + 5}" for i in range(30)],
        [f"<{i}" for i in range(1, 30)],
        [*(str(i) for i in range(30)), *["-"] * 25],
    ],
)
def test_text_that_looks_like_numbers_is_no_class(cells):
    with pytest.raises(dr.CellError, match=r"expected numbers: \d+ of \d+ cells look like them"):
        Targets.fit(pl.DataFrame({"y": cells * 2}), ["y"])
    assert Targets.fit(pl.DataFrame({"y": cells * 2}), ["y"], task="classification").classes


@pytest.mark.parametrize(
    "labels",
    [
        ["<=50K", ">50K"],
        ["<0.5", ">=0.5"],
        ["0-10", "11-20", "21-30"],
        ["1st", "2nd", "3rd"],
        ["007", "008"],
        ["A1", "B2", "C10"],
        ["v1.0", "v1.1"],
        ["Iris-setosa", "Iris-virginica"],
    ],
)
def test_few_labels_with_digits_stay_classes(labels):
    refuse_numbers("y", coded(pl.Series(labels * 10)))
    assert Targets.fit(pl.DataFrame({"y": labels * 10}), ["y"]).classes == tuple(sorted(labels))


def test_the_message_says_what_to_pass():
    cells = pl.Series(["-" if i % 4 else str(i) for i in range(200)] + ["7"] * 200)
    with pytest.raises(dr.CellError, match="Replace it by None to make it missing") as caught:
        Targets.fit(pl.DataFrame({"y": cells}), ["y"])
    assert (
        "holds '-' in row 1 of the table, counted from 0; expected numbers: 250 of 400 cells"
        in str(caught.value)
    )
    assert 'pass task="classification" for classes.' in str(caught.value)


def test_labels_that_hardly_recur_are_names():
    names = [f"name {chr(97 + i % 16)}" for i in range(20)]
    with pytest.raises(dr.DataError, match=r"'y': has 16 different labels in 20 rows; expected se"):
        Targets.fit(pl.DataFrame({"y": names}), ["y"])
    assert len(Targets.fit(pl.DataFrame({"y": names}), ["y"], task="classification").classes) == 16


def test_doubtful_labels_are_named():
    assert doubtful_classes("y", ["a", "b"], np.array([2, 2])) == []
    blank, rare = doubtful_classes(
        "y", ["New  York", "new york", *"abc"], np.array([5, 5, 1, 1, 9])
    )
    assert "the labels 'New  York', 'new york' differ only in case or blanks" in blank
    assert "2 of 5 classes have one row ('a', 'b')" in rare
    table = {"x": list(range(12)), "y": ["Yes", "yes", "no"] * 4}
    whole = tabular.table(table, tabular.Roles(("y",)))
    assert len(tabular.doubtful_labels(whole)) == 1
    assert tabular.doubtful_labels(tabular.table({**table, "y": table["x"]}, whole.roles)) == []


def test_an_estimator_warns_of_doubtful_labels():
    X = {"x": [float(i) for i in range(40)]}
    y = ["yes", "no", "Yes", "no"] * 9 + ["no", "yes", "no", "maybe"]
    rare = "1 of 4 classes has one row .'maybe'.: it is either learned or evaluated"
    alike = "the labels 'Yes', 'yes' differ only in case or blanks"
    with pytest.warns(UserWarning, match=rare), pytest.warns(UserWarning, match=alike):
        TabularClassifier(epochs=1, hidden=(4,), random_state=0).fit(X, y)


def test_rows_of_one_class_give_no_verdict(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i},{i % 5},{'no' if i < 40 and i % 2 else 'yes'}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,area,sold", *rows]))
    quick = ["--epochs", "2", "--hidden", "4", "--time", "x"]
    assert main(["train", "t.csv", "--target", "sold", *quick]) == 0, capsys.readouterr().err
    said = " ".join(capsys.readouterr().out.split())
    assert "No verdict: all 12 rows to evaluate on have the class 'yes'" in said
    assert "wins" not in said


def test_dates_whose_order_nothing_tells_are_warned_of(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{1 + i % 9}/{1 + i % 7}/2024,{i / 7}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["when,y", *rows]))
    assert main(["train", "t.csv", "--target", "y", "--epochs", "2", "--no-baselines"]) == 0
    error = capsys.readouterr().err
    assert "dates such as '1/1/2024' are read as %m/%d/%Y, and all fit %d/%m/%Y as well" in error
