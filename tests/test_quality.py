"""How much is trained: presets, the number of networks, and a time limit."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.cli.progress import Watcher
from deltarule.cli.terminal import Terminal
from deltarule.modelfile import load_model
from deltarule.tabular import choosing, recipes, running
from deltarule.tabular.quality import FEWEST_ROWS, networks

ONE_EPOCH = {"regression": (1, 1), "classification": (1, 1)}


def flats(m=300):
    rng = np.random.default_rng(0)
    area, town = rng.uniform(20, 120, m), rng.choice(["north", "south"], m)
    rent = 8 * area + 200 * (town == "south") + rng.normal(0, 20, m)
    return pl.DataFrame({"area": area, "town": town, "rent": rent})


def problem_of(settings, m=300):
    whole = tabular.table(flats(m), tabular.Roles(("rent",)))
    return tabular.problem(whole, settings, np.arange(m), whole.frame[:0])


# ------------------------------------------------------------------------------- how many networks


@pytest.mark.parametrize(
    ("quality", "rows", "epochs", "expected"),
    [
        ("fast", 1_000, 100, 1),
        ("default", 1_000, 100, 5),
        ("best", 1_000, 100, 20),
        ("default", 40_000, 100, 2),
        ("best", 10_000, 64, 10),
        ("best", 40_000, 100, 2),
        ("default", 10**6, 8, 1),
        ("best", 10**6, 8, 1),
        ("best", 10**8, 4, 1),
        ("default", FEWEST_ROWS - 1, 100, 1),
        ("best", FEWEST_ROWS - 1, 100, 1),
        ("default", FEWEST_ROWS, 100, 5),
    ],
)
def test_presets_spend_by_rows_and_epochs(quality, rows, epochs, expected):
    assert networks(tabular.Settings(quality=quality), rows, epochs) == expected


@pytest.mark.parametrize(
    "asked",
    [
        {"hidden": (8,)},
        {"hidden": ()},
        {"epochs": 3},
        {"optimizer": "adam"},
        {"bins": 8},
        {"bins": 0},
        {"embedding": "periodic"},
        {"n_members": 2},
    ],
)
@pytest.mark.parametrize("quality", ["default", "best"])
def test_whoever_describes_a_network_gets_one_and_a_number_is_followed(asked, quality):
    settings = tabular.Settings(**asked, quality=quality)
    assert networks(settings, 1_000, 3) == 1
    assert networks(tabular.Settings(**asked, quality=quality, n_ensemble=3), 1_000, 3) == 3


@pytest.mark.parametrize(
    "asked", [{"dropout": 0.2}, {"learning_rate": 0.01}, {"activation": "relu"}, {"cost": "mae"}]
)
def test_other_settings_leave_the_number_as_it_is(asked):
    assert networks(tabular.Settings(**asked), 1_000, 100) == 5


@pytest.mark.parametrize("asked", [{"quality": "better"}, {"quality": None}, {"embedding": "sine"}])
def test_unknown_names_are_refused(asked):
    ((name, value),) = asked.items()
    with pytest.raises(dr.SettingError, match=f"{name}: expected .*; got {value!r}"):
        tabular.Settings(**asked)


def test_bins_and_no_bins_are_refused():
    with pytest.raises(dr.SettingError, match="contradict each other"):
        tabular.Settings(bins=0, embedding="bins")


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), "1"])
def test_a_time_limit_is_a_positive_number(minutes):
    with pytest.raises(dr.SettingError, match="time_limit"):
        tabular.Settings(time_limit=minutes)


def test_the_command_trains_several_by_default_and_the_file_says_how_many(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "_EPOCHS", ONE_EPOCH)
    flats(150).write_csv("flats.csv")
    ask = ["train", "flats.csv", "--target", "rent", "--no-baselines", "--out", "m"]
    assert main(ask) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "5 networks, averaged: 3 of 3-11-11-128" in said
    assert load_model("m").about["settings"]["n_ensemble"] == 5
    assert main([*ask, "--quality", "fast", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {
        "quality": "fast",
        "n_ensemble": 1,
        "seed": 0,
        "test_share": 0.2,
    }
    assert main([*ask, "--quality", "better"]) == 2
    assert "expected fast, default, best; got 'better'" in capsys.readouterr().err


def test_estimators_take_the_same_words(monkeypatch):
    data = flats(120)
    X, y = data.drop("rent"), data["rent"].to_numpy()
    monkeypatch.setattr(recipes, "_EPOCHS", ONE_EPOCH)
    several = dr.TabularRegressor(random_state=0).fit(X, y)
    one = dr.TabularRegressor(random_state=0, quality="fast").fit(X, y)
    assert several.model_.about["settings"]["n_ensemble"] == 5
    assert one.model_.about["settings"]["n_ensemble"] == 1


# ------------------------------------------------------------------------------------- time limit


class Clock:
    """A clock that only trainings move: a given number of seconds per epoch."""

    def __init__(self, seconds):
        self.now, self.seconds = 0.0, seconds

    def monotonic(self):
        return self.now

    def train(self, run, train, validation):
        self.now += self.seconds * run.stopping.epochs


@pytest.fixture
def limited(monkeypatch):
    """The recipes within a time limit in seconds, where an epoch takes one second."""

    def within(seconds, **asked):
        clock = Clock(1.0)
        monkeypatch.setattr(choosing, "time", clock)
        monkeypatch.setattr(choosing, "_finished", clock.train)
        monkeypatch.setattr(choosing, "cores", lambda: 2)
        settings = tabular.Settings(**asked, time_limit=seconds / 60)
        return tabular.chosen(problem_of(settings), settings)

    return within


def epochs(recipe):
    return recipe.run.stopping.epochs


def usual(**asked):
    settings = tabular.Settings(**asked)
    return tabular.chosen(problem_of(settings), settings)


def test_a_long_limit_changes_nothing(limited):
    assert limited(1e6) == usual()


def test_a_shorter_one_takes_as_many_networks_as_there_is_time_for(limited):
    expected = usual()
    one = epochs(expected[0])
    assert limited(2.0 * one) == expected[:2]  # two side by side
    assert limited(3.0 * one) == expected[:4]
    assert limited(4.0 * one) == expected
    assert len(limited(4.0 * one, quality="best")) == 6
    assert len(limited(1e6, quality="best")) == 40


def test_a_limit_too_short_for_one_gives_one_with_fewer_epochs_and_says_so(limited):
    expected = usual()
    (found,) = limited(epochs(expected[0]) / 4)
    assert epochs(found) == int(0.8 * epochs(expected[0]) / 4)
    assert "epochs, fewer than usual to keep the time limit" in tabular.lines([found])[1]
    assert found.network == expected[-1].network
    (least,) = limited(1e-3)
    assert epochs(least) == 1


def test_one_network_alone_is_shortened(limited):
    asked = {"embedding": "none"}
    (expected,) = usual(**asked)
    assert limited(2.0 * epochs(expected), **asked) == (expected,)
    (found,) = limited(epochs(expected) / 2, **asked)
    assert found.is_shortened
    assert epochs(found) < epochs(expected)


def test_trainings_end_where_the_limit_is_reached(monkeypatch):
    """Whatever was foreseen: here the clock jumps with every look at it."""
    looks = iter(range(0, 10**9, 30))
    settings = tabular.Settings(hidden=(8,), epochs=50, embedding="none", time_limit=2.0)
    problem = problem_of(settings)
    unlimited = tabular.chosen(problem, replace(settings, time_limit=None))
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    fitted = tabular.fit(problem, settings, recipes=unlimited)
    assert len(fitted.result.history) == 5
    assert fitted.result.stopped_because == "callback"
    assert np.isfinite(fitted.model.predict(problem.train)["rent"].to_numpy()).all()


def test_the_command_names_the_limit_it_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    clock = Clock(1.0)
    monkeypatch.setattr(choosing, "time", clock)
    monkeypatch.setattr(choosing, "_finished", clock.train)
    flats(150).write_csv("flats.csv")
    ask = ["train", "flats.csv", "--target", "rent", "--no-baselines", "--minutes", "0.1"]
    assert main(ask) == 0
    assert "fewer than usual to keep the time limit" in " ".join(capsys.readouterr().out.split())


def test_the_report_is_of_the_first_network_and_the_page_of_all(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "_EPOCHS", ONE_EPOCH)
    flats(150).write_csv("flats.csv")
    ask = ["train", "flats.csv", "--target", "rent", "--no-baselines", "--out", "m"]
    assert main([*ask, "--report", "r.html"]) == 0
    report = Path("r.html").read_text()
    assert report.count("Of the first of 5 networks, whose outputs are averaged.") == 3
    capsys.readouterr()
    assert main(["explain", "m", "flats.csv", "--out", "page.html"]) == 0
    assert capsys.readouterr().err.startswith("Trace(3-")
    page = Path("page.html").read_text()
    trace = json.loads(re.search(r'id="trace"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert [len(layer.get("parts", ())) for layer in trace["plan"]["layers"]][-2:] == [5, 0]


def test_callbacks_hear_every_epoch_of_the_further_networks(monkeypatch):
    monkeypatch.setattr(recipes, "_EPOCHS", {"regression": (3, 3), "classification": (3, 3)})
    settings, heard = tabular.Settings(n_ensemble=3), []
    tabular.fit(problem_of(settings), settings, [heard.append])
    others = [event for event in heard if isinstance(event, dr.NetworkEpochEnded)]
    expected = [(network, 3, epoch) for network in (2, 3) for epoch in (1, 2, 3)]
    assert sorted((o.network, o.networks, o.epoch) for o in others) == expected
    assert sum(isinstance(event, dr.EpochEnded) for event in heard) == 3  # of the first alone
    assert sum(isinstance(event, dr.Started) for event in heard) == 1


def test_the_bar_is_full_when_all_networks_are_done():
    watcher = Watcher(Terminal())
    task = watcher.bar.tasks[0]
    plan = problem_of(tabular.Settings())  # any: the bar looks at epochs and steps alone
    watcher.listen(dr.Started(plan, "native", "", 80, 20, 8, 10, epochs=2))
    watcher.listen(dr.EpochEnded(1, 10, 0.5))
    assert (task.completed, task.total) == (10, 20)
    watcher.listen(dr.NetworkEpochEnded(2, 3, 2))
    assert (task.completed, task.total) == (30, 60)
    watcher.listen(dr.EpochEnded(2, 20, 0.4))
    watcher.listen(dr.NetworkEpochEnded(3, 3, 1))
    assert (task.completed, task.description) == (50, "network 3/3, epoch 1/2")
    watcher.listen(dr.NetworkEpochEnded(3, 3, 2))
    assert task.completed == task.total
