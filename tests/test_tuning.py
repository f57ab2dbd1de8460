"""``deltarule tune``: random search, early discarding, and a search that goes on."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.events import EpochEnded, Started
from deltarule.tabular import tuning
from deltarule.tabular.tuning import COMPLETE, GIVEN_UP, OUT_OF_TIME, Trial

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
        judge = tuning._Judge(earlier, float("inf"))
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
    judge = tuning._Judge(earlier, float("inf"))
    judge(Started(object(), "native", "", 1, 1, 1, 1, 8, None, None, None, None))
    assert all(judge(EpochEnded(k, k, 1.0, 9.0)) is None for k in range(1, 9))


def test_no_time_for_one_fit():
    settings = tabular.Settings(epochs=50)
    data = problem(settings)
    assert tuning._tried(data, settings, 0, [], 0.0).outcome == OUT_OF_TIME
    assert list(tuning.search(data, settings, 1e-3)) == []
    assert tuning.best([]) is None
    assert tuning.applied(settings, None) is settings


def test_a_recipe_that_had_no_time_is_tried_when_the_search_goes_on(here, capsys):
    arguments = ["tune", "t.csv", "--target", "y", "--epochs", "6", "--no-baselines"]
    arguments += ["--search", "s.json"]
    assert main([*arguments, "--minutes", "0"]) == 0
    assert main([*arguments, "--minutes", "60", "--trials", "1"]) == 0
    assert re.search(r"trial +0 +complete .* the recipe +best so far", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--search", "s.json"], "the trials so far are kept in s.json, and the same command"),
        ([], "nothing was written. With --search FILE trials are kept."),
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
    assert re.search(r"trial +0 +complete +validation \S+ +\S+ s +the recipe +best so far", said)
    assert len(re.findall(r"^trial +\d", said, re.M)) == 3
    assert re.search(r"3 trials, 3 of them complete; the best is ", said)
    assert "Judged on 30 rows (held-out rows)" in said
    kept = Path("s.json").read_bytes()
    assert main([*arguments[:-1], "n", "--json"]) == 0  # nothing is left to try
    told = json.loads(capsys.readouterr().out)
    assert [trial["number"] for trial in told["trials"]] == [0, 1, 2]
    assert Path("s.json").read_bytes() == kept
    assert Path("n").read_bytes() == Path("m").read_bytes()
    assert main(["evaluate", "m", "t.csv"]) == 0


def test_a_budget_too_short_for_one_fit(here, capsys):
    assert main(["tune", "t.csv", "--target", "y", "--minutes", "0", "--out", "m"]) == 0
    assert (
        "the time was too short for one fit: the recipe's own settings" in capsys.readouterr().err
    )
    assert main(["train", "t.csv", "--target", "y", "--out", "n"]) == 0
    one, other = (dr.TabularRegressor.load(name) for name in ("m", "n"))
    table = pl.read_csv("t.csv")
    np.testing.assert_array_equal(one.predict(table), other.predict(table))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "s.json: holds no search"),
        ('{"search": "other", "trials": []}', "s.json: holds a search of other data"),
        ('{"search": "other"}', "s.json: holds no search"),
    ],
)
def test_a_search_that_is_none_or_another(here, capsys, content, message):
    Path("s.json").write_text(content)
    assert main(["tune", "t.csv", "--target", "y", "--search", "s.json"]) == 2
    assert message in capsys.readouterr().err
    assert Path("s.json").read_text() == content


@pytest.mark.parametrize("options", [["--minutes", "-1"], ["--trials", "0"]])
def test_searches_that_cannot_be(here, capsys, options):
    assert main(["tune", "t.csv", "--target", "y", *options]) == 2
    assert options[0] in capsys.readouterr().err
