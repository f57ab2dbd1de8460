"""The training report: its figures, its diagnosis, its pages, and what it costs to make one."""

import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.cli import main
from deltarule.engines.plan import Plan
from deltarule.network import feed_forward
from deltarule.report import diagnosis, plots
from deltarule.report.curves import calibration, confusion, precision_recall, roc
from deltarule.report.drawing import matplotlib, svg
from deltarule.report.evidence import evidence_of, importances, input_gradients
from deltarule.report.largest_errors import largest_errors
from deltarule.report.watch import look, saturated

from .test_cli import QUICK, fails, write_flats

VOID = {"meta", "link", "br", "input", "hr", "img"}


@pytest.fixture(autouse=True)
def no_windows(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    matplotlib("").use("agg")


class Page(HTMLParser):
    """A page's elements and text; fails where an element is not closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.links, self.ids, self.texts = [], [], [], [], []
        self.feed(text)
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def checked(text):
    """A page that needs nothing else: no script, no link but to itself, no element twice."""
    page = Page(text)
    assert "script" not in page.tags
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    assert "default-src 'none'" in text
    references = re.findall(r"url\(([^)]*)\)", text)
    assert all(reference.startswith("#") for reference in references)
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner | {reference[1:] for reference in references} <= set(page.ids)
    return page


def trained(task, m=90, watch=None, **settings):
    """A small network of a task, with rows it has not seen."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((m, 3))
    score = X @ [1.0, -2.0, 0.0]
    outputs = {
        "two classes": (1, "sigmoid", "binary_cross_entropy", (score > 0).astype(float)),
        "classes": (
            *(4, "softmax", "categorical_cross_entropy"),
            np.digitize(score, [-2, 0, 2]),
        ),
        "labels": (
            *(2, "sigmoid", "binary_cross_entropy"),
            np.stack([score > 0, X[:, 0] > 0], axis=1).astype(float),
        ),
        "regression": (1, "identity", "mse", score),
        "several targets": (2, "identity", "mse", np.stack([score, X[:, 1] ** 2], axis=1)),
    }
    n, g, cost, Y = outputs[task]
    network = dr.Network(3, [dr.Dense(5, "tanh"), dr.Dense(n, g)], cost)
    kept = m // 3 * 2
    callbacks = [] if watch is None else [watch]
    settings = {"epochs": 12, "validation": 0.2, "callbacks": callbacks} | settings
    result = dr.train(network, X[:kept], Y[:kept], optimizer=dr.Adam(0.05), **settings)
    return result, X[kept:], Y[kept:]


TASKS = ("two classes", "classes", "labels", "regression", "several targets")

# ----------------------------------------------------------------------------------- the figures


def test_the_curves_are_scikit_learns():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.4
    score = np.round(rng.random(200) + 0.4 * positive, 1)  # many ties
    s = rng.exponential(1.0, 200)
    found = roc(positive, score, s)
    x, y, _ = metrics.roc_curve(positive, score, sample_weight=s, drop_intermediate=False)
    np.testing.assert_allclose((found.x, found.y), (x, y), atol=1e-12)
    area = metrics.roc_auc_score(positive, score, sample_weight=s)
    assert found.area == pytest.approx(area, rel=1e-12)
    found = precision_recall(positive, score, s)
    area = metrics.average_precision_score(positive, score, sample_weight=s)
    assert found.area == pytest.approx(area, rel=1e-12)
    labels, P = rng.integers(0, 3, 200), rng.random((200, 3))
    expected = metrics.confusion_matrix(labels, P.argmax(axis=1), sample_weight=s)
    np.testing.assert_allclose(confusion(labels, P.argmax(axis=1), 3, s), expected, atol=1e-12)


def test_calibration_keeps_every_rows_weight():
    rng = np.random.default_rng(1)
    p, s = rng.random(101), rng.exponential(1.0, 101)
    came = rng.random(101) < p
    found = calibration(came, p, s)
    assert found.weight.sum() == pytest.approx(s.sum())
    assert (found.predicted * found.weight).sum() == pytest.approx((p * s).sum())
    assert (found.came * found.weight).sum() == pytest.approx((came * s).sum())
    assert (np.diff(found.predicted) >= 0).all()


def test_importance_tells_what_decides_from_noise():
    result, X, Y = trained("regression", m=600, epochs=60)
    found = importances(evidence_of(result, X, Y, columns=["one", "two", "noise"]))
    assert [each.name for each in found] == ["two", "one", "noise"]
    assert found[0].rise > 10 * abs(found[2].rise)
    assert found[0].gradient > found[2].gradient


@pytest.mark.parametrize("task", TASKS)
def test_input_gradients_are_the_derivatives_of_the_loss(task):
    result, X, Y = trained(task, dtype="float64")
    evidence = evidence_of(result, X, Y)
    runner, step = result.runner, 1e-6
    numeric = np.empty_like(evidence.X)
    for row, column in np.ndindex(*numeric.shape):
        costs = []
        for sign in (1, -1):
            x = evidence.X[row : row + 1].copy()
            x[0, column] += sign * step
            costs.append(runner.cost(x, evidence.Y[row : row + 1], penalised=False))
        numeric[row, column] = (costs[0] - costs[1]) / (2 * step)
    exact = input_gradients(evidence)
    assert np.linalg.norm(exact - numeric) < 1e-7 * np.linalg.norm(numeric)


@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_the_results_own_and_the_worst_rows_the_worst(task):
    result, X, Y = trained(task)
    evidence = evidence_of(result, X, Y)
    A = result.outputs(X)
    if task == "two classes":
        A = np.hstack([1 - A, A])
    np.testing.assert_allclose(evidence.P, A, rtol=1e-4, atol=1e-6)
    losses = evidence.losses(evidence.P)
    found = largest_errors(evidence, 5)
    assert [int(miss.row) for miss in found] == np.argsort(-losses, kind="stable")[:5].tolist()
    assert all(np.isfinite(list(evidence.figures.values())))


def test_names_that_do_not_fit_are_refused():
    result, X, Y = trained("classes")
    with pytest.raises(dr.ShapeError, match="columns: expected 3 names, got 2"):
        explain.report(result, X, Y, columns=["a", "b"])
    with pytest.raises(dr.ShapeError, match="names: expected 4 names, got 1"):
        explain.report(result, X, Y, names=["a"])


# ------------------------------------------------------------------------------------- the watch


def test_a_look_is_what_a_step_on_these_rows_does():
    """Gradient norm, update ratio and dead units, against the engine's own step."""
    network = dr.Network(3, [dr.Dense(6, "relu"), dr.Dense(2)], "mse")
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    plan = Plan(network, dr.Adam(0.01), dr.Regularization(l2=0.1), "float64", seed=3)
    runner = dr.start(
        network, optimizer=plan.optimizer, regularization=plan.regularization, dtype="float64"
    )
    runner.step(X, Y)
    before = runner.parameters()
    found = look(runner, X.T, Y.T, None, 0.01)
    gradients = runner.gradients(X, Y)
    runner.step(X, Y)
    after = runner.parameters()
    for l in range(2):
        norm = np.sqrt(sum((d**2).sum() for d in gradients[l].values()))
        assert found[0, l] == pytest.approx(norm, rel=1e-10)
        change = np.sqrt(sum(((after[l][k] - before[l][k]) ** 2).sum() for k in "Wb"))
        size = np.sqrt(sum((before[l][k] ** 2).sum() for k in "Wb"))
        assert found[1, l] == pytest.approx(change / size, rel=1e-8)


def test_dead_and_saturated_units_are_counted():
    network = dr.Network(2, [dr.Dense(4, "relu"), dr.Dense(4, "tanh"), dr.Dense(1)])
    parameters = network.initial_parameters(1, "float64")
    parameters[0]["b"][:3] = -100.0  # three relu units that are never on
    parameters[1]["b"][:] = [[50.0], [-50.0], [0.0], [0.0]]
    parameters[1]["W"][2:] *= 0.01
    X = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    runner = dr.start(network, dtype="float64", parameters=parameters)
    found = look(runner, X.T, X[:, :1].T, None, 0.1)
    assert found[2, 0] == 0.75
    assert found[3, 1] == 0.5
    assert np.isnan(found[3, [0, 2]]).all()
    assert saturated(network, feed_forward(network, parameters, X.T))[1] == 0.5


def test_watching_changes_nothing():
    watch = explain.Watch(share=1.0)
    watched, *_ = trained("regression", watch=watch)
    alone, *_ = trained("regression")
    for one, other in zip(watched.parameters, alone.parameters, strict=True):
        for name in one:
            assert (one[name] == other[name]).all()
    assert watch.diagnostics.epochs.tolist() == list(range(1, 13))
    assert all(array.shape == (12, 2) for array in watch.diagnostics[1:])


def test_a_layer_without_parameters_has_no_gradient():
    watch = explain.Watch(share=1.0)
    X = np.random.default_rng(0).uniform(-1, 1, (60, 1))
    first = dr.PiecewiseLinear(((-1.0, 0.0, 1.0),))
    network = dr.Network(1, [first, dr.Dense(4, "tanh"), dr.Dense(4, "tanh"), dr.Dense(1)])
    result = dr.train(network, X, X, epochs=12, callbacks=[watch])
    norms = watch.diagnostics.gradient_norm
    assert np.isnan(norms[:, 0]).all()
    assert np.isfinite(norms[:, 1:]).all()
    found = explain.report(result, X, X, watch=watch).findings
    assert not [finding for finding in found if finding.what == "The gradient vanishes"]


def test_a_watch_keeps_to_its_share():
    network = dr.Network(2, [dr.Dense(1)])
    runner = dr.start(network)
    X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    watch = explain.Watch(share=0.5)
    watch(dr.Started(runner.plan, "native", "", 4, 0, 4, 1, 9, runner, X, Y))
    for epoch, seconds in enumerate((0.0, 0.0, 1e9, 0.0), 1):
        watch(dr.EpochEnded(epoch, epoch, 1.0, seconds=seconds))
    assert watch.diagnostics.epochs.tolist() == [1, 3]
    assert watch.seconds > 0


def test_a_watch_follows_a_driver_and_weights():
    watch = explain.Watch(share=1.0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])
    settings = {"epochs": 4, "weights": rng.random(30), "callbacks": [watch]}
    result = dr.train(network, X, X[:, :1], optimizer="lbfgs", **settings)
    found = watch.diagnostics
    assert np.isnan(found.update_ratio).all()
    assert np.isfinite(found.gradient_norm).all()
    assert "<svg" in explain.report(result, X, X[:, :1], watch=watch).html


