"""``deltarule tune``: random search, early discarding, and a search that goes on."""

import contextlib
import json
import os
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.modelfile import load_model
from deltarule.system.storage import FileLock
from deltarule.tabular import recipes, tuning
from deltarule.tabular.tuning import COMPLETE, GIVEN_UP, OUT_OF_TIME, Trial
from deltarule.training.events import EpochEnded, Started

FOREVER = 1e6


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 150))
    pl.DataFrame({"x": x, "z": z, "y": x * z}).write_csv("t.csv")
    return tmp_path


def problem(settings):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 150))
    frame = pl.DataFrame({"x": x, "z": z, "y": x * z})
    whole = tabular.table(frame, tabular.Roles(("y",)))
    return tabular.problem(whole, settings, np.arange(150), frame[:0])


def test_the_first_trial_is_the_recipe_and_the_others_are_drawn():
    settings = tabular.Settings()
    assert tuning.chosen_settings(settings, 0) == {}
    drawn = [tuning.chosen_settings(settings, k) for k in range(1, 30)]
    assert all(set(each) == set(tuning.RANGES) for each in drawn)
    assert len({json.dumps(each) for each in drawn}) == 29
    assert drawn[4] == tuning.chosen_settings(settings, 5)
    assert drawn[4] != tuning.chosen_settings(tabular.Settings(seed=1), 5)


def test_what_the_caller_chose_is_left_alone():
    settings = tabular.Settings(hidden=(8,), dropout=0.0)
    assert not {"hidden", "dropout"} & set(tuning.chosen_settings(settings, 3))
    cut = tabular.Settings(bins=8)  # by an embedding drawn, they would be no bins
    assert not {"bins", "embedding"} & set(tuning.chosen_settings(cut, 3))
    assert "bins" in tuning.chosen_settings(tabular.Settings(embedding="bins"), 3)


def test_what_a_trial_found_leaves_the_number_of_networks():
    settings = tabular.Settings(dropout=0.2)
    found = Trial(1, {"hidden": (8,), "embedding": "bins"}, COMPLETE, 0.1, (), 1.0)
    assert len(problem(settings).validations) == 5
    chosen = tuning.applied(settings, found, 4)
    assert chosen == tabular.Settings(dropout=0.2, hidden=(8,), embedding="bins", n_ensemble=4)
    assert len(problem(chosen).validations) == 4
    recipe = Trial(0, {}, COMPLETE, 0.1, (), 1.0)
    assert tuning.applied(settings, recipe, 4) is settings


def test_a_search_that_goes_on_is_the_search_in_one_go():
    settings = tabular.Settings(epochs=8)
    data = problem(settings)
    whole = list(tuning.search(data, settings, FOREVER, most=6))
    begun = list(tuning.search(data, settings, FOREVER, most=2))
    rest = list(tuning.search(data, settings, FOREVER, begun, most=6))
    for one, other in zip(whole, [*begun, *rest], strict=True):
        assert (one.number, one.chosen, one.outcome, one.rungs) == (
            (other.number, other.chosen, other.outcome, other.rungs)
        )
    best = tuning.best(whole)
    assert best.figure == min(t.figure for t in whole if t.outcome == COMPLETE)


def test_a_trial_behind_the_median_is_given_up():
    earlier = [Trial(k, {}, COMPLETE, 0.1 * k, (0.1 * k,) * 3, 1.0) for k in range(4)]
    plan = object()

    def run(cost):
        judge = tuning._Evaluator(earlier, float("inf"))
        judge(Started(plan, "native", "", 1, 1, 1, 1, 16, None, None, None, None))
        epochs = 0
        for epoch in range(1, 17):
            epochs = epoch
            if judge(EpochEnded(epoch, epoch, 1.0, cost)) is not None:
                break
        return judge.outcome, epochs, judge.rungs

    assert run(0.2) == (GIVEN_UP, 2, [0.2])
    assert run(0.14) == (COMPLETE, 16, [0.14] * 3)


def test_no_trial_is_given_up_before_there_are_some_to_compare_with():
    earlier = [Trial(k, {}, COMPLETE, 0.1, (0.1,) * 3, 1.0) for k in range(3)]
    judge = tuning._Evaluator(earlier, float("inf"))
    judge(Started(object(), "native", "", 1, 1, 1, 1, 8, None, None, None, None))
    assert all(judge(EpochEnded(k, k, 1.0, 9.0)) is None for k in range(1, 9))


