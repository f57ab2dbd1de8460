"""The command line: what each command does, and what it says to a mistake."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deltarule import __version__
from deltarule.cli import app, main
from deltarule.modelfile import load_model

ROOT = Path(__file__).parent.parent
QUICK = ["--epochs", "5", "--hidden", "8", "--no-baselines"]


def write_flats(path, m=120, seed=0, **changed):
    random = np.random.default_rng(seed)
    area = random.uniform(20, 120, m).round(1)
    town = random.choice(["north", "south", "east"], m)
    frame = pl.DataFrame(
        {
            "area": area,
            "town": town,
            "block": np.arange(m) // 6,
            "day": np.arange(m),
            "sold": np.where(area > 60, "yes", "no"),
            "rent": (8 * area + 200 * (town == "south") + random.normal(0, 20, m)).round(2),
        }
    )
    frame.with_columns(**changed).write_csv(path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a table of flats and a model of their rents."""
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv")
    return tmp_path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A regression and a classification, of dense layers alone, trained once."""
    folder = tmp_path_factory.mktemp("models")
    flats = str(write_flats(folder / "flats.csv"))
    for target, other in (("rent", "sold"), ("sold", "rent")):
        out = str(folder / f"{target}.safetensors")
        arguments = ["train", flats, "--target", target, "--drop", other, "--out", out]
        arguments += ["--bins", "0", "--optimizer", "adam", "--learning-rate", "0.002"]
        assert main([*arguments, "--epochs", "30", "--hidden", "16", "--no-baselines"]) == 0
    return folder


def fails(capsys, *arguments, status=2):
    """The one error line of a command that fails."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == status
    error = capsys.readouterr().err
    assert "Traceback" not in error
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, error
    return lines[0]


# --------------------------------------------------------------------------------------- train


def test_train_says_what_it_does(here, capsys):
    assert main(["train", "flats.csv", "--target", "rent", "--drop", "sold", "--epochs", "20"]) == 0
    said = capsys.readouterr().out
    assert "flats.csv: 120 rows, 6 columns" in said
    assert re.search(r"task +regression of 'rent': the target has fractional numbers", said)
    assert re.search(r"area +numeric, standardized", said)
    assert re.search(r"town +category, 3 levels", said)
    assert re.search(r"rows +96 for training, 19 of them for validation; 24 held out", said)
    assert re.search(r"epoch +20/20 +cost \S+ +validation", said)
    assert re.search(r"network +\S+ +\S+ +\S+ +\S+ m?s", said)
    for baseline in ("mean", "ridge regression", "HistGradientBoosting"):
        assert re.search(rf"{baseline} +\S+", said)
    assert re.search(r"(wins|Too close to call): RMSE \S+ for the network, \S+ for", said)
    assert "\x1b" not in said
    assert all(line == line.rstrip() and len(line) <= 100 for line in said.splitlines())


def test_train_on_a_built_in_set(capsys):
    assert main(["train", "wine", *QUICK]) == 0
    assert "classification of 'target'" in capsys.readouterr().out


def test_train_prints_json(here, capsys):
    out = ["--out", "m.safetensors"]
    arguments = ["train", "flats.csv", "--target", "sold", "--drop", "rent", *QUICK, *out]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["figures"]) == {"network"}
    assert set(told["figures"]["network"]) == {"accuracy", "log_loss", "auc"}
    assert told["model"] == "m.safetensors"
    assert told["judged_rows"] == 24


