"""Columns between two: which pairs need them, what the recipe makes of them, and what is kept."""

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.modelfile import load_model, save_model
from deltarule.network import feed_forward
from deltarule.tabular import choosing
from deltarule.tabular.oblique import oblique_features

M = 6000
COLUMNS = np.arange(4)


def places(m=M, seed=0):
    return np.random.default_rng(seed).uniform(-2.0, 2.0, (m, 4))


def chessboard(X, first=1, second=3):
    """What neither coordinate tells anything about by itself."""
    fields = np.floor(2 * X[:, [first, second]] + 0.4).sum(axis=1)
    return (fields % 2)[:, None]


def waves(X):
    """Hills and hollows of a landscape."""
    return (np.sin(5 * X[:, :1]) * np.cos(5 * X[:, 2:3])) * 2


SMOOTH = {
    "each alone": lambda X: np.sin(4 * X).sum(axis=1, keepdims=True),
    "a product": lambda X: X[:, :1] * X[:, 1:2],
    "the larger": lambda X: np.maximum(X[:, :1], X[:, 1:2]),
    "noise": lambda X: np.random.default_rng(1).normal(size=(len(X), 1)),
    "always the same": lambda X: np.ones((len(X), 1)),
}


def test_the_pair_that_needs_them_is_found():
    W = oblique_features(places(), chessboard(places()), COLUMNS)
    assert (W[:, [0, 2]] == 0).all()
    np.testing.assert_allclose((W**2).sum(axis=1), 1.0)
    angles = np.degrees(np.arctan2(W[:, 3], W[:, 1])).round(6)
    assert angles.tolist() == [15, 30, 45, 60, 75, 105, 120, 135, 150, 165]


@pytest.mark.parametrize("kind", SMOOTH)
def test_what_a_network_sees_by_itself_needs_none(kind):
    assert oblique_features(places(), SMOOTH[kind](places()), COLUMNS) is None


def test_one_of_several_targets_suffices_and_every_pair_has_its_own():
    X = places()
    Y = np.hstack([SMOOTH["noise"](X), chessboard(X), chessboard(X, 0, 2)])
    W = oblique_features(X, Y, COLUMNS)
    used = {tuple(np.flatnonzero(row)) for row in W}
    assert len(W) == 20
    assert used == {(1, 3), (0, 2)}


def test_a_place_may_be_a_class():
    X = places()
    X[:, 1] *= 1e6  # cells are of ranks
    classes = np.eye(3)[(chessboard(X / [1, 1e6, 1, 1])[:, 0] + (X[:, 0] > 0)).astype(int)]
    assert set(np.flatnonzero(oblique_features(X, classes, COLUMNS).any(axis=0))) == {1, 3}


@pytest.mark.parametrize(
    ("rows", "among"), [(4095, COLUMNS), (M, COLUMNS[:1]), (M, COLUMNS[:0]), (M, COLUMNS[:3])]
)
def test_few_rows_and_other_columns_tell_nothing(rows, among):
    assert oblique_features(places(rows), chessboard(places(rows)), among) is None


# ------------------------------------------------------------------------------------- the recipe


