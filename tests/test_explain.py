"""The trace: every number of it equals an independent computation by JAX and optax."""

import json

import jax
import numpy as np
import optax
import polars as pl
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.checks import worked_example
from deltarule.cli import main
from deltarule.modelfile import load_model
from deltarule.network import feed_forward, output_loss

from .layer_cases import NETWORKS, data_of, network_of, parameters_of
from .test_cli import fails, models  # noqa: F401 - a fixture
from .tolerances import DIFFERENCES, STEP, error

m = 6


@pytest.fixture(autouse=True)
def in_double_precision():
    with jax.enable_x64(True):
        yield


def network(cost, *activations, dropout=0.0):
    sizes = (4, 3, 2)[: len(activations)]
    layers = [dr.Dense(n, g) for n, g in zip(sizes, activations, strict=True)]
    if dropout:
        layers[0] = dr.Dense(sizes[0], activations[0], dropout=dropout)
    return dr.Network(5, layers, cost)


def rows(network, seed=1):
    random = np.random.default_rng(seed)
    X = random.standard_normal((m, network.inputs))
    shape = (m, network.outputs)
    if network.cost_row.distribution:
        return X, np.eye(shape[1])[random.integers(0, shape[1], m)]
    if np.isfinite(network.cost_row.targets.ends[1]):
        return X, random.integers(0, 2, shape).astype(float)
    return X, abs(random.standard_normal(shape))


def start_of(network, seed=2):
    random = np.random.default_rng(seed)
    return tuple(
        {name: random.standard_normal(shape) for name, shape in shapes.items()}
        for shapes in network.shapes
    )


# JAX's own activations and losses written out here: nothing of deltarule's.
ACTIVATIONS = {
    "relu": jax.nn.relu,
    "tanh": jax.numpy.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax": lambda Z: jax.nn.softmax(Z, axis=0),
    "gelu": lambda Z: jax.nn.gelu(Z, approximate=False),
    "identity": lambda Z: Z,
}
LOSSES = {
    "mse": lambda A, Y: ((A - Y) ** 2).sum(axis=0),
    "huber": lambda A, Y: optax.huber_loss(A, Y).sum(axis=0),
    "binary_cross_entropy": lambda A, Y: (
        -(Y * jax.numpy.log(A) + (1 - Y) * jax.numpy.log(1 - A)).sum(axis=0)
    ),
    "categorical_cross_entropy": lambda A, Y: -(Y * jax.numpy.log(A)).sum(axis=0),
}


def by_jax(network, parameters, X, Y, masks, weights, l2):
    """Every array of a step: forward plainly, all derivatives by autodiff at zero nudges."""
    gs = [ACTIVATIONS[layer.g.name] for layer in network.layers]
    s = np.ones(m) if weights is None else weights
    loss_of = LOSSES[network.cost_row.name.partition("(")[0]]

    def forward(parameters, nudges):
        A = X.T + nudges["A"][0]
        found = {"A[0]": A}
        for l, (own, g) in enumerate(zip(parameters, gs, strict=True), 1):
            Z = own["W"] @ (A * masks.get(l - 1, 1.0)) + own["b"] + nudges["Z"][l - 1]
            A = g(Z) + nudges["A"][l]
            found |= {f"Z[{l}]": Z, f"A[{l}]": A}
        found["loss"] = loss_of(A, Y.T)
        return (s * found["loss"]).sum(), found

    def cost(parameters, nudges):
        penalty = sum((own["W"] ** 2).sum() for own in parameters)
        return forward(parameters, nudges)[0] / s.sum() + 0.5 * l2 * penalty

    nudges = {
        "A": [np.zeros((n, m)) for n in network.sizes],
        "Z": [np.zeros((n, m)) for n in network.sizes[1:]],
    }
    _, found = forward(parameters, nudges)
    gradients = jax.grad(cost)(list(parameters), nudges)
    summed = jax.grad(lambda nudges: forward(parameters, nudges)[0])(nudges)
    for l in range(len(gs) + 1):
        found[f"dA[{l}]"] = summed["A"][l]
        if l:
            found[f"delta[{l}]"] = summed["Z"][l - 1]
            found[f"dW[{l}]"], found[f"db[{l}]"] = (gradients[l - 1][name] for name in "Wb")
            if network.layers[l - 1].g.name != "softmax":
                slope = jax.grad(lambda Z, g=gs[l - 1]: g(Z).sum())
                found[f"g'(Z[{l}])"] = slope(found[f"Z[{l}]"])
    return (
        {name: np.asarray(value) for name, value in found.items()},
        float(cost(list(parameters), nudges)),
        gradients,
    )


