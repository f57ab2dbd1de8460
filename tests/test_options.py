"""Options: declared once, and the same for commands, settings and estimators."""

from dataclasses import fields

import polars as pl
import pytest
import typer

import deltarule as dr
from deltarule.cli import app, main
from deltarule.modelfile import load_model
from deltarule.tabular import Roles, Settings, tuning
from deltarule.tabular.options import option, option_group, options_of
from deltarule.tabular.settings import DECISION, ValueOptions

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = {"x,z": range(60), "y": [0.5 * (k % 7) for k in range(60)], "a": range(60, 0, -1)}
    pl.DataFrame(columns).write_csv("t.csv")
    return tmp_path


def options_shown(text):
    """The first of each row of a help's panels."""
    rows = [line.strip("│* ").split() for line in text.splitlines() if line.startswith("│")]
    return {row[0] for row in rows if row and row[0].startswith("--")}


@pytest.mark.parametrize("command", ["train", "tune"])
def test_every_setting_is_an_option_with_the_same_default(command):
    given = {parameter.name: parameter for parameter in COMMANDS[command].params}
    own_limit = {"time_limit"} if command == "tune" else set()  # --minutes is the search's
    for each in (each for each in fields(Settings) if each.name not in own_limit):
        own = options_of(Settings)[each.name]
        assert given[each.name].opts == [own.flag]
        assert given[each.name].help == own.help
        assert given[each.name].default == each.default


@pytest.mark.parametrize("estimator", [dr.TabularClassifier, dr.TabularRegressor])
def test_an_estimators_parameters_are_settings(estimator):
    groups = (Settings, Roles, ValueOptions)
    defaults = {each.name: each.default for group in groups for each in fields(group)}
    parameters = estimator().get_params()
    assert parameters.keys() - defaults.keys() == {"random_state", "callbacks"}
    shared = parameters.keys() & defaults.keys() - {"kinds"}
    assert all(parameters[name] == defaults[name] for name in shared)
    of_one_task = {"class_weight", "label_smoothing", "quantiles", *DECISION}
    assert defaults.keys() - parameters.keys() - of_one_task == {
        *("task", "test_share", "seed", "target")
    }
    for name in parameters:
        assert f"\n{name} : " in estimator.__doc__
    with pytest.raises(TypeError, match=r"has no parameter 'epoch'. Did you mean 'epochs'"):
        estimator(epoch=3)


def test_settings_of_training_reach_an_estimators_network():
    X, y = [[float(k), float(k % 5)] for k in range(60)], [0.5 * (k % 7) for k in range(60)]
    fitted = dr.TabularRegressor(epochs=2, optimizer="sgd", l2=0.1, random_state=0).fit(X, y)
    assert fitted.model_.about["settings"]["optimizer"] == "sgd"
    assert fitted.model_.about["settings"]["l2"] == 0.1


def test_a_settings_docstring_lists_its_options():
    for group in (Roles, Settings):
        for name, own in options_of(group).items():
            assert f"\n{name} : " in group.__doc__
            assert own.help.replace("|", r"\|") in group.__doc__
    with pytest.raises(TypeError, match="target"):
        Roles()


def test_a_number_out_of_an_options_limits_is_refused():
    @option_group("Numbers")
    class Numbers:
        """Some."""

        rounds: int = option("N", "Rounds.", 1, limits={"low": 1})

    assert options_of(Numbers)["rounds"].flag == "--rounds"
    with pytest.raises(dr.SettingError, match=r"Settings\(bins=-1\): bins must be"):
        Settings(bins=-1)


# ------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("name", ["train", "tune"])
def test_help_shows_the_common_options_and_names_the_rest(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    short = capsys.readouterr().out
    lines = short.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    last = [line.strip() for line in lines if line.strip()][-1]
    assert last.endswith(f"more options: deltarule {name} --help-all")
    assert {"--target", "--out", "--hidden", "--epochs"} <= options_shown(short)
    assert main([name, "--help-all"]) == 0
    long = options_shown(capsys.readouterr().out)
    params = COMMANDS[name].params
    flags = {flag for p in params for flag in p.opts if flag.startswith("--")}
    assert flags <= long
    assert len(flags - options_shown(short)) == int(last.split()[0]) + 1  # --help-all


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"train", "tune"}))
def test_a_short_help_is_whole(name, capsys):
    assert main([name, "--help"]) == 0
    shown = options_shown(capsys.readouterr().out)
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            assert parameter.opts[0] in shown
    assert "--help-all" not in shown


def test_names_are_completed():
    def completed(name, text):
        parameter = next(p for p in COMMANDS["train"].params if p.name == name)
        context = COMMANDS["train"].make_context("train", ["x"], resilient_parsing=True)
        return [item.value for item in parameter.shell_complete(context, text)]

    assert completed("activation", "s") == [
        *("sigmoid", "selu", "softplus", "silu", "softsign", "softmax")
    ]
    assert completed("engine", "au") == ["auto"]
    assert completed("task", "r") == ["regression"]


# --------------------------------------------------------------------------------- the texts


def test_a_columns_name_may_hold_a_comma(here, capsys):
    quick = ["--epochs", "1", "--hidden", "4", "--no-baselines", "--out", "m"]
    assert main(["train", "t.csv", "--target", "x,z", "--drop", "y,a", *quick]) == 2
    assert "no column is left" in capsys.readouterr().err
    assert main(["train", "t.csv", "--target", "y", "--drop", "x,z", *quick]) == 0
    assert load_model("m").about["roles"]["drop"] == ["x,z"]
    assert main(["train", "t.csv", "--target", "y, a", *quick]) == 0
    assert load_model("m").about["roles"]["target"] == ["y", "a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "--rounds", "0"], "--rounds: expected a whole number, at least 1; got 0."),
        (
            ["explain", "--steps", "99"],
            "--steps: expected a whole number, at least 1, at most 50; got 99.",
        ),
        (["train", "iris", "--memory", "3"], "--memory: expected a size, as 500MB or 4GB; got '3'"),
        (["train", "iris", "--devices", "two"], "--devices: expected a number, or all; got 'two'."),
        (
            ["train", "iris", "--validation-share", "1"],
            "--validation-share: expected a number, above 0, below 1; got 1.0.",
        ),
        (["tune", "iris", "--hidden", "a"], "--hidden: expected whole numbers with commas"),
    ],
)
def test_what_is_said_to_a_value_that_cannot_be(capsys, arguments, message):
    assert main(arguments) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_a_search_keeps_what_is_given(here, capsys):
    quick = ["--epochs", "1", "--trials", "3", "--minutes", "9", "--no-baselines", "--out", "m"]
    assert main(["tune", "t.csv", "--target", "y", "--hidden", "4", *quick, "--json"]) == 0
    assert load_model("m").network.sizes[-2:] == (4, 1)
    assert main(["tune", "t.csv", "--target", "y", "--optimizer", "lbfgs", *quick]) == 0


def test_a_search_on_full_batches_varies_nothing_of_steps():
    drawn = tuning.chosen_settings(Settings(optimizer="lbfgs"), 1)
    assert sorted(drawn) == ["activation", "bins", "embedding", "hidden"]