def problem_of(settings, target=chessboard, m=8000):
    X = places(m).round(3)
    frame = pl.DataFrame({f"x{i}": x for i, x in enumerate(X.T)})
    frame = frame.with_columns(y=target(X)[:, 0] + places(m, 1)[:, 0] / 9)
    whole = tabular.table(frame, tabular.Roles(("y",)), task="regression")
    return tabular.problem(whole, settings, np.arange(m // 5, m), frame[: m // 5])


def settings_of(**changes):
    return tabular.Settings(**{"hidden": (16, 16), "epochs": 3, "bins": 48, **changes})


def kinds(network):
    return [layer.kind for layer in network.layers]


def test_their_bins_are_behind_those_of_the_columns():
    settings = settings_of()
    network = tabular.chosen(problem_of(settings), settings)[0].network
    assert kinds(network)[:3] == ["parallel", "piecewise_linear", "scale"]
    inputs = network.inputs
    assert network.sizes[1] == inputs + 10
    edges = network.layers[1].edges
    X = np.random.default_rng(2).uniform(-1, 1, (inputs, 50))
    A = feed_forward(network, network.initial_parameters(0), X)[0].A
    np.testing.assert_allclose(A[:inputs], X, rtol=1e-6)
    lowest = np.array([own[0] for own in edges[inputs:]])[:, None]
    highest = np.array([own[-1] for own in edges[inputs:]])[:, None]
    assert ((A[inputs:] >= lowest) & (A[inputs:] <= highest)).mean() > 0.99


@pytest.mark.parametrize("asked", [{"bins": 0}, {"hidden": ()}])
def test_none_where_nothing_is_cut(asked):
    settings = settings_of(**asked)
    assert "parallel" not in kinds(tabular.chosen(problem_of(settings), settings)[0].network)


def test_they_see_what_bins_alone_do_not():
    """After the same few epochs a network has begun to learn the chessboard only with them."""
    settings = tabular.Settings(bins=48, epochs=12)
    problem = problem_of(settings)

    def r2():
        fitted = tabular.fit(problem, settings)
        return tabular.evaluated_network(fitted, problem).figures["r2"]

    with_them = r2()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "oblique_features", lambda *_: None)
        without = r2()
    assert with_them > without + 0.1, (with_them, without)


@pytest.mark.parametrize("further", [{}, {"n_members": 3}, {"n_ensemble": 2}])
def test_training_leaves_their_weights_and_a_file_keeps_them(further, tmp_path):
    settings = settings_of(**further)
    problem = problem_of(settings)
    fitted = tabular.fit(problem, settings)
    model = fitted.model
    chosen = fitted.recipe.network.layers[0].parts[1].layers[0].weights
    W = chosen.draw(np.random.default_rng(0), (10, model.network.inputs))
    np.testing.assert_array_equal(model.parameters[0]["2.1.W"], W.astype("f"))
    assert not model.parameters[0]["2.1.b"].any()
    save_model(tmp_path / "model.safetensors", model)
    again = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        again.predict(problem.test)["y"], model.predict(problem.test)["y"]
    )


def test_networks_of_an_ensemble_share_them():
    settings = settings_of(n_ensemble=2)
    network = tabular.fit(problem_of(settings), settings).model.network
    assert kinds(network)[:3] == ["parallel", "piecewise_linear", "parallel"]


def test_a_run_with_them_goes_on_where_it_stopped(tmp_path):
    settings = settings_of()
    problem = problem_of(settings)

    def stop(event):
        if isinstance(event, dr.EpochEnded) and event.epoch == 2:
            raise KeyboardInterrupt

    whole = tabular.fit(problem, settings).model
    kept = dr.Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        tabular.fit(problem, settings, [stop], kept)
    resumed = tabular.fit(problem, settings, (), dr.Checkpoints(tmp_path, resume=True)).model
    np.testing.assert_array_equal(
        whole.predict(problem.test)["y"], resumed.predict(problem.test)["y"]
    )


def test_the_command_names_the_pair(tmp_path, capsys):
    X = places(8000).round(3)
    frame = pl.DataFrame({"east": X[:, 0], "size": X[:, 1], "north": X[:, 2]})
    path = tmp_path / "hills.csv"
    frame.with_columns(height=waves(X)[:, 0]).write_csv(path)
    asked = ["--bins", "48", "--hidden", "8", "--epochs", "1", "--no-baselines"]
    out = str(tmp_path / "hills.safetensors")
    assert main(["train", str(path), "--target", "height", *asked, "--out", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    (said,) = [line for line in lines if line.startswith("pairs")]
    assert said.split(maxsplit=1)[1].startswith("east and north: oblique features")