def test_no_time_for_one_fit():
    settings = tabular.Settings(epochs=50)
    data = problem(settings)
    assert tuning._tried(data, settings, 0, [], 0.0).outcome == OUT_OF_TIME
    assert list(tuning.search(data, settings, 1e-3)) == []
    assert tuning.best([]) is None
    assert tuning.applied(settings, None, 1) is settings


def test_a_recipe_that_had_no_time_is_tried_when_the_search_goes_on(here, capsys):
    arguments = ["tune", "t.csv", "--target", "y", "--epochs", "6", "--no-baselines"]
    arguments += ["--search", "s.json"]
    assert main([*arguments, "--minutes", "0"]) == 0
    assert main([*arguments, "--minutes", "60", "--trials", "1"]) == 0
    assert re.search(
        r"trial +0 +complete .* default settings +best so far", capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--search", "s.json"], "the trials so far are saved in s.json; run the same command"),
        ([], "nothing was written. --search FILE saves the trials."),
    ],
)
def test_an_interruption_says_what_is_kept(here, capsys, monkeypatch, options, said):
    real = tuning._tried

    def tried(data, settings, number, *rest):
        if number == 1:
            raise KeyboardInterrupt
        return real(data, settings, number, *rest)

    monkeypatch.setattr(tuning, "_tried", tried)
    arguments = ["tune", "t.csv", "--target", "y", "--epochs", "6", "--no-baselines"]
    assert main([*arguments, *options]) == 130
    assert said in capsys.readouterr().err


def test_what_diverges_is_no_winner():
    settings = tabular.Settings(epochs=3)
    data = problem(settings)
    broken = tabular.Settings(epochs=3, learning_rate=1e30, bins=0)
    trial = tuning._tried(data, broken, 0, [], FOREVER**2)
    assert trial.outcome == tuning.DIVERGED
    assert tuning.best([trial]) is None


# ----------------------------------------------------------------------------- the command


def test_tune_says_what_it_does(here, capsys):
    arguments = ["tune", "t.csv", "--target", "y", "--epochs", "6", "--minutes", "60"]
    arguments += ["--trials", "3", "--search", "s.json", "--no-baselines", "--out", "m"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"trial +0 +complete +validation \S+ +\S+ s +default settings +best so far", said
    )
    assert len(re.findall(r"^trial +\d", said, re.M)) == 3
    assert re.search(r"3 trials, 3 of them complete; the best is ", said)
    assert "Metrics on 30 held-out rows" in said
    kept = Path("s.json").read_bytes()
    assert main([*arguments[:-1], "n", "--json"]) == 0  # nothing is left to try
    told = json.loads(capsys.readouterr().out)
    assert [trial["number"] for trial in told["trials"]] == [0, 1, 2]
    assert Path("s.json").read_bytes() == kept
    assert Path("n").read_bytes() == Path("m").read_bytes()
    assert main(["evaluate", "m", "t.csv"]) == 0


def test_the_best_settings_are_trained_by_as_many_networks_as_the_callers(
    here, capsys, monkeypatch
):
    """A trial that names hidden layers does not make one network of four."""
    monkeypatch.setattr(recipes, "_EPOCHS", {"regression": (1, 1)})
    trial = Trial(1, {"hidden": (8,), "embedding": "bins"}, COMPLETE, 0.1, (), 1.0)
    monkeypatch.setattr(tuning, "search", lambda *_: iter([trial]))
    monkeypatch.setattr(tabular, "check", lambda _: None)
    assert main(["tune", "t.csv", "--target", "y", "--no-baselines", "--out", "m"]) == 0
    assert load_model("m").about["settings"]["n_ensemble"] == 5
    assert "5 networks, averaged: 5 of " in " ".join(capsys.readouterr().out.split())


def test_a_budget_too_short_for_one_fit(here, capsys):
    asked = ["t.csv", "--target", "y", "--quality", "fast"]
    assert main(["tune", *asked, "--minutes", "0", "--out", "m"]) == 0
    assert "the time was too short for one fit: the default settings" in capsys.readouterr().err
    assert main(["train", *asked, "--out", "n"]) == 0
    one, other = (dr.TabularRegressor.load(name) for name in ("m", "n"))
    table = pl.read_csv("t.csv")
    np.testing.assert_array_equal(one.predict(table), other.predict(table))