OPTAX = {
    "gradient_descent": (dr.GradientDescent(0.05), optax.sgd(0.05)),
    "momentum": (dr.SGD(0.05, momentum=0.9), optax.sgd(0.05, momentum=0.9)),
    "adam": (dr.Adam(0.05), optax.adam(0.05)),
    "rmsprop": (dr.RMSprop(0.05), optax.rmsprop(0.05, eps=1e-8, eps_in_sqrt=False)),
}
CASES = {
    "pair of sigmoid, weights": (
        network("binary_cross_entropy", "relu", "tanh", "sigmoid"),
        "gradient_descent",
        {"weights": np.array([1.0, 0.5, 2.0, 0.0, 1.0, 3.0])},
    ),
    "pair of softmax, dropout": (
        network("categorical_cross_entropy", "tanh", "sigmoid", "softmax", dropout=0.4),
        "adam",
        {},
    ),
    "softmax with mse": (network("mse", "gelu", "softmax"), "momentum", {}),
    "penalty": (
        network("huber", "sigmoid", "identity"),
        "rmsprop",
        {"regularization": dr.Regularization(l2=0.1)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_number_is_jaxs(name):
    net, optimizer, settings = CASES[name]
    X, Y = rows(net)
    own, theirs = OPTAX[optimizer]
    parameters = start_of(net)
    trace = explain.trace(net, parameters, X, Y, optimizer=own, steps=3, seed=5, **settings)
    l2 = settings.get("regularization", dr.Regularization()).l2
    state = theirs.init(list(parameters))
    for step in trace.steps:
        assert set(step.masks) == set(net.dropout)
        found, cost, gradients = by_jax(
            net, parameters, X, Y, step.masks, settings.get("weights"), l2
        )
        assert step.cost == pytest.approx(cost, rel=1e-12)
        updates, state = theirs.update(gradients, state, list(parameters))
        parameters = optax.apply_updates(list(parameters), updates)
        for l, after in enumerate(parameters, 1):
            found |= {f"{part}_new[{l}]": np.asarray(after[part]) for part in "Wb"}
        recorded = dict(step.arrays())
        for key, value in found.items():
            assert error(recorded[key], value) < STEP["float64"], (step.number, key)
        given = {"W", "b", "mask", "state_before", "state_after"}
        assert {key for key in recorded if key.partition("[")[0] not in given} == set(found)
        for after, theirs_ in zip(step.after, parameters, strict=True):
            assert all(after[part].shape == theirs_[part].shape for part in "Wb")


def test_the_states_are_the_optimizers():
    net = network("mse", "tanh", "identity")
    X, Y = rows(net)
    trace = explain.trace(net, start_of(net), X, Y, optimizer=dr.Adam(0.05), steps=2)
    first, second = trace.steps
    for l in range(2):
        for name in "Wb":
            M, V = first.state_after[l][name]
            d = first.gradients[l][name]
            np.testing.assert_allclose(M, 0.1 * d, rtol=1e-12)
            np.testing.assert_allclose(V, 0.001 * d * d, rtol=1e-12)
            assert all((slot == 0).all() for slot in first.state_before[l][name])
            np.testing.assert_array_equal(second.state_before[l][name], (M, V))


def test_the_trace_is_the_reference_engines_step():
    net = network("categorical_cross_entropy", "relu", "tanh", "softmax", dropout=0.3)
    X, Y = rows(net)
    runner = dr.start(
        net,
        optimizer="nadam",
        engine="reference",
        seed=5,
        dtype="float64",
        parameters=start_of(net),
    )
    trace = explain.trace(net, start_of(net), X, Y, optimizer="nadam", steps=3, seed=5)
    assert [runner.step(X, Y) for _ in range(3)] == [step.cost for step in trace.steps]
    for mine, engines in zip(trace.steps[-1].after, runner.parameters(), strict=True):
        assert all((mine[part] == engines[part]).all() for part in "Wb")


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_check_agrees(name):
    net, _, settings = CASES[name]
    trace = explain.trace(net, start_of(net), *rows(net), seed=5, **settings)
    assert set(trace.steps[0].checks) == {
        f"d{part}[{l}]" for l in range(1, len(net.layers) + 1) for part in "Wb"
    }
    for check in trace.steps[0].checks.values():
        assert check.complete
        assert check.error < DIFFERENCES


def test_the_gradient_check_notices_a_wrong_derivative():
    wrong = dr.Activation("wrong", np.tanh, lambda Z: 1.0 - np.tanh(Z))
    net = dr.Network(5, [dr.Dense(4, wrong), dr.Dense(2)])
    checks = explain.trace(net, start_of(net), *rows(net)).steps[0].checks
    assert checks["dW[1]"].error > 1e-2
    assert checks["dW[2]"].error < DIFFERENCES


def test_a_large_network_is_checked_by_samples():
    net = dr.Network(30, [dr.Dense(20, "tanh"), dr.Dense(3)])
    random = np.random.default_rng(0)
    trace = explain.trace(
        net, net.initial_parameters(), random.standard_normal((2, 30)), np.ones((2, 3))
    )
    check = trace.steps[0].checks["dW[1]"]
    assert not check.complete
    assert len(set(check.entries.tolist())) == 12
    assert check.error < 1e-5
    assert trace.steps[0].checks["db[2]"].complete
    assert trace.plan.dtype == np.float32


def test_a_kink_is_said():
    net = dr.Network(1, [dr.Dense(1, "relu"), dr.Dense(1)])
    at_kink = ({"W": np.ones((1, 1)), "b": np.zeros((1, 1))},) * 2
    assert explain.trace(net, at_kink, [[0.0]], [1.0]).steps[0].on_kink == ("Z[1]",)
    assert explain.worked_trace().steps[0].on_kink == ()


def test_exports_hold_every_number(tmp_path):
    trace = explain.worked_trace(2)
    trace.save_json(tmp_path / "t.json")
    trace.save_npz(tmp_path / "t.npz")
    told = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    with np.load(tmp_path / "t.npz") as archive:
        for step, of_json in zip(trace.steps, told["steps"], strict=True):
            for name, array in step.arrays():
                assert (archive[f"step{step.number}/{name}"] == array).all()
                assert (np.array(of_json["arrays"][name]) == array).all()
    assert told["steps"][0]["cost"] == trace.steps[0].cost


def test_the_text_has_the_worked_examples_numbers():
    text = explain.text(explain.worked_trace())
    assert "Eq. 2: cost C = 1.72009" in text
    assert "Eq. 10b: dW[3] = (1/m) δ[3] A[2]ᵀ  1×3\n  [[-0.731059 -0.140922  1.761594]]" in text
    assert text.count("relative error") == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": [[1.0, 2.0]]}, "X: expected shape"),
        ({"Y": [[2.0], [1.0]]}, "needs targets in"),
        ({"parameters": "nan"}, "expected finite numbers"),
        ({"optimizer": "lbfgs"}, "makes no single steps"),
        ({"optimizer": "adan"}, "Did you mean 'adam'"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"inputs": ["one"]}, "inputs: expected 5 names, got 1"),
        ({"parameters": ()}, "expected a sequence of 3"),
    ],
)
def test_bad_input(change, message):
    example = worked_example()
    if change.get("parameters") == "nan":
        broken = {**example.parameters[0], "W": example.parameters[0]["W"] * np.nan}
        change = {"parameters": (broken, *example.parameters[1:])}
    given = {"parameters": example.parameters, "X": example.X, "Y": example.Y, **change}
    with pytest.raises(dr.DeltaruleError, match=message):
        explain.trace(example.network, **given)