# --------------------------------------------------------------------------------- the diagnosis


def run(costs, held=None, best=None, layers=3, **looks):
    """A run with these curves, and diagnostics that are the same in every look."""
    history = [
        dr.EpochEnded(k, k, cost, None if held is None else held[k - 1])
        for k, cost in enumerate(costs, 1)
    ]
    usual = {
        "gradient_norm": [1.0] * layers,
        "update_ratio": [1e-3] * layers,
        "dead": [0.0] * layers,
        "saturated": [np.nan] * layers,
    }
    values = [np.tile(value, (3, 1)) for value in (usual | looks).values()]
    found = explain.Diagnostics(np.arange(1, 4), *values)
    return diagnosis.Curves(history, best, found, ["relu"] * layers)


FALLING = np.geomspace(1.0, 0.1, 20)


@pytest.mark.parametrize(
    ("case", "level", "what"),
    [
        (run(FALLING), "good", "The training went well"),
        (run(FALLING[:3]), "note", "A short run"),
        (run([1.0, 0.99, 0.98] * 6), "problem", "Hardly any learning"),
        (run([1.0, *[0.3, 0.8] * 8]), "problem", "The cost is unstable"),
        (run(FALLING, update_ratio=[0.5] * 3), "problem", "Updates are too large"),
        (run([1.0] * 9, update_ratio=[1e-7] * 3), "problem", "Updates are too small"),
        (
            run(FALLING, gradient_norm=[1e-5, 0.1, 1.0], update_ratio=[1e-7, 1e-4, 1e-3]),
            *("problem", "The gradient vanishes"),
        ),
        (run(FALLING, gradient_norm=[1e5, 10.0, 1.0]), "problem", "The gradient explodes"),
        (run(FALLING, dead=[0.1, 0.3, 0.0]), "note", "Dead units in layer 2"),
        (run(FALLING, dead=[0.9, 0.3, 0.0]), "problem", "Dead units in layer 1"),
        (
            run(FALLING, saturated=[np.nan, 0.8, 1.0]),
            *("problem", "Saturated units in layer 2"),
        ),
        (
            run(FALLING, np.r_[FALLING[:10], np.linspace(0.4, 0.9, 10)], 10),
            *("note", "The network overfits"),
        ),
        (run(FALLING, FALLING, 20), "note", "Training stopped too early"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_finding_is_found(case, level, what):
    found = {finding.what: finding for finding in diagnosis.diagnose(case)}
    assert found[what].level == level
    assert found[what].why
    assert level == "good" or found[what].try_


def test_a_good_run_gives_no_alarm():
    held = np.r_[FALLING[:18], 0.12, 0.121]
    (finding,) = diagnosis.diagnose(run(FALLING, held, 18))
    assert finding.level == "good"


def test_real_trouble_is_told():
    """Rates far too high and far too low, on a network that learns well between them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4))
    network = dr.Network(4, [dr.Dense(8, "relu"), dr.Dense(1)])

    def levels(rate):
        watch = explain.Watch(share=1.0)
        settings = {"optimizer": dr.Adam(rate), "epochs": 30, "callbacks": [watch]}
        result = dr.train(network, X, X[:, :1] * 2, **settings)
        return {f.level for f in explain.report(result, X, X[:, :1] * 2, watch=watch).findings}

    assert "problem" in levels(1e-7)
    assert "problem" in levels(3.0)
    assert "problem" not in levels(1e-2)


# ------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("task", TASKS)
def test_a_page_for_every_task(task, tmp_path):
    watch = explain.Watch(share=1.0)
    result, X, Y = trained(task, watch=watch, metric=lambda Y, P: -abs(Y - P).mean())
    made = explain.report(result, X, Y, columns=["a", "b", "c"], watch=watch, title="A test")
    made.save(tmp_path / "report.html")
    page = checked((tmp_path / "report.html").read_text(encoding="utf-8"))
    expected = {
        "two classes": ["Confusion", "ROC", "Precision and recall", "Calibration"],
        "classes": ["Confusion", "ROC", "Precision and recall", "Calibration"],
        "labels": ["ROC", "Precision and recall", "Calibration", "Per output"],
        "regression": ["Predicted versus true: target 1", "Residuals: target 1"],
        "several targets": [
            "Predicted versus true: target 2",
            "Residuals: target 2",
            "Metrics of target 2",
        ],
    }
    always = ["Cost", "Validation metric", "Gradient norm", "Update to weight ratio"]
    always += ["Dead units", "Saturated units", "Permutation importance", "Input gradients"]
    always += ["Largest errors", "Settings", "seed", "Training diagnosis", "A test"]
    for words in (*expected[task], *always):
        assert words in page.text, words
    assert "nan" not in page.text.replace("Finance", "").lower().split()
    assert "srcdoc" in made._repr_html_()


def test_a_network_of_two_inputs_shows_its_decisions():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (80, 2))
    for n, g, cost, Y in (
        (1, "sigmoid", "binary_cross_entropy", (X[:, 0] > 0).astype(float)),
        (3, "softmax", "categorical_cross_entropy", np.digitize(X[:, 0], [-0.3, 0.3])),
        (1, "identity", "mse", X[:, 0] * X[:, 1]),
    ):
        network = dr.Network(2, [dr.Dense(4, "tanh"), dr.Dense(n, g)], cost)
        result = dr.train(network, X, Y, epochs=6)
        page = checked(explain.report(result, X, Y, columns=["north", "east"]).html)
        assert "Decision surface" in page.text
        assert {"north", "east"} <= set(page.text.split())


HOSTILE = ['<script>alert("1")</script>', "$\\frac{", "a&b<c>'\"", "]]>--><!--", "naïve 数据"]


def test_hostile_text_stays_text(tmp_path, monkeypatch, capsys):
    """Column names, categories, classes and the file's name that try to become markup."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    columns = {name: rng.standard_normal(80) for name in HOSTILE[:4]}
    columns["<img src=x onerror=alert(2)>"] = rng.choice(HOSTILE[:3], 80)
    sign = columns[HOSTILE[0]] > 0
    target = "<b onload='x'>"
    columns[target] = np.where(sign, "<svg/onload=alert(3)>", 'no & "yes" $x')
    pl.DataFrame(columns).write_csv("<i>data.csv")
    arguments = ["train", "<i>data.csv", "--target", target, *QUICK, "--report", "r.html"]
    assert main(arguments) == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = checked(text)
    assert not {"img", "b", "i"} & (set(page.tags) - {"b"})
    for fragment in ("<script", "<img", "<i>", "onload='", "onerror=alert(2)>"):
        assert fragment not in text, fragment
    assert "<svg/onload=alert(3)>" in page.text
    assert HOSTILE[0] in page.text


@pytest.mark.parametrize(
    "options",
    [
        ["--target", "sold"],
        ["--target", "rent", "--weights", "area"],
        ["--target", "rent,area"],
        ["--target", "town", "--cv", "3"],
        ["--target", "sold", "--test", "flats.csv", "--no-baselines"],
        ["--target", "rent", "--optimizer", "lbfgs", "--weight-decay", "0"],
    ],
    ids=" ".join,
)
def test_the_command_line_writes_a_report(options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv")
    arguments = ["train", "flats.csv", "--epochs", "6", "--hidden", "8", *options]
    assert main([*arguments, "--report", "r.html"]) == 0
    assert "Report: r.html" in capsys.readouterr().out
    page = checked((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "deltarule train flats.csv --epochs 6" in page.text
    assert "town" in page.text
    if "--no-baselines" not in options:
        assert "HistGradientBoosting" in page.text


def test_a_leak_stands_in_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "leaky.csv", **{"moved in": pl.col("sold")})
    arguments = ["train", "leaky.csv", "--target", "sold", *QUICK, "--report", "r.html"]
    assert main(arguments) == 0
    page = checked((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Leak" in page.text
    assert "'moved in'" in page.text


def test_a_report_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv")
    arguments = ["train", "flats.csv", "--target", "rent", "--out", "m", *QUICK]
    assert "no folder" in fails(capsys, *arguments, "--report", "nowhere/r.html")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_without_the_extra_the_error_names_it(missing, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv")
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    arguments = ["train", "flats.csv", "--target", "rent", "--out", "m", *QUICK]
    error = fails(capsys, *arguments, "--report", "r.html", status=1)
    assert f'needs the package "{missing}"' in error
    assert "deltarule[report]" in error
    assert not (tmp_path / "m").exists()


# ------------------------------------------------------------------------- plots and notebooks


@pytest.mark.parametrize("what", sorted(plots.HEATMAPS))
def test_heatmaps_draw_layers_by_epochs(what):
    watch = explain.Watch(share=1.0)
    trained("regression", watch=watch)
    ax = plots.plot_diagnostics(watch.diagnostics, what)
    assert ax.images[0].get_array().shape == (2, 12)
    matplotlib(".pyplot").close(ax.figure)


@pytest.mark.parametrize(
    ("draw", "task"),
    [
        (plots.plot_confusion, "classes"),
        (plots.plot_roc, "classes"),
        (plots.plot_precision_recall, "two classes"),
        (plots.plot_calibration, "labels"),
        (plots.plot_predicted, "regression"),
        (plots.plot_residuals, "several targets"),
    ],
)
def test_a_plot_draws_on_the_axes_it_is_given(draw, task):
    result, X, Y = trained(task)
    evidence = evidence_of(result, X, Y)
    figure = matplotlib(".figure").Figure()
    ax = figure.subplots()
    assert draw(evidence, ax=ax) is ax
    assert ax.has_data()
    own = draw(evidence)
    matplotlib(".pyplot").close(own.figure)


def test_a_logarithmic_axis_is_labelled_in_plain_numbers():
    history = [dr.EpochEnded(epoch, epoch, 10.0 ** (1 - epoch)) for epoch in range(1, 5)]
    figure = matplotlib(".figure").Figure()
    ax = plots.plot_history(history, ax=figure.subplots())
    drawn = svg(figure, "cost")
    assert ax.get_yscale() == "log"
    assert {"0.001", "0.01", "0.1", "1"} <= set(re.findall(r">([\d.]+)</text>", drawn))
    assert "mathdefault" not in drawn


def test_every_optimizer_has_a_path_and_most_arrive():
    X = np.linspace(-1, 2, 20)
    network = dr.Network(1, [dr.Dense(1)])
    paths = explain.optimizer_paths(network, X, 3 * X - 1, (-1.5, 2.0), steps=150)
    assert set(paths) == set(dr.OPTIMIZERS)
    end = np.array([3.0, -1.0])
    start = np.linalg.norm(paths["adam"][0] - end)
    nearer = {name: np.linalg.norm(path[-1] - end) < start / 2 for name, path in paths.items()}
    assert all(nearer.values()), nearer
    by_hand = paths["gradient_descent"][0] - 0.1 * np.array(
        [(2 * (-1.5 * X + 2 - 3 * X + 1) * x).mean() for x in (X, np.ones_like(X))]
    )
    np.testing.assert_allclose(paths["gradient_descent"][1], by_hand, rtol=1e-12)
    ax = explain.plot_optimizer_paths(network, X, 3 * X - 1, (-1.5, 2.0), steps=5)
    assert len(ax.get_legend().get_texts()) == len(dr.OPTIMIZERS)
    matplotlib(".pyplot").close(ax.figure)


def test_paths_need_two_parameters():
    with pytest.raises(dr.SettingError, match="two parameters"):
        explain.optimizer_paths(dr.Network(2, [dr.Dense(1)]), [[1, 2]], [1], (0.0, 0.0))


def test_notebooks_show_networks_and_results():
    class Odd(dr.Dense):
        pass

    cost = dr.Cost("<b>own</b>", dr.COSTS("mse").loss, dr.COSTS("mse").dA)
    network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)], cost)
    shown = network._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;own" in shown
    assert "2-3-1, 13 parameters" in shown
    Page(shown)
    result, *_ = trained("regression")
    shown = result._repr_html_()
    Page(shown)
    assert shown.count("<polyline") == 2


def test_tensorboard_files_hold_every_epoch(tmp_path):
    import struct

    from tensorboardX.proto.event_pb2 import Event

    board = explain.TensorBoard(tmp_path / "a run")
    result, *_ = trained("regression", callbacks=[board], statistics=True, epochs=3)
    (file,) = (tmp_path / "a run").iterdir()
    content, found, at = file.read_bytes(), {}, 0
    while at < len(content):
        (length,) = struct.unpack("<Q", content[at : at + 8])
        event = Event.FromString(content[at + 12 : at + 12 + length])
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
        at += length + 16
    steps = [epoch.step for epoch in result.history]
    costs = [np.float32(epoch.cost) for epoch in result.history]
    assert found["cost/training"] == list(zip(steps, costs, strict=True))
    assert len(found["cost/validation"]) == len(found["learning_rate"]) == 3
    assert len(found["gradient_norm/layer_2"]) == 3


def test_tensorboard_says_what_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(dr.FileError, match="cannot be written"):
        trained("regression", callbacks=[explain.TensorBoard(tmp_path / "file" / "run")])
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(dr.MissingExtraError, match=r"deltarule\[tensorboard\]"):
        explain.TensorBoard(tmp_path)