TUNE = ["tune", "t.csv", "--target", "y", "--search", "s.json", "--epochs", "2", "--no-baselines"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "s.json: holds no search"),
        (b"", "s.json: holds no search"),
        (b"[" * 100_000, "s.json: holds no search (nested too deeply)"),
        (b'{"a":' * 100_000, "s.json: holds no search (nested too deeply)"),
        (b"\xef\xbb\xbf{}", "s.json: holds no search (Unexpected UTF-8 BOM"),
        ('{"search": "é"}'.encode("latin-1"), "s.json: holds no search ('utf-8' codec"),
        (b'{"search": NaN, "trials": []}', "s.json: holds no search (NaN is not a finite number)"),
        (b"[1e999]", "s.json: holds no search (1e999 is not a finite number)"),
        (b"9" * 10_000, "s.json: holds no search (Exceeds the limit"),
        (b'{"search": "", "search": "", "trials": []}', "(an object has a name twice)"),
        (b" " * 16_000_001, "s.json: holds no search (expected at most 16,000,000 bytes)"),
        (b"[]", "s.json: holds no search (expected an object of a search and its trials)"),
        (b'{"search": "other"}', "s.json: holds no search (expected an object"),
        (b'{"search": "other", "trials": {}}', "s.json: holds no search (expected an object"),
        (b'{"search": "other", "trials": []}', "s.json: holds a search of other data"),
        (b'{"search": ["other"], "trials": []}', "s.json: holds a search of other data"),
    ],
    ids=range(16),
)
def test_a_search_that_is_none_or_another_is_refused_and_left_alone(here, capsys, content, message):
    Path("s.json").write_bytes(content)
    assert main(TUNE) == 2
    assert message in capsys.readouterr().err
    assert Path("s.json").read_bytes() == content


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The file of a search of two trials."""
    settings, path = tabular.Settings(epochs=2), tmp_path_factory.mktemp("search") / "s.json"
    trials = list(tuning.search(problem(settings), settings, FOREVER, most=2))
    tuning.save_trials(path, "this", trials)
    assert tuning.load_trials(path, "this", settings) == trials
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", 0),
        ("number", "1"),
        ("number", True),
        ("chosen", {}),
        ("chosen", {"hidden": [10**9]}),
        ("chosen", None),
        ("outcome", "out of time"),
        ("outcome", []),
        ("figure", "0.5"),
        ("figure", 10**400),
        ("rungs", 0.5),
        ("rungs", [[0.5]]),
        ("rungs", [0.1] * 4),
        ("seconds", None),
        ("more", 1),
    ],
)
def test_a_trial_that_cannot_be_is_refused(searched, tmp_path, name, value):
    record = json.loads(searched.read_text())
    record["trials"][1][name] = value
    path = tmp_path / "s.json"
    path.write_text(json.dumps(record))
    with pytest.raises(dr.FileError, match=r"holds no search \(trial 1 is not what"):
        tuning.load_trials(path, "this", tabular.Settings(epochs=2))


def test_a_truncated_search_is_refused_wherever_it_ends(searched, tmp_path):
    content, path = searched.read_bytes(), tmp_path / "s.json"
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(dr.FileError, match="holds no search"):
            tuning.load_trials(path, "this", tabular.Settings(epochs=2))


def test_an_infinite_cost_is_kept(tmp_path):
    trials = [Trial(0, {}, GIVEN_UP, None, (float("inf"), 2.0), 1.0)]
    tuning.save_trials(tmp_path / "s.json", "this", trials)
    assert tuning.load_trials(tmp_path / "s.json", "this", tabular.Settings()) == trials


def test_a_search_has_one_run_at_a_time(here, capsys):
    Path("other.json").symlink_to("s.json")
    with contextlib.closing(FileLock(Path("other.json"), "search")):
        assert main(TUNE) == 2
    expected = "s.json: another run keeps its search there. Wait for it, or name another."
    assert expected in capsys.readouterr().err
    assert not Path("s.json").exists()
    assert main([*TUNE, "--minutes", "60", "--trials", "1"]) == 0
    assert main([*TUNE, "--minutes", "60", "--trials", "1"]) == 0


def test_a_search_in_what_is_no_file(here, capsys):
    Path("folder").mkdir()
    os.mkfifo("pipe")
    for name in ("folder", "pipe", os.devnull):
        assert main([*TUNE, "--search", name]) == 2
        assert f"error: {name}: is " in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--minutes", "-1"], ["--trials", "0"]])
def test_searches_that_cannot_be(here, capsys, options):
    assert main(["tune", "t.csv", "--target", "y", *options]) == 2
    assert options[0] in capsys.readouterr().err