# --------------------------------------------------------------------------- command line


def test_explain_without_arguments(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explain"]) == 0
    assert "page.html" in capsys.readouterr().err
    assert "The worked example" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["rent", "sold"])
def test_explain_a_model(models, tmp_path, capsys, target):  # noqa: F811
    flats, out, numbers = models / "flats.csv", tmp_path / "p.html", tmp_path / "n.json"
    arguments = [str(models / f"{target}.safetensors"), str(flats), "--rows", "2:5"]
    assert main(["explain", *arguments, "--out", str(out), "--numbers", str(numbers)]) == 0
    told = json.loads(numbers.read_text(encoding="utf-8"))
    assert len(told["Y"][0]) == 3
    assert "area" in told["inputs"]
    assert told["outputs"] == [target]
    assert "on rows 4 to 6 of" in out.read_text(encoding="utf-8")
    assert main(["explain", *arguments, "--text", "--optimizer", "adam"]) == 0
    assert "Adam" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_a_page_of_every_built_in_set(tmp_path, name):
    model, out, numbers = (str(tmp_path / file) for file in ("m", "p.html", "n.json"))
    assert main(["train", name, "--epochs", "2", "--no-baselines", "--out", model]) == 0
    arguments = [model, name, "--rows", "0:4", "--out", out, "--numbers", numbers]
    assert main(["explain", *arguments]) == 0
    told = json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))
    inputs = told["steps"][0]["arrays"]["A[0]"]
    assert len(inputs) == len(told["inputs"])
    page = (tmp_path / "p.html").read_bytes()
    assert len(page) < 2e6
    assert f"on rows 1 to 4 of {name}".encode() in page