def test_equal_commands_write_equal_files(here):
    arguments = ["train", "flats.csv", "--target", "rent", *QUICK]
    for out in ("one", "other"):
        assert main([*arguments, "--out", out]) == 0
    assert Path("one").read_bytes() == Path("other").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ["--groups", "block"],
        ["--time", "day"],
        ["--weights", "area"],
        ["--cv", "3"],
        ["--cv", "3", "--time", "day"],
        ["--class-weight", "balanced", "--target", "sold"],
        ["--kind", "block=category", "--test-share", "0.3"],
        ["--optimizer", "sgd", "--learning-rate", "0.01", "--schedule", "one_cycle"],
        ["--optimizer", "lbfgs", "--weight-decay", "0"],
        ["--cost", "huber(2)", "--activation", "leaky_relu(0.1)", "--dropout", "0.2"],
        ["--hidden", "none", "--dtype", "float64", "--engine", "reference"],
        ["--l1", "0.001", "--l2", "0.001", "--clip-norm", "1", "--patience", "2"],
        ["--target", "rent,area"],
        ["--missing", "north", "--delimiter", ",", "--encoding", "utf-8", "--quote", '"'],
    ],
    ids=lambda options: " ".join(options[:2]),
)
def test_every_option_of_train(here, options, capsys):
    target = [] if "--target" in options else ["--target", "rent"]
    arguments = [*QUICK, *options, *target, "--out", "m", "--json"]
    assert main(["train", "flats.csv", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(np.isfinite(list(told["figures"]["network"].values())))
    assert main(["inspect", "m"]) == 0
    assert main(["evaluate", "m", "flats.csv"]) == 0


def test_columns_with_a_role_are_said_to_be_used_for_it(here, capsys):
    assert main(["train", "flats.csv", "--target", "rent", "--groups", "block", *QUICK]) == 0
    said = capsys.readouterr().out
    assert "whole groups of 'block'" in " ".join(said.split())
    assert not re.search(r"^ +block", said, re.MULTILINE)


def test_rows_without_a_target_are_dropped_with_their_number(here, capsys):
    rent = pl.when(pl.col("day") > 6).then("rent")
    write_flats(here / "gaps.csv", rent=rent)
    arguments = ["train", "gaps.csv", "--target", "rent", *QUICK]
    assert main(arguments) == 0
    assert "warning: rows without a target were dropped: 7 (--strict" in capsys.readouterr().err
    assert fails(capsys, *arguments, "--strict").startswith(
        "error: the target is missing in 7 of 120 rows; expected it in each."
    )


def test_a_leak_is_named_with_the_option_that_drops_it(here, capsys):
    write_flats(here / "leaky.csv", **{"moved in": pl.col("sold")})
    assert main(["train", "leaky.csv", "--target", "sold", "--drop", "rent", *QUICK]) == 0
    error = " ".join(capsys.readouterr().err.split())
    assert "warning: column 'moved in' alone explains 100% of 'sold'" in error
    assert "To leave it out: --drop 'moved in'" in error


def test_odd_columns_are_used_or_dropped_with_a_word(here, capsys):
    odd = {
        "same": pl.lit(7),
        "hole": pl.lit(None),
        "size": pl.when(pl.col("day") > 3).then(pl.col("area")).otherwise(pl.lit(float("nan"))),
        "mixed": pl.when(pl.col("day") % 2 == 0).then(pl.lit("w")).otherwise(pl.col("block") // 10),
        "key": "k" + pl.col("day").cast(pl.String),
    }
    write_flats(here / "odd.csv", **odd)
    assert main(["train", "odd.csv", "--target", "rent", *QUICK]) == 0
    said = capsys.readouterr().out
    for name, done in {
        "same": "dropped, constant: 7 in every row",
        "hole": "dropped, empty: no value in any row",
        "size": r"numeric, standardized, \d missing filled with \S+ and flagged",
        "mixed": "category, 3 levels",
        "key": "dropped, identifier: 96 different values in 96 rows",
    }.items():
        assert re.search(rf"^ +{name} +{done}$", said, re.MULTILINE)


# --------------------------------------------------------------------- evaluate repeats train


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train flats.csv --target rent --out ./flats.csv", "--out flats.csv: is the data,"),
        ("train fl*.csv --target rent --report flats.csv", "--report flats.csv: is the data,"),
        ("train flats.csv --target rent --out a --report a", "is what --out names too,"),
        (
            "train flats.csv --target rent --test later.csv --out later.csv",
            "--out later.csv: is the test file,",
        ),
        ("tune flats.csv --target rent --out flats.csv", "--out flats.csv: is the data,"),
        ("tune flats.csv --target rent --out a --search a", "is what --out names too,"),
        ("tune flats.csv --target rent --search flats.csv", "--search flats.csv: is the data,"),
        ("predict m flats.csv --out m", "--out m: is the model,"),
        ("predict m link.csv --out flats.csv", "--out flats.csv: is the data,"),
        ("export m.onnx --out m.onnx", "--out m.onnx: is the model,"),
        ("explain m flats.csv --out flats.csv", "--out flats.csv: is the data,"),
        ("predict m flats.csv --out p.ods", "--out p.ods: predictions are not written as .ods."),
    ],
)
def test_no_output_replaces_what_is_read(here, capsys, arguments, said):
    (here / "later.csv").write_bytes((here / "flats.csv").read_bytes())
    (here / "link.csv").symlink_to("flats.csv")
    for name in ("m", "m.onnx"):
        (here / name).write_text("a model")
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    assert said in fails(capsys, *arguments.split())
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_outputs_that_are_no_files_may_be_the_same(here):
    arguments = ["train", "flats.csv", "--target", "rent", *QUICK, "--no-baselines"]
    assert main([*arguments, "--out", os.devnull, "--report", os.devnull]) == 0


@pytest.mark.parametrize("target", ["rent", "sold"])
def test_evaluate_repeats_the_held_out_figures(models, target, capsys):
    model, data = models / f"{target}.safetensors", models / "flats.csv"
    assert main(["evaluate", str(model), str(data), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figures"] == load_model(model).about["figures"]["network"]
    assert told["which"] == "held out when it was trained"
    assert told["rows"] == 24


def test_evaluate_repeats_the_figures_of_a_test_file(here, capsys):
    write_flats(here / "later.csv", seed=1)
    arguments = ["train", "flats.csv", "--target", "rent", "--test", "later.csv", "--out", "m"]
    assert main([*arguments, *QUICK, "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["calibration"].keys() == {"rows", "temperature"}  # and no row's residual
    assert main(["evaluate", "m", "later.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == trained["figures"]["network"]
    assert main(["evaluate", "m", "flats.csv"]) == 0
    assert "trained on these rows: its metrics are too optimistic" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--groups", "block"], ["--time", "day"], ["--seed", "9"]])
def test_evaluate_finds_the_same_rows_by_any_split(here, options, capsys):
    arguments = ["train", "flats.csv", "--target", "rent", *QUICK, *options, "--out", "m"]
    assert main([*arguments, "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)["figures"]["network"]
    assert main(["evaluate", "m", "flats.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == trained
    assert main(["evaluate", "m", "flats.csv", "--json", "--all-rows"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 120


# ------------------------------------------------------------------------------------- predict


def test_predict_writes_a_row_a_row_in_order(models, here, capsys):
    model = str(models / "rent.safetensors")
    assert main(["predict", model, "flats.csv", "--keep", "", "--out", "p.csv"]) == 0
    predicted = pl.read_csv("p.csv")
    assert predicted.columns == ["predicted_rent"]
    assert len(predicted) == 120
    backwards = pl.read_csv("flats.csv").reverse()
    backwards.select(reversed(backwards.columns)).with_columns(new=1).write_csv("back.csv")
    assert main(["predict", model, "back.csv", "--out", "q.parquet"]) == 0
    again = pl.read_parquet("q.parquet").reverse()["predicted_rent"]
    np.testing.assert_allclose(again, predicted["predicted_rent"], rtol=1e-5)


def test_predict_to_standard_output_with_probabilities(models, here, capsys):
    model = str(models / "sold.safetensors")
    assert main(["predict", model, "flats.csv", "--keep", "", "--probabilities"]) == 0
    predicted = pl.read_csv(capsys.readouterr().out.encode())
    assert predicted.columns == ["predicted_sold", "probability_no", "probability_yes"]
    np.testing.assert_allclose(predicted[:, 1] + predicted[:, 2], 1.0, atol=1e-6)
    likely = np.where(predicted["probability_yes"] >= 0.5, "yes", "no")
    assert (likely == predicted["predicted_sold"].to_numpy()).all()


def test_predict_needs_no_target_and_takes_unseen_and_missing_values(models, here, capsys):
    frame = pl.read_csv("flats.csv").drop("rent", "sold").head(3)
    frame = frame.with_columns(area=pl.Series([None, 50.0, 60.0]), town=pl.lit("west"))
    frame.write_csv("new.csv")
    assert main(["predict", str(models / "rent.safetensors"), "new.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 3
    assert np.isfinite(found["predictions"]["predicted_rent"]).all()


# -------------------------------------------------------------------------- inspect, equations


def test_inspect_shows_network_columns_and_figures(models, capsys):
    assert main(["inspect", str(models / "sold.safetensors")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"task +classification of 'sold'", said)
    assert re.search(r"classes +no, yes", said)
    assert re.search(r"1 +dense +gelu +16 +\d+", said)
    assert re.search(r"town +category, 3 levels", said)
    assert "Metrics at training, on 24 held-out rows" in said


def test_inspect_prints_json(models, capsys):
    assert main(["inspect", str(models / "rent.safetensors"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["network"]["layers"][0]["activation"] == "gelu"
    assert told["about"]["figures"]["network"]["r2"] < 1


def test_equations_are_printed_with_their_code(capsys):
    assert main(["equations"]) == 0
    said = capsys.readouterr().out
    assert "Eq. 10b" in said
    assert "dW[L] = (1/m) δ[L] A[L-1]ᵀ" in said
    assert "return delta @ A_prev.T / m" in said


def test_equations_are_checked(capsys):
    assert main(["equations", "--check"]) == 0
    said = capsys.readouterr().out
    assert said.count("largest error") == 56 + 1
    assert "56 of 56 equations agree with central differences" in said


def test_a_wrong_equation_fails_the_check(capsys, monkeypatch):
    from deltarule import checks

    found = [checks.Checked("10b", 0.5, 3, "relu, mse")]
    monkeypatch.setattr(checks, "check_all", lambda: found)
    assert fails(capsys, "equations", "--check", status=1) == (
        "error: these equations do not agree: 10b."
    )


# --------------------------------------------------------------------------------- bad input

TABLES = {
    "empty.csv": b"",
    "header.csv": b"a,b\n",
    "ragged.csv": b"a,b\n" + b"1,2\n" * 20 + b"1,2,3\n",
    "quote.csv": b'a,b\n1,"x\n' + b"1,2\n" * 200,
    "few.csv": b"a,b\n" + b"1,2\n2,3\n3,4\n",
    "constant.csv": b"a,b\n" + b"1,2\n1,3\n" * 10,
    "one.csv": b"a,b\n" + b"1,5\n2,5\n" * 10,
    "bytes.csv": b"a,b\n\x00\x01\x02" * 50,
    "picture.csv": b"\x89PNG\r\n" + bytes(100),
    "classes.csv": b"a,b\n" + b"".join(b"%d,w%d\n" % (i, i) for i in range(12)),
    "infinite.csv": b"a,b\n" + b"1,2.5\n2,3.5\n" * 20 + b"inf,4\n",
    "typo.csv": b"a,b\n" + b"".join(b"%d,%d.5\n" % (i * i, i) for i in range(40)) + b"oops,4\n",
    "nothing.csv": b"a,b\n" + b",2.5\n,3.5\n" * 20,
    "gaps.csv": b"a,b\n7,\n" + b"".join(b"%d,%d.5\n" % (i * i, i) for i in range(40)) + b"oops,4\n",
    "lacks.csv": b"b\n1.5\n2.5\n",
    "absent.csv": b"a,b\n" + b"1,\n2,\n" * 6,
    "levels.csv": b"a,b\n" + b"".join(b"%d,w%d\n" % (i, i // 2) for i in range(4000)),
    "plain.csv": b"a,b,when\n" + b"".join(b"%d,%d.5,week %d\n" % (i * i, i, i) for i in range(40)),
}

TRAIN = {
    ("none.csv",): "none.csv: there is no such file.",
    ("digts",): "digts: there is no such file, and no built-in set of that name. Did you mean "
    "'digits'?",
    ("empty.csv",): "empty.csv: the file is empty; expected a table.",
    ("header.csv",): "header.csv: has a header but no rows; expected at least one row below it.",
    ("ragged.csv",): "row 22 of the file has 3 cells; expected 2",
    ("quote.csv",): "quote.csv: a quote that opens in line 2",
    ("bytes.csv",): "bytes.csv: holds bytes that are not text",
    ("picture.csv",): "picture.csv: this is a PNG picture",
    ("few.csv",): "the table has 3 rows with a target; expected at least 10.",
    ("constant.csv",): "no column is left to learn from.",
    ("nothing.csv",): "no column is left to learn from.",
    ("one.csv",): "target 'b': has one value, 5, in every row; expected at least two, classes or "
    "numbers.",
    ("classes.csv",): "target 'b': has a different class in each of its 12 rows",
    ("infinite.csv",): "column 'a' holds inf in row 42 of the file;",
    ("typo.csv",): "column 'a' holds text in row 42 of the file ('oops')",
    ("gaps.csv",): "column 'a' holds text in row 43 of the file ('oops')",
    ("few.csv", "--test", "typo.csv"): "the table has 3 rows with a target",
    ("plain.csv", "--test", "gaps.csv"): "column 'a' holds text in row 43 of the file ('oops')",
    ("plain.csv", "--test", "lacks.csv"): "the table lacks the column: 'a'.",
    ("plain.csv", "--time", "when"): "column 'when' (--time) holds 'week 0'; expected numbers, or",
    ("flats.csv", "--target", "rnt"): "no column 'rnt' (the target). Did you mean 'rent'?",
    (
        "flats.csv",
        "--target",
        "town",
        "--task",
        "regression",
    ): "target 'town': holds 'south' in row 2 of the file; expected numbers",
    ("flats.csv", "--hidden", "12,x"): "--hidden: expected whole numbers with commas",
    ("flats.csv", "--hidden", "0"): "error: --hidden: expected a whole number, at least 1; got 0.",
    ("flats.csv", "--activation", "rleu"): "unknown activation 'rleu'. Did you mean 'relu'?",
    ("flats.csv", "--cost", "mes"): "unknown cost 'mes'. Did you mean 'mse'?",
    ("flats.csv", "--optimizer", "adm"): "unknown optimizer 'adm'. Did you mean 'adam'?",
    ("flats.csv", "--schedule", "cosin"): "unknown schedule 'cosin'. Did you mean 'cosine'?",
    ("flats.csv", "--engine", "gpu"): "unknown engine 'gpu'.",
    ("flats.csv", "--threads", "0"): "error: --threads: expected a whole number, at least 1,",
    ("flats.csv", "--threads", "2", "--engine", "reference"): "NumPy's BLAS chooses its threads",
    ("flats.csv", "--device", "cuda"): "device must be one of auto, cpu, gpu, tpu",
    ("flats.csv", "--device", "gpu"): "it computes on the CPU, not on device 'gpu'",
    ("flats.csv", "--precision", "low"): "precision must be one of highest, high, default",
    ("flats.csv", "--learning-rate", "-1"): "--learning-rate: expected a number, at least 0; got",
    ("flats.csv", "--epochs", "0"): "error: --epochs: expected a whole number, at least 1; got 0.",
    ("flats.csv", "--epochs", "many"): "Invalid value for '--epochs': ",
    ("flats.csv", "--batch-size", "0"): "--batch-size: expected a whole number, at least 1; got 0.",
    ("flats.csv", "--seed", "-1"): "error: --seed: expected a whole number, at least 0",
    ("flats.csv", "--dropout", "1"): "--dropout: expected a number, at least 0, below 1; got 1.0.",
    ("flats.csv", "--weight-decay", "-1"): "error: --weight-decay: expected a number, at least 0; ",
    ("flats.csv", "--on-divergence", "x"): "error: --on-divergence: expected one of raise, stop, ",
    (
        "flats.csv",
        "--hidden",
        "none",
        "--members",
        "3",
    ): "--members: expected a hidden layer",
    ("flats.csv", "--dtype", "int8"): "dtype must be one of float32, float64; got 'int8'.",
    (
        "flats.csv",
        "--test-share",
        "2",
    ): "--test-share: expected a number, above 0, below 1; got 2.0.",
    ("flats.csv", "--cv", "1"): "--cv: expected at least 2 folds; got 1.",
    (
        "flats.csv",
        "--cv",
        "100",
    ): "100 folds (--cv): 120 rows are too few; expected at most 60 folds.",
    ("flats.csv", "--cv", "3", "--test", "flats.csv"): "--cv and --test: they cannot be combined",
    ("flats.csv", "--kind", "area"): "--kind: expected COLUMN=KIND, as age=category; got 'area'.",
    ("flats.csv", "--kind", "area=catgory"): "unknown kind 'catgory' of column 'area'. Did you",
    ("flats.csv", "--kind", "aera=category"): "no column 'aera' (--kind). Did you mean 'area'?",
    ("flats.csv", "--drop", "twn"): "no column 'twn' (dropped). Did you mean 'town'?",
    ("flats.csv", "--weights", "town"): "column 'town' (--weights) holds",
    (
        "flats.csv",
        "--groups",
        "block",
        "--time",
        "day",
    ): "--groups and --time: they cannot be combined.",
    ("flats.csv", "--class-weight", "even"): "unknown class weight 'even'.",
    ("flats.csv", "--delimiter", "::"): "delimiter: expected one ASCII character, got '::'.",
    ("flats.csv", "--bad-rows", "mend"): "--bad-rows: expected error or skip, got 'mend'.",
    ("flats.csv", "--comment", " "): "--comment: expected what a line begins with, got ' '.",
    ("flats.csv", "--encoding", "utf-9"): "encoding: Python knows none named 'utf-9'.",
    ("flats.csv", "--cost", "categorical_cross_entropy"): "softmax over one output is always 1",
    ("flats.csv", "--out", "no/m"): "no/m: cannot be written: there is no folder",
    ("flats.csv", "--out", "."): ".: is a folder; expected the name of a file.",
    ("flats.csv", "--test", "header.csv"): "header.csv: has a header but no rows",
    ("flats.csv", "--test", "typo.csv"): "no column 'rent' (test table).",
    ("flats.csv", "--hiden", "3"): "No such option: --hiden",
    (
        "flats.csv",
        "--ensemble=0",
    ): "error: --ensemble: expected a whole number, at least 1, at most 1000; got 0.",
    ("flats.csv", "--checkpoint-every", "soon"): "--checkpoint-every: expected a number of steps",
    ("absent.csv",): "the target is missing in all 12 rows; expected it in some.",
    ("levels.csv",): "target 'b': has 2000 classes; expected at most 1000.",
}


@pytest.mark.parametrize("arguments", TRAIN, ids=" ".join)
def test_what_train_says_to_a_mistake(here, capsys, arguments):
    for name, content in TABLES.items():
        (here / name).write_bytes(content)
    before = {path: path.read_bytes() for path in here.iterdir()}
    target = "rent" if arguments[0] == "flats.csv" else "b"
    given = [] if "--target" in arguments else ["--target", target]
    out = [] if "--out" in arguments else ["--out", "m.safetensors"]
    error = fails(capsys, "train", "--no-baselines", *arguments, *given, *out, "--json")
    assert TRAIN[arguments] in error
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_a_missing_target_is_asked_for(here, capsys):
    assert fails(capsys, "train", "flats.csv") == (
        "error: --target is missing: expected the column to predict. The table has: area, town, "
        "block, day, sold, rent."
    )


def damaged(model, content):
    path = Path("bad.safetensors")
    path.write_bytes(content(model.read_bytes()))
    return path


@pytest.mark.parametrize("command", ["predict", "evaluate", "inspect"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: b"", "the file is empty"),
        (lambda good: good[:-9], "the file is truncated"),
        (lambda good: b"PK\x03\x04" * 50, "no model file: it does not begin like a safetensors"),
    ],
)
def test_what_every_command_says_to_a_bad_model(models, here, capsys, command, content, message):
    bad = damaged(models / "rent.safetensors", content)
    data = [] if command == "inspect" else ["flats.csv"]
    assert message in fails(capsys, command, bad, *data)


def test_what_predict_says_to_a_mistake(models, here, capsys):
    model = models / "rent.safetensors"
    Path("p.csv").write_text("precious")
    flats = pl.read_csv("flats.csv")
    flats.drop("area").write_csv("lacks.csv")
    flats.with_columns(area=pl.lit("wide")).write_csv("text.csv")
    for arguments, message in {
        ("lacks.csv",): "the table lacks the column: 'area'.",
        ("text.csv",): "column 'area' holds text in row 2 of the file ('wide'); expected numbers",
        ("none.csv",): "none.csv: there is no such file.",
        ("flats.csv", "--probabilities"): "--probabilities: expected a classification model",
    }.items():
        assert message in fails(capsys, "predict", model, *arguments, "--out", "p.csv")
    assert "there is no folder" in fails(capsys, "predict", model, "flats.csv", "--out", "no/p.csv")
    assert Path("p.csv").read_text() == "precious"


def test_what_evaluate_says_to_a_mistake(models, here, capsys):
    flats = pl.read_csv("flats.csv")
    flats.drop("sold").write_csv("lacks.csv")
    flats.with_columns(sold=pl.lit("maybe")).write_csv("strange.csv")
    model = models / "sold.safetensors"
    assert "no column 'sold' (test table)" in fails(capsys, "evaluate", model, "lacks.csv")
    strange = fails(capsys, "evaluate", model, "strange.csv")
    assert (
        "target 'sold': holds 'maybe' in row 2 of the file, a class that training did not have"
        in strange
    )


def test_divergence_is_no_mistake_of_the_command_line(here, capsys):
    arguments = ["flats.csv", "--target", "rent", "--optimizer", "gradient_descent", *QUICK]
    rate = ["--learning-rate", "1e9", "--schedule", "constant"]
    error = fails(capsys, "train", *arguments, *rate, "--out", "m", status=1)
    assert error.startswith("error: training diverged at step")
    assert error.endswith("or clip the gradients (--clip-norm 1).")
    assert not Path("m").exists()


def test_a_missing_extra_is_named(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    assert fails(capsys, "train", "flats.csv", "--target", "rent", status=1) == (
        'error: reading tables needs the package "polars", which is not installed. Run: '
        'pip install "deltarule[table]"'
    )


def test_an_interruption_writes_nothing(here, capsys, monkeypatch):
    from deltarule import tabular

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tabular, "fit", interrupt)
    arguments = ["train", "flats.csv", "--target", "rent", "--out", "m"]
    assert fails(capsys, *arguments, status=130) == "error: interrupted; nothing was written."
    assert not Path("m").exists()


# ------------------------------------------------------------------------ help, documentation


def test_the_version_names_the_engines(capsys):
    assert main(["--version"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"deltarule {__version__} (Python ")
    assert re.search(r"engine reference +NumPy; float32, float64", said)
    native = r"(avx512|avx2|neon|baseline)\b.* \d+ cores; float32, float64|the compiled core is not"
    assert re.search(rf"engine native +.*({native})", said)
    assert re.search(r"engine jax +(JAX \d|not installed)", said)
    assert re.search(r"packages .*polars \d", said)


def test_every_command_has_help_with_examples(capsys):
    for command in app.registered_commands:
        name = command.callback.__name__
        assert main([name, "--help"]) == 0
        assert f"deltarule {name}" in capsys.readouterr().out
        assert "Examples:" in command.callback.__doc__


def test_the_documentation_is_what_the_commands_say():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import commands

        assert commands.PAGE.read_text() == commands.page(), "run: python docs/commands.py"
    finally:
        sys.path.remove(str(ROOT / "docs"))


def test_every_command_and_option_is_documented():
    page = (ROOT / "docs" / "cli.md").read_text()
    for command in app.registered_commands:
        assert f"## `deltarule {command.callback.__name__}" in page
    for option in ("--target", "--out", "--cv", "--json", "--probabilities", "--check"):
        assert f"`{option}" in page


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's own full disk")
def test_an_output_that_takes_no_more_is_a_clear_error(models):
    for more in ([], ["--json"]):
        with open("/dev/full", "w") as full:
            command = [sys.executable, "-m", "deltarule", "inspect", "rent.safetensors", *more]
            pipes = {"stdout": full, "stderr": subprocess.PIPE, "text": True}
            done = subprocess.run(command, cwd=models, check=False, **pipes)
        assert done.returncode == 1
        assert done.stderr == "error: the output: no space left on device.\n"


# ------------------------------------------------------------------------------- on a terminal


def on_a_terminal(arguments, folder, **environment):
    """What a terminal of 80 columns shows."""
    parent, child = pty.openpty()
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "deltarule", *arguments],
        stdout=child,
        stderr=child,
        cwd=folder,
        env={**inherited, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40", **environment},
    )
    os.close(child)
    shown = b""
    try:
        while block := os.read(parent, 4096):
            shown += block
    except OSError:  # the other end has closed
        pass
    os.close(parent)
    assert process.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_shows_a_bar_within_80_columns(here, no_color):
    environment = {"NO_COLOR": "1"} if no_color else {}
    arguments = ["train", "flats.csv", "--target", "rent", "--epochs", "40", "--no-baselines"]
    shown = on_a_terminal(arguments, here, **environment)
    assert re.search(r"epoch \d+/40", shown)
    assert "━" in shown
    assert bool(re.search(r"\x1b\[(\d+;)*3[0-9]", shown)) is not no_color
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    bars = [line for line in re.split(r"[\r\n]+", plain) if "validation" in line]
    assert any(re.search(r"cost \S+ +validation \d\S* .*left", bar) for bar in bars)
    assert all(len(line) <= 80 for line in re.split(r"[\r\n]+", plain))


def test_a_terminal_shows_a_warning_wrapped_between_words(here):
    write_flats(here / "leaky.csv", **{"moved in": pl.col("sold")})
    arguments = ["leaky.csv", "--target", "sold", "--drop", "rent", *QUICK]
    shown = on_a_terminal(["train", *arguments], here, NO_COLOR="1")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    lines = [line.strip() for line in re.split(r"[\r\n]+", plain)]
    begun = next(i for i, line in enumerate(lines) if line.startswith("warning: "))
    assert all(len(line) <= 80 for line in lines)
    assert " ".join(lines[begun : begun + 2]) == (
        "warning: column 'moved in' alone explains 100% of 'sold': target leakage, unless it is "
        "known before 'sold' is. To leave it out: --drop 'moved in'"
    )


def test_values_not_seen_in_training_are_named(models, here, capsys):
    towns = ["Bonn", "north", "Köln", "Bonn", "\x1b[2J", None, "Oslo", "south"]
    pl.read_csv(here / "flats.csv").head(8).with_columns(town=pl.Series(towns)).write_csv("new.csv")
    model = str(models / "rent.safetensors")
    expected = (
        "column 'town': 5 rows hold 4 values not seen in training ('Bonn', '\\x1b[2J', 'Köln', …)"
    )
    in_blocks = ["--memory", "1GB", "--out", "out.csv"]
    for command in (["predict"], ["predict", *in_blocks], ["evaluate"]):
        assert main([command[0], model, "new.csv", *command[1:]]) == 0
        shown = " ".join(capsys.readouterr().err.split())
        assert expected in shown
    for command in ("predict", "evaluate"):
        assert main([command, model, "flats.csv"]) == 0
        assert "not seen" not in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_table_may_come_through_a_pipe(here):
    program = "import sys; from deltarule.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "train", "/dev/stdin", "--target", "rent", *QUICK]
    done = subprocess.run(
        command, input=(here / "flats.csv").read_bytes(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_weights_of_a_table_in_blocks_may_have_any_size(here):
    found = []
    for size in (2.0**-200, 1.0, 2.0**200):
        weights = size * (1.0 + np.arange(120) % 3)
        write_flats(here / "flats.csv", weight=pl.Series(weights))
        pl.read_csv(here / "flats.csv").write_parquet(here / "flats.parquet", row_group_size=50)
        arguments = ["flats.parquet", "--target", "rent", "--weights", "weight", "--memory", "1GB"]
        assert main(["train", *arguments, "--out", "model", *QUICK]) == 0
        found.append(load_model("model").predict(pl.read_csv("flats.csv"))["rent"].to_numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[1], rtol=1e-5)
