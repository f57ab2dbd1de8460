"""Contributions on the command line: output columns, JSON, the page of a row, effects."""

import json
from dataclasses import replace

import numpy as np
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.cli.why import _curve

pl = pytest.importorskip("polars")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model of rents, one of classes, and the table of both."""
    folder = tmp_path_factory.mktemp("why")
    rng = np.random.default_rng(0)
    area, town = rng.uniform(20.0, 120.0, 200), rng.choice(["A<b>", "B"], 200)
    frame = pl.DataFrame({"area": area, "town": town})
    rent = 10.0 * area + 200.0 * (town == "B")
    frame.with_columns(rent=rent).write_csv(folder / "flats.csv")
    settings = {"epochs": 6, "n_ensemble": 1, "random_state": 0}
    rents = dr.TabularRegressor(**settings).fit(frame, pl.DataFrame({"rent": rent}))
    rents.save(folder / "rents.safetensors")
    size = np.digitize(rent, [500.0, 900.0])
    dr.TabularClassifier(**settings).fit(frame, size).save(folder / "sizes.safetensors")
    return folder


def test_contributions_are_further_columns(folder, capsys):
    out = folder / "out.csv"
    arguments = ["predict", str(folder / "rents.safetensors"), str(folder / "flats.csv"), "--why"]
    assert main([*arguments, "--out", str(out), "--baseline", "town=B"]) == 0
    found = pl.read_csv(out)
    parts = ["contribution_area", "contribution_town", "reference", "residual"]
    assert found.columns == ["predicted_rent", *parts]
    total = found.select(pl.sum_horizontal(parts)).to_series()
    np.testing.assert_allclose(total, found["predicted_rent"], rtol=1e-4)
    said = capsys.readouterr().out
    assert "units of the target" in said
    assert "raises" in said


def test_a_table_in_blocks_has_the_same(folder):
    arguments = ["predict", str(folder / "rents.safetensors"), str(folder / "flats.csv"), "--why"]
    assert main([*arguments, "--out", str(folder / "whole.csv")]) == 0
    assert main([*arguments, "--out", str(folder / "blocks.csv"), "--memory", "100MB"]) == 0
    assert (folder / "whole.csv").read_bytes() == (folder / "blocks.csv").read_bytes()


def test_a_larger_tolerance_is_kept(folder):
    out = folder / "coarse.csv"
    arguments = ["predict", str(folder / "rents.safetensors"), str(folder / "flats.csv"), "--why"]
    assert main([*arguments, "--why-tolerance", "0.1", "--out", str(out)]) == 0
    found = pl.read_csv(out)
    assert found["residual"].abs().max() <= 0.1 * found["predicted_rent"].std() * 2


def test_json_says_what_the_reference_is(folder, capsys):
    arguments = ["predict", str(folder / "sizes.safetensors"), str(folder / "flats.csv")]
    assert main([*arguments, "--why", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "contribution_2_area" in found["predictions"]
    assert found["why"]["unit"] == "centered logits"
    assert found["why"]["baseline"]["town"] in ("A<b>", "B")
    assert found["why"]["largest_residual"] < 0.002
    assert len(found["why"]["columns"]) == 6


@pytest.mark.parametrize("model", ["rents", "sizes"])
def test_the_page_of_a_row_is_whole_and_offline(folder, model, capsys):
    page = folder / "row.html"
    arguments = ["predict", str(folder / f"{model}.safetensors"), str(folder / "flats.csv")]
    assert main([*arguments, "--why-page", str(page), "--why-row", "7"]) == 0
    text = page.read_text()
    assert "<h1>Row 7 of flats.csv</h1>" in text
    assert "default-src 'none'" in text
    assert "<b>" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert "Second reference" in text
    assert str(page) in capsys.readouterr().err


def test_a_page_of_many_columns_sums_up_the_smallest():
    X = np.random.default_rng(0).normal(size=(80, 30))
    fitted = dr.TabularRegressor(epochs=1, n_ensemble=1).fit(X, X[:, 0])
    text = tabular.row_page(fitted.model_, fitted._framed(X[:1]))
    assert "5 other columns" in text


def test_inspect_shows_effects(folder, capsys):
    arguments = ["inspect", str(folder / "rents.safetensors")]
    assert main([*arguments, "--effects", str(folder / "flats.csv")]) == 0
    said = capsys.readouterr().out
    assert "mean absolute" in said
    assert "highest 'B'" in said
    assert main([*arguments, "--effects", str(folder / "flats.csv"), "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["effects"]["columns"]
    assert [each["column"] for each in columns] == ["area", "town"]
    assert columns[0]["direction"] > 0.9


def test_a_row_that_is_not_there_is_refused_before_anything_is_predicted(
    folder, monkeypatch, capsys
):
    monkeypatch.setattr(tabular, "explain_table", None)
    arguments = ["predict", str(folder / "rents.safetensors"), str(folder / "flats.csv"), "--why"]
    asked = ["--why-page", str(folder / "x.html"), "--why-row", "202"]
    assert main([*arguments, *asked]) == 2
    assert "--why-row 202: expected a row of data, from 2 to 201" in capsys.readouterr().err


def test_curves_of_dates_have_iso_dates_in_json():
    points = (tabular.CurvePoint(0.2, 1.0, 3), tabular.CurvePoint(18_262.0, 2.0, 4))
    built = tabular.ColumnEffect("built", "rent", 1.0, 0.9, points, is_date=True)
    assert [point["value"] for point in _curve(built)] == ["1970-01-01", "2020-01-01"]
    area = replace(built, is_date=False)
    assert [point["value"] for point in _curve(area)] == [0.2, 18_262.0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--baseline", "area=5"], "--baseline: expected --why or --why-page too"),
        (["--why", "--baseline", "area"], "expected COLUMN=VALUE, as rooms=3; got 'area'"),
        (["--why", "--baseline", "aera=5"], "--baseline: the model has no column 'aera'. Did you"),
        (["--why", "--baseline", "town=C"], "--baseline: column 'town' holds 'C'"),
        (["--why-page", "{folder}/x.html", "--why-row", "1"], "from 2 to 201, as the file counts"),
        (["--why-page", "{folder}/x.html", "--why-row", "two"], "--why-row two: expected a row of"),
        (["--why", "--why-row", "2"], "--why-row 2: expected --why-page FILE too"),
        (["--why-tolerance", "0.1"], "--why-tolerance: expected --why too"),
        (["--why", "--why-tolerance", "0"], "--why-tolerance"),
        (["--why-page", "{folder}/flats.csv"], "--why-page {folder}/flats.csv: is the data"),
        (
            ["--why-page", "{folder}/x.html", "--memory", "1GB", "--out", "{folder}/y.csv"],
            "--why-page: expected a table that is read whole",
        ),
    ],
)
def test_what_cannot_be_is_refused(folder, options, says, capsys):
    given = [option.format(folder=folder) for option in options]
    arguments = ["predict", str(folder / "rents.safetensors"), str(folder / "flats.csv")]
    assert main([*arguments, *given]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert says.format(folder=folder) in said
    assert not (folder / "x.html").exists()


@pytest.mark.parametrize(
    ("name", "cell", "unit"),
    [("rent (EUR)", "{}", "EUR"), ("rent", "${}", "$"), ("rent", "{}", "")],
)
def test_the_page_and_the_terminal_name_the_unit(tmp_path, monkeypatch, capsys, name, cell, unit):
    monkeypatch.chdir(tmp_path)
    rows = [f"{a},{cell.format(10 * a + 0.5)}" for a in range(20, 80)]
    (tmp_path / "t.csv").write_text("\n".join([f"area,{name}", *rows]))
    quick = ["--epochs", "1", "--ensemble", "1", "--hidden", "4", "--no-baselines"]
    assert main(["train", "t.csv", "--target", name, *quick, "--out", "m"]) == 0
    capsys.readouterr()
    arguments = ["predict", "m", "t.csv", "--why", "--out", "p.csv", "--why-page", "row.html"]
    assert main(arguments) == 0
    known = unit or "units of the target"
    assert f"Contributions, {known}, from" in capsys.readouterr().out
    page = (tmp_path / "row.html").read_text()
    assert f"Contributions are in {known}." in page
    predicted = pl.read_csv("p.csv")[f"predicted_{name}"][0]
    assert f"Predicted {name}: {predicted:.5g} {unit}".strip() in page