def test_rows_are_chosen_by_what_they_are(models, tmp_path, capsys):  # noqa: F811
    path, flats = models / "rent.safetensors", models / "flats.csv"
    numbers, frame, model = tmp_path / "n.json", pl.read_csv(flats), load_model(path)

    def shown(*arguments):
        given = ["explain", str(path), str(flats), "--text", "--numbers", str(numbers), *arguments]
        assert main(given) == 0
        capsys.readouterr()
        told = json.loads(numbers.read_text(encoding="utf-8"))
        return told["title"].partition(" on ")[2].partition(" of ")[0], told["Y"][0]

    Y = model.targets.encode(frame)
    output = feed_forward(model.network, model.parameters, model.preprocessing.transform(frame).T)
    losses = output_loss(model.network, output[-1], Y.T)
    worst = np.argsort(-losses, kind="stable")
    title, targets = shown("--largest-errors", "3")
    assert title == "rows " + ", ".join(map(str, worst[:3] + 2))  # the header counts
    np.testing.assert_allclose(targets, Y[worst[:3], 0], rtol=1e-6)
    small = np.flatnonzero((frame["area"] < 50).fill_null(value=False).to_numpy())
    _, targets = shown("--where", "area<50", "--rows", "0:2")
    np.testing.assert_allclose(targets, Y[small[:2], 0], rtol=1e-6)
    title, _ = shown("--where", "area < 50", "--largest-errors", "1")
    assert title == f"row {next(row for row in worst if row in small) + 2}"
    town = frame["town"][3]
    title, _ = shown("--where", f"town='{town}'", "--rows", "0:1")
    assert title == f"row {frame['town'].to_list().index(town) + 2}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "100:121"], "expected 0 ≤ FIRST < END ≤ 120"),
        (["--rows", "3:3"], "expected 0 ≤ FIRST"),
        (["--rows", "4"], "expected FIRST:END"),
        (["--rows", "-1:4"], "expected FIRST:END"),
        (["--rows", "0:2", "--largest-errors", "2"], "expected one of them"),
        (["--where", "area"], "expected a comparison of a column"),
        (["--where", "aera<3"], "has no column 'aera'. Did you mean"),
        (["--where", "area<wide"], "--where 'area<wide': column 'area' holds"),
        (["--where", "area<-5"], "--where 'area<-5': no row of 120 matches"),
        (["--where", "town<B"], "holds text; expected = or !="),
        (["--optimizer", "lbfgs"], "makes no single steps"),
        (["--learning-rate", "-1"], "--learning-rate: expected a number, at least 0; got -1"),
        (["--out", "no/such/folder.html"], "there is no folder"),
    ],
)
def test_explain_refuses(models, capsys, monkeypatch, tmp_path, arguments, message):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    given = ["explain", str(models / "rent.safetensors"), str(models / "flats.csv"), *arguments]
    assert message in fails(capsys, *given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("choice", ["--rows 0:2", "--where area<3", "--largest-errors 2"])
def test_the_worked_example_has_no_rows_to_choose(capsys, monkeypatch, tmp_path, choice):
    monkeypatch.chdir(tmp_path)
    assert "expected MODEL and DATA" in fails(capsys, "explain", *choice.split())
    assert not list(tmp_path.iterdir())


def test_explain_needs_a_table_with_a_model(models, capsys):  # noqa: F811
    assert "expected a table too" in fails(capsys, "explain", str(models / "rent.safetensors"))


# ------------------------------------------------------------------------ other kinds of layer


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_kind_of_layer_is_traced(kind, tmp_path):
    net = network_of(kind)
    X, Y, weights = data_of(kind)
    trace = explain.trace(net, parameters_of(net), X, Y, weights=weights, steps=2)
    for check in trace.steps[1].checks.values():
        nought = abs(check.numeric).max() < 1e-9  # a bias that a batch's mean takes away again
        assert nought or check.error < 1e-6
    trace.save_npz(tmp_path / "t.npz")
    told = json.loads(trace.to_json())
    assert set(told["steps"][0]["arrays"]) >= {"dA[0]", "Z[1]"}
    assert explain.text(trace).count("relative error") == 2 * len(trace.steps[0].checks)
    assert "iframe" in trace._repr_html_()
