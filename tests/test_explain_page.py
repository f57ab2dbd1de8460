"""The explanation page in a browser: it computes what the reference does, and can be walked."""

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.checks import worked_example
from deltarule.engines.plan import Plan
from deltarule.explain.page import payload
from deltarule.expressions import OPERATIONS, apply, constant, entry
from deltarule.expressions.javascript import listed
from deltarule.row_expressions import WRITTEN_BY_HAND

from .test_explain import network, rows, start_of
from .tolerances import error

BROWSER = Path(os.environ.get("DELTARULE_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
AGREES = 1e-12  # norm-wise, in double precision


@pytest.fixture(scope="module")
def chromium():
    """A headless browser; where it must be there (DELTARULE_BROWSER=required), no skip."""
    required = os.environ.get("DELTARULE_BROWSER") == "required"
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        if required:
            raise
        pytest.skip("Playwright is not installed: pip install 'deltarule[browser]'")
    if not BROWSER.exists() and not required:
        pytest.skip(f"no browser at {BROWSER}: apt install chromium, or set DELTARULE_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(BROWSER), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, tmp_path):
    """A function that opens a trace's page; no console error, no request, at any moment."""
    contexts, troubles, requests = [], [], []

    def open_(trace, changed=("", ""), fragment="", **settings):
        path = tmp_path / f"{len(contexts)}.html"
        explain.save_page(trace, path)
        if changed[0]:
            whole = path.read_text(encoding="utf-8")
            assert changed[0] in whole
            path.write_text(whole.replace(*changed), encoding="utf-8")
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("request", lambda r: requests.append(r.url))
        page.goto(f"{path.as_uri()}#{fragment}" if fragment else path.as_uri())
        page.wait_for_function("document.documentElement.dataset.ready === 'true'")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not troubles
    assert len(requests) == len(contexts), requests
    assert all(url.startswith("file:") for url in requests)


def edit(page, key, value, place=(0, 0), leave="Enter"):
    """Type over an entry where it stands: open it, fill it, leave it."""
    if key == "α":
        page.click("#rate button")
    else:
        page.evaluate("(key) => Walk.goTo(key)", key)
        i, j = place
        page.click(f"#substep button[data-key='{key}'][data-i='{i}'][data-j='{j}']")
    page.fill("input.editing", str(value))
    page.press("input.editing", leave)


def trained(page, steps):
    """Press a train button, and wait until it is done."""
    page.click(f"[data-train='{steps}']")
    page.wait_for_selector("#curve[data-running='false']", state="attached")


def numbers(page):
    """Every matrix of the page's step, by its name."""
    told = page.evaluate(
        "Object.fromEntries(Object.entries(Page.now.V).map(([k, M]) => [k, [M.n, M.m, [...M.v]]]))"
    )
    return {key: np.array(v, dtype=float).reshape(n, m) for key, (n, m, v) in told.items()}


def named(step):
    """A recorded step's arrays by the page's names."""
    found = {"C": np.array([[step.cost]])}
    for name, array in step.arrays():
        if not name.startswith(("state", "mask")):
            key = f"gPrime[{name[5:-2]}]" if name.startswith("g'") else name
            found[key] = np.atleast_2d(array)
    return found


def differing(page, step, within=AGREES):
    """What of a recorded step the page has otherwise, and by how much."""
    mine, theirs = numbers(page), named(step)
    assert set(theirs) <= set(mine)
    wrong = {key: error(mine[key], value) for key, value in theirs.items()}
    return {key: e for key, e in wrong.items() if not e < within}


def agree(page, step, within=AGREES):
    assert differing(page, step, within) == {}


# ---------------------------------------------------------------- the script and the reference

SOFTSIGN = dr.Activation(
    "softsign", lambda Z: Z / (1 + abs(Z)), lambda Z: 1 / (1 + abs(Z)) ** 2, dr.Interval("(-1, 1)")
)
LOG_COSH = dr.Cost(
    "log_cosh",
    lambda A, Y: np.log(np.cosh(A - Y)).mean(axis=0),
    lambda A, Y: np.tanh(A - Y) / A.shape[0],
)


@dataclass(frozen=True)
class Triple(dr.Optimizer):
    """Three slots, of which one starts at 1 and one is not in the update."""

    slots: ClassVar[tuple[str, ...]] = ("m1", "new", "Top")

    def init(self, W):
        return np.zeros_like(W), np.ones_like(W), np.zeros_like(W)

    def update(self, W, dW, state, t, alpha):
        m1, new, top = state
        m1 = 0.5 * m1 + dW
        new = new + m1 * m1
        return W - alpha * m1 / np.sqrt(new + t), (m1, new, np.maximum(top, abs(dW)))


HIDDEN = [*(g for g in sorted(dr.ACTIVATIONS) if g != "softmax"), SOFTSIGN]
OUTPUTS = [
    ("mse", "tanh"), ("mae", "identity"), ("half_squared_error", "softplus"),
    ("huber", "identity"), ("quantile", "elu"), ("poisson", "exp"),
    ("binary_cross_entropy", "sigmoid"), ("categorical_cross_entropy", "softmax"),
    ("focal", "softmax"), ("binary_focal", "sigmoid"), ("softmax_cross_entropy(2)", "identity"),
    (LOG_COSH, SOFTSIGN), ("focal(0)", "softmax"), ("focal(1.5)", "softmax"),
    # the same costs where they are not fused
    ("mse", "softmax"), ("poisson", "softplus"), ("binary_cross_entropy", "softmax"),
    ("categorical_cross_entropy", "sigmoid"), ("focal", "sigmoid"), ("binary_focal", "softmax"),
]  # fmt: skip
STEPPING = [
    *(dr.OPTIMIZERS.entry(name)(0.01) for name in sorted(dr.OPTIMIZERS) if name != "lbfgs"),
    Triple(0.01),
]


def cases():
    """Every row of every table, custom ones, and each further setting."""
    for k in range(max(len(HIDDEN), len(STEPPING), len(OUTPUTS))):
        cost, last = OUTPUTS[k % len(OUTPUTS)]
        net = network(cost, HIDDEN[k % len(HIDDEN)], HIDDEN[(k + 3) % len(HIDDEN)], last)
        yield net, STEPPING[k % len(STEPPING)], {}
    net = network("categorical_cross_entropy", "tanh", "relu", "softmax", dropout=0.3)
    yield net, dr.Adam(0.05, epsilon_inside=True), {"weights": [1.0, 0.5, 2, 0.5, 1, 3]}
    still = dr.Dense(4, "tanh", rate=0.0)
    slow = dr.Network(
        5, [still, dr.Dense(3, "gelu", rate=0.5, bias_rate=2.0), dr.Dense(2, "softmax")], "focal"
    )
    rules = dr.Regularization(l1=0.02, l2=0.1, over_batch=True, decay=0.1, max_norm=1.5)
    settings = {"regularization": rules, "weights": [1.0, 0, 2, 0.5, 1, 3]}
    yield slow, dr.SGD(0.05, nesterov=True), settings
    rules = dr.Regularization(l2=0.1, clip_value=0.3, clip_norm=0.5, label_smoothing=0.2)
    yield net, dr.AdamW("cosine(0.05)"), {"regularization": rules}


CASES = list(cases())


def test_every_row_of_every_table_is_tried():
    used = {layer.g.name.partition("(")[0] for net, _, _ in CASES for layer in net.layers}
    assert used == {*dr.ACTIVATIONS, "softsign"}
    costs = {net.cost_row.name.partition("(")[0] for net, _, _ in CASES}
    assert costs == {*dr.COSTS, "log_cosh"}
    kinds = {type(optimizer) for _, optimizer, _ in CASES}
    assert kinds >= {dr.OPTIMIZERS.entry(name) for name in dr.OPTIMIZERS} - {dr.LBFGS}


def test_the_script_has_every_operation_and_what_is_written_by_hand(opened):
    page = opened(explain.worked_trace())
    names = page.evaluate("Object.keys(Expressions.OPERATIONS)")
    assert set(names) == set(OPERATIONS)
    masks = {name for name, operation in OPERATIONS.items() if operation.result == "m"}
    printed = page.evaluate("Object.keys(Expressions.TEXT)")
    assert set(printed) == set(OPERATIONS) - masks - {"where"}
    by_hand = set(WRITTEN_BY_HAND) - {"softmax", "lbfgs"}
    for script in ("Engine", "Arithmetic"):
        assert set(page.evaluate(f"Object.keys({script}.BY_HAND)")) == by_hand


ENDS = np.array([math.inf, -math.inf, math.nan])


def test_every_operation_is_numpys(opened):
    page = opened(explain.worked_trace())
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=40) * 10.0 ** random.integers(-3, 3, 40), ENDS, [0, 1]])
    y = np.concatenate([random.normal(size=43), [0.0, 1.0]])
    code = """([list, x, y]) => Array.from(Expressions.evaluate(list,
      {x: Float64Array.from(x), y: Float64Array.from(y)}, x.length)[0], String)"""
    mask = apply("less", entry("y"), entry("x"))
    for name, operation in OPERATIONS.items():
        kinds = list(enumerate(operation.arguments))
        made = apply(name, *(mask if kind == "m" else entry("xy"[k % 2]) for k, kind in kinds))
        found = page.evaluate(code, [listed([made]), x.tolist(), y.tolist()])
        mine = np.array([float(text.replace("Infinity", "inf")) for text in found])
        with np.errstate(all="ignore"):
            given = (y < x if kind == "m" else (x, y)[k % 2] for k, kind in kinds)
            expected = np.asarray(operation.compute(*given), dtype=float)
        np.testing.assert_allclose(mine, expected, rtol=1e-14, err_msg=name)


def test_constants_that_json_lacks_arrive(opened):
    x = entry("x")
    made = listed([apply("add", x, constant(value)) for value in (math.inf, -math.inf, math.nan)])
    code = "(list) => Expressions.evaluate(list, {x: 1}, 1).map((each) => String(each[0]))"
    found = opened(explain.worked_trace()).evaluate(code, json.loads(json.dumps(made)))
    assert found == ["Infinity", "-Infinity", "NaN"]


def iterated(Z):
    for _ in range(40):
        Z = Z + 0.25 * Z * (1 - Z)
    return Z


def iterated_prime(Z):
    product = 1.0
    for _ in range(40):
        product, Z = product * (1.25 - 0.5 * Z), Z + 0.25 * Z * (1 - Z)
    return product


def test_the_arithmetic_of_a_long_expression_stays_short(opened):
    net = dr.Network(2, [dr.Dense(3, dr.Activation("iterated", iterated, iterated_prime))])
    start = ({"W": np.ones((3, 2)), "b": np.zeros((3, 1))},)
    trace = explain.trace(net, start, [[0.1, 0.2]], [[0.5, 0.1, 0.2]])
    page = opened(trace)
    agree(page, trace.steps[0])
    for key, exact, _, value in page.evaluate(ARITHMETIC):
        assert len(exact) < 3000
        assert evaluated(exact) == pytest.approx(value, rel=1e-9, abs=1e-12), (key, exact)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_script_computes_what_the_reference_does(opened, case):
    net, optimizer, settings = CASES[case]
    trace = explain.trace(
        net, start_of(net), *rows(net), optimizer=optimizer, steps=3, seed=3, **settings
    )
    page = opened(trace)
    assert page.evaluate("Page.data.untraced") == []
    for k, step in enumerate(trace.steps):
        page.select_option("#step", str(k))
        agree(page, step)


NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*(?:e[+-]?\d+)?")
NAMES = ("abs", "sign", "floor", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos")
PYTHON = {name: getattr(np, name) for name in NAMES} | {
    "max": max, "min": min, "F": np.float64, "erf": math.erf, "atan": np.arctan,
    "Infinity": math.inf, "NaN": math.nan,
}  # fmt: skip


def evaluated(code):
    """What arithmetic evaluates to, in double precision; of no number by zero what NumPy has."""
    with np.errstate(all="ignore"):
        return float(eval(NUMBER.sub(r"F(\g<0>)", code), {}, PYTHON))


ARITHMETIC = """() => Object.entries(Page.now.V).flatMap(([key, M]) => [...M.v].map((v, k) => {
  const [i, j] = [Math.floor(k / M.m), k % M.m], a = Arithmetic.of(key, i, j);
  return a && [key, a.exact, a.shown, a.value];
})).filter(Boolean)"""


@pytest.mark.parametrize("case", [None, *range(len(CASES))])
def test_a_clicked_entrys_arithmetic_evaluates_to_the_entry(opened, case):
    if case is None:
        trace = explain.worked_trace()
    else:
        net, optimizer, settings = CASES[case]
        trace = explain.trace(
            net, start_of(net), *rows(net), optimizer=optimizer, seed=3, **settings
        )
    page = opened(trace)
    found = page.evaluate(ARITHMETIC)
    keys = {key for key, *_ in found}
    wanted = ("Z[1]", "A[1]", "gPrime[1]", "loss", "C", "delta[1]", "dW[1]", "db[1]", "dA[0]")
    assert keys >= {*wanted, "W_new[1]", "b_new[1]"}
    for key, exact, shown, value in found:
        assert evaluated(exact) == pytest.approx(value, rel=1e-9, abs=1e-12), (key, exact)
        plain = shown.replace("·", "*").replace("−", "-").replace("^", "**")
        plain = re.sub(r"\|([^|]*)\|", r"abs(\1)", plain)
        scale = max(1.0, max(abs(float(x)) for x in NUMBER.findall(plain)))
        assert evaluated(plain) == pytest.approx(value, rel=1e-3, abs=1e-4 * scale), (key, shown)


EXTREMES = [
    *(0.0, -0.0, 1e-300, 1e-8, -1e-8, 0.5, -0.5, 1.0, -1.0, 3.0, -6.5, 6.5, 36.0, -36.0),
    *(200.0, -200.0, 745.0, -745.0),
]


def same_at_extremes(page, step):
    """Entry by entry, and each entry's arithmetic; also what is infinite, or no number."""
    mine, theirs = numbers(page), named(step)
    for key, value in theirs.items():
        np.testing.assert_allclose(mine[key], value, rtol=1e-12, atol=1e-14, err_msg=key)
    for key, exact, _, value in page.evaluate(ARITHMETIC):
        value = math.nan if value is None else value
        assert evaluated(exact) == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), (
            key,
            exact,
        )


@pytest.mark.parametrize("g", HIDDEN, ids=str)
def test_an_activation_at_kinks_and_extremes(opened, g):
    net = dr.Network(1, [dr.Dense(1, g), dr.Dense(1)], "mae")
    values = [x for x in EXTREMES if dr.ACTIVATIONS(g).name != "exp" or x < 700]
    one = {"W": np.ones((1, 1)), "b": np.zeros((1, 1))}
    X = np.array(values)[:, None]
    trace = explain.trace(net, (one, one), X, np.zeros_like(X))
    same_at_extremes(opened(trace), trace.steps[0])


@pytest.mark.parametrize(("cost", "last"), OUTPUTS, ids=str)
def test_a_cost_at_kinks_and_extremes(opened, cost, last):
    net = dr.Network(2, [dr.Dense(2, last)], cost)
    own = ({"W": np.eye(2), "b": np.zeros((2, 1))},)
    most = 800 if net.pair and net.cost_row.name != "poisson" else 30
    values = [x for x in EXTREMES if abs(x) <= most]
    X = np.array([(x, y) for x in values for y in (0.0, x, -x)])
    low, high = net.cost_row.targets.ends
    if high < np.inf:
        Y = np.array([(1.0, 0.0), (0.0, 1.0), (0.25, 0.75)] * len(values))
    else:
        Y = np.maximum(X, low) if last == "identity" else np.maximum(np.roll(X, 1), low)
    trace = explain.trace(net, own, X, Y)
    same_at_extremes(opened(trace), trace.steps[0])


@pytest.mark.parametrize("optimizer", STEPPING, ids=lambda row: type(row).__name__)
def test_an_optimizer_at_extremes(opened, optimizer):
    net = dr.Network(1, [dr.Dense(len(EXTREMES))], "half_squared_error")
    own = ({"W": np.zeros((len(EXTREMES), 1)), "b": np.zeros((len(EXTREMES), 1))},)
    trace = explain.trace(net, own, [[1.0]], [EXTREMES], optimizer=optimizer, steps=2)
    page = opened(trace)
    for k, step in enumerate(trace.steps):
        page.select_option("#step", str(k))
        same_at_extremes(page, step)


@pytest.mark.parametrize("sign", [
    ("add: (x, y) => x + y", "add: (x, y) => x - y"),
    ("subtract: (x, y) => x - y", "subtract: (x, y) => x + y"),
    ("negative: (x) => -x", "negative: (x) => x"),
    ("term *= (2 * x * x)", "term *= -(2 * x * x)"),
])  # fmt: skip
def test_a_wrong_sign_in_the_script_is_found(opened, sign):
    net = network("binary_cross_entropy", "gelu", "sigmoid", "sigmoid")
    trace = explain.trace(net, start_of(net), *rows(net), optimizer="adam")
    assert differing(opened(trace, sign), trace.steps[0])


@pytest.mark.parametrize("sign", [
    ('add: infix(1, "+"', 'add: infix(1, "-"'),
    ('negative: [2, (x) => `-${', 'negative: [2, (x) => `${'),
    ('multiply: infix(3, "*", 3, 4)', 'multiply: infix(3, "*", 3, 1)'),
])  # fmt: skip
def test_a_wrong_sign_in_the_arithmetic_is_found(opened, sign):
    net = network("binary_cross_entropy", "gelu", "sigmoid", "sigmoid")
    trace = explain.trace(net, start_of(net), *rows(net), optimizer="adam")
    found = opened(trace, sign).evaluate(ARITHMETIC)
    assert any(
        evaluated(exact) != pytest.approx(value, rel=1e-9, abs=1e-12)
        for _, exact, _, value in found
    )


# ------------------------------------------------------------------------ what a reader does


def test_arrow_keys_walk_every_sub_step(opened):
    page = opened(explain.worked_trace())
    example = named(explain.worked_trace().steps[0])
    count = page.evaluate("Walk.count()")
    assert count == 3 * 2 + 2 + 1 + 3 * 4 + 3 * 2
    titles, outs = [], []
    for k in range(count):
        assert page.inner_text("#counter") == f"{k + 1} of {count}"
        titles.append(page.inner_text("#substep h3"))
        assert page.locator("#substep math").count() >= 3
        assert page.locator("#figure svg").count() == 1
        first = page.locator("#substep .numbers .matrix").first
        outs.append(first.get_attribute("data-key"))
        shown = [t.replace("−", "-") for t in first.locator("td button").all_inner_texts()]
        np.testing.assert_allclose(
            np.array(shown, dtype=float), example[outs[-1]].ravel(), rtol=6e-3, atol=1e-12
        )
        page.keyboard.press("ArrowRight")
    assert len(set(titles)) == len(set(outs)) == count
    assert outs[:2] == ["Z[1]", "A[1]"]
    assert outs[8:13] == ["dA[3]", "delta[3]", "dW[3]", "db[3]", "dA[2]"]
    for _ in range(count):
        page.keyboard.press("ArrowLeft")
    assert page.inner_text("#counter") == f"1 of {count}"


def test_a_click_spells_the_entry_out_and_marks_its_operands(opened):
    page = opened(explain.worked_trace())
    page.evaluate("Walk.go(10)")  # dW[3]
    page.locator("#substep button[data-key='dW[3]'][data-j='1']").click()
    assert page.inner_text("#substep .shown") == "= (0.880797 · 3 + (−0.731059) · 4) / 2"
    assert page.locator("#substep button.operand").all_inner_texts() == [
        "0.881",
        "−0.731",
        "3",
        "4",
    ]
    assert float(page.get_attribute("#substep .arithmetic", "data-value")) == pytest.approx(
        -0.14092154029318632, rel=1e-15
    )
    assert "relative error" in page.inner_text("#substep details.check")


def test_predict_before_reveal(opened):
    page = opened(explain.worked_trace())
    page.check("#predict")
    assert set(page.locator("#substep .matrix").first.locator("td button").all_inner_texts()) == {
        "?"
    }
    for guess, verdict in (("x", "Type a number."), ("1", "Not yet."), ("-3", "Right.")):
        page.fill("#substep .predict input", guess)
        page.click("text=Check")
        assert page.inner_text("#substep .verdict") == verdict
    page.click("text=Reveal")
    assert page.locator("#substep .matrix").first.locator("td button").first.inner_text() == "−3"


def test_an_edited_weight_gives_the_references_numbers(opened):
    example = worked_example()
    page = opened(explain.worked_trace())
    edits = {"W[1]": (2, 3, -0.75), "b[2]": (1, 0, 0.3), "A[0]": (0, 1, 2.5), "Y": (0, 0, 0.25)}
    changed = [{name: W.copy() for name, W in own.items()} for own in example.parameters]
    X, Y = example.X.copy(), example.Y.copy()
    targets = {"W[1]": changed[0]["W"], "b[2]": changed[1]["b"], "A[0]": X.T, "Y": Y.T}
    for key, (i, j, value) in edits.items():
        edit(page, key, value, (i, j))
        targets[key][i, j] = value
    edit(page, "α", "0,25", leave="Tab")
    trace = explain.trace(example.network, tuple(changed), X, Y, optimizer=dr.GradientDescent(0.25))
    agree(page, trace.steps[0])
    assert "Changed:" in page.inner_text("#diff")
    before, after = (
        f"{step.cost:.4g}" for step in (explain.worked_trace().steps[0], trace.steps[0])
    )
    assert f"{before} → {after}" in page.inner_text("#diff")
    page.click("#reset")
    agree(page, explain.worked_trace().steps[0])


@pytest.mark.parametrize(("cost", "last"), [
    ("focal", "softmax"), ("binary_focal", "sigmoid"), ("softmax_cross_entropy(3)", "identity"),
    (LOG_COSH, SOFTSIGN),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("optimizer", [dr.NAdam(0.05), Triple(0.05)], ids=str)
def test_what_if_and_training_have_every_row(opened, cost, last, optimizer):
    net = dr.Network(5, [dr.Dense(4, "gelu"), dr.Dense(3, last)], cost)
    (first, second), (X, Y) = start_of(net), rows(net)
    page = opened(explain.trace(net, (first, second), X, Y, optimizer=optimizer))
    edit(page, "W[1]", 0.75, (1, 2))
    W = first["W"].copy()
    W[1, 2] = 0.75
    edited = ({**first, "W": W}, second)
    agree(page, explain.trace(net, edited, X, Y, optimizer=optimizer).steps[0])
    trained(page, 10)
    after = explain.trace(net, edited, X, Y, optimizer=optimizer, steps=11)
    agree(page, after.steps[10], 1e-9)


@pytest.mark.parametrize(
    ("key", "typed", "message"),
    [
        ("W[1]", "abc", "is not a number"),
        ("Y", "7", "needs targets from 0 to 1"),
        ("α", "-1", "at least 0"),
    ],
)
def test_an_edit_that_cannot_be_changes_nothing(opened, key, typed, message):
    page = opened(explain.worked_trace())
    edit(page, key, typed)
    assert message in page.inner_text("#edit-message")
    assert page.get_attribute("input.editing", "aria-invalid") == "true"
    page.press("input.editing", "Escape")
    assert page.locator("input.editing").count() == 0
    assert page.inner_text("#edit-message") == ""
    edit(page, key, typed, leave="Tab")
    assert message in page.inner_text("#edit-message")
    assert page.locator("input.editing").count() == 0
    agree(page, explain.worked_trace().steps[0])


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam"])
def test_the_train_button_reaches_the_engines_cost(opened, optimizer):
    example = worked_example()
    row = dr.OPTIMIZERS(optimizer)
    page = opened(explain.worked_trace(optimizer=row))
    for _ in range(2):
        trained(page, 100)
    assert page.get_attribute("#curve", "data-steps") == "200"
    runner = dr.start(
        example.network, optimizer=row, dtype="float64", parameters=example.parameters
    )
    for _ in range(200):
        runner.step(example.X, example.Y)
    cost = float(page.get_attribute("#curve", "data-cost"))
    assert cost == pytest.approx(runner.cost(example.X, example.Y), rel=1e-8)
    assert "round again" in page.inner_text("#verdict")


def test_dropout_is_replayed_as_drawn(opened):
    net = network("binary_cross_entropy", "gelu", "sigmoid", dropout=0.4)
    trace = explain.trace(net, start_of(net), *rows(net), optimizer="adam", steps=3)
    page = opened(trace)
    assert "those of the 3 recorded steps in turn" in page.inner_text("#train .notice")
    assert "without dropout" in page.inner_text("#misprints .notice")
    for step in trace.steps[1:]:
        trained(page, 1)
        agree(page, step)
    edit(page, "W[1]", 0.5)
    assert "D[1]" in numbers(page)
    page.click("summary:has-text('Your own rows')")
    page.fill("#rows", "1,2,3,4,5,0,1,1\n0,0,0,0,0,1,0,0")
    page.click("#paste")
    assert page.inner_text("#paste-message").startswith("2 rows taken.")
    assert "D[1]" not in numbers(page)
    page.click("#reset")
    agree(page, trace.steps[0])


def figure_texts(page, phase):
    """The texts of the figure beside a phase's first sub-step."""
    return page.evaluate(
        "(phase) => [...Figures.figure(Story.steps().find((s) => s.phase === phase))"
        ".querySelectorAll('text')].map((t) => t.textContent)",
        phase,
    )


@pytest.mark.parametrize("output", ["sigmoid", "softmax", "tanh"])
def test_figure_3_carries_the_formulas_of_the_step(opened, output):
    cost = {"sigmoid": "binary_cross_entropy", "softmax": "mse", "tanh": "mse"}[output]
    net = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(2, output)], cost)
    X, Y = [[0.1, 0.4], [0.3, -0.2], [0.5, 0.7]], [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    page = opened(explain.trace(net, start_of(net), X, Y))
    texts = figure_texts(page, "backward")
    last = {
        "sigmoid": "A[2] − Y",
        "softmax": "A ⊙ (dA − Σ A ⊙ dA)",
        "tanh": "dA[2] ⊙ g′(Z[2])",
    }
    for formula in (
        f"δ[2] = {last[output]}",
        "δ[1] = dA[1] ⊙ g′(Z[1])",
        "dW[2] = 1/m δ[2] A[1]ᵀ",
        "db[1] = 1/m Σ columns δ[1]",
        "dA[1] = Wᵀ δ[2]",
    ):
        assert formula in texts
    page.evaluate("Page.rows = true")
    texts = figure_texts(page, "backward")
    for formula in (
        "Z[2] = A[1] W + b",
        "dW[2] = 1/m A[1]ᵀ δ[2]",
        "db[1] = 1/m Σ rows δ[1]",
        "dA[1] = δ[2] Wᵀ",
    ):
        assert formula in texts


def test_figure_4_asks_after_an_epoch_and_shows_the_cost(opened):
    page = opened(explain.worked_trace())
    texts = figure_texts(page, "update")
    assert "C = 1.72" in texts
    assert {"next batch", "after an epoch", "converged?", "no: next epoch"} <= set(texts)


def test_a_derivative_is_one_upright_symbol(opened):
    page = opened(explain.worked_trace())
    symbols = page.evaluate(
        "['dA[1]', 'dW[1]', 'db[1]'].map((key) => Formulas.symbol(key))"
        ".map((s) => [...s.querySelectorAll('mi')])"
        ".map((all) => all.map((mi) => [mi.textContent, mi.getAttribute('mathvariant')]))"
    )
    assert symbols == [[[name, "normal"]] for name in ("dA", "dW", "db")]


def test_converged_ends_training(opened):
    net = dr.Network(2, [dr.Dense(1)])
    trace = explain.trace(
        net,
        start_of(net),
        [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]],
        [1.0, 0.0, 0.0, 0.0],
        optimizer=dr.GradientDescent(0.3),
    )
    page = opened(trace)
    page.click("[data-train='1000']")
    page.wait_for_selector("text=Converged: over the last")
    assert int(page.get_attribute("#curve", "data-steps")) < 1000


def misprint(page, which, subject):
    """The final costs of the experiment: training and unseen rows, as printed and right."""
    page.check(f"[name='misprint'][value='{which}']")
    page.check(f"[name='subject'][value='{subject}']")
    page.evaluate("document.getElementById('misprint-result').dataset.done = ''")
    page.click("#run-misprint")
    page.wait_for_selector("#misprint-result[data-done='true']", state="attached")
    found = page.evaluate("({...document.getElementById('misprint-result').dataset})")
    return [float(found[k]) for k in ("training", "heldOut", "rightTraining", "rightHeldOut")]


def test_the_misprint_looks_better_and_breaks(opened):
    page = opened(explain.worked_trace())
    training, unseen, right, right_unseen = misprint(page, "axis0", "linear")
    assert training < 0.01 * right
    assert unseen > 1.2 * right_unseen
    assert "shape 1×20: a separate bias for every example" in page.inner_text("#misprint-result")
    training, _, right, _ = misprint(page, "axis0", "network")
    assert training != right
    assert "shape 4×16" in page.inner_text("#misprint-result")
    training, _, right_again, _ = misprint(page, "twice", "network")
    assert right_again == right
    assert training > 1.5 * right
    assert "16 times too short" in page.inner_text("#misprint-result")
    assert "does no other harm" in page.inner_text("#misprint-result")
    assert page.locator("#turned li").all_inner_texts()[0] == (
        "Layer 1: (2×5)·(4×2) cannot be multiplied: 5 is not 4."
    )


def test_pasted_rows_replace_the_data(opened):
    example = worked_example()
    page = opened(explain.worked_trace())
    page.click("summary:has-text('Your own rows')")
    own = [[1, 2, 3, 4, 5, 1], [0.5, 0, -1, 2, 1, 0], [0, 0, 1, 1, 2, 1]]
    page.fill("#rows", "\n".join(", ".join(map(str, row)) for row in own))
    page.click("#paste")
    assert page.inner_text("#paste-message").startswith("3 rows taken.")
    table = np.array(own, dtype=float)
    trace = explain.trace(
        example.network,
        example.parameters,
        table[:, :5],
        table[:, 5],
        optimizer=dr.GradientDescent(0.1),
    )
    agree(page, trace.steps[0])
    for rubbish, message in (
        ("", "there are no rows"),
        ("1,2,3", "line 1 has 3 numbers; expected 6"),
        ("1,2,3,4,5,0\na,b,c,d,e,f", "line 2: “a” is not a number"),
        ("1,2,3,4,5,9", "needs targets from 0 to 1"),
        ("<img src=x onerror=alert(1)>", "is not a number"),
        ("1,2,3,4,5,0\n" * 501, "takes at most 500"),
    ):
        page.fill("#rows", rubbish)
        page.click("#paste")
        assert message in page.inner_text("#paste-message")
    agree(page, trace.steps[0])


def test_rows_layout_turns_every_matrix(opened):
    page = opened(explain.worked_trace())
    page.check("#layout")
    shapes = page.locator("#substep .shape").all_inner_texts()
    assert shapes == ["2×4", "2×5", "5×4", "1×4"]  # Z = A_prev W + b
    page.evaluate("Walk.go(14)")
    assert page.locator("#substep .matrix").first.get_attribute("data-key") == "dW[2]"
    assert page.locator("#substep .shape").all_inner_texts() == ["4×3", "4×2", "2×3"]


def branching(Z):
    return Z * Z if (Z > -1e9).all() else Z


BRANCHING = dr.Activation("branching", branching, lambda Z: 2 * Z)


def test_what_cannot_be_traced_is_shown_as_recorded_with_the_reason(opened):
    net = network("mse", BRANCHING, "identity")
    trace = explain.trace(net, start_of(net), *rows(net), steps=2)
    page = opened(trace)
    agree(page, trace.steps[0], 1e-15)
    for section in ("train", "misprints"):
        notice = page.inner_text(f"#{section} .notice")
        assert notice.startswith("Off for this plan: activation branching ")
        assert page.locator(f"#{section} :is(button, input, select, textarea):enabled").count() == 0
    for _ in range(page.evaluate("Walk.count()")):
        page.keyboard.press("ArrowRight")
    page.locator("#substep td button").first.click()
    assert page.locator("input.editing").count() == 0
    assert page.is_disabled("#lesson-open")
    assert "recorded" in page.inner_text("#substep .arithmetic")
    page.select_option("#step", "1")
    agree(page, trace.steps[1], 1e-15)


def test_a_custom_activation_that_mixes_units_is_shown_as_recorded(opened):
    def centered(dA, A=None):
        return dA - dA.mean(axis=0, keepdims=True)

    own = dr.Activation(
        "centered", centered, None, mixed_delta=centered, mixed_jacobian=lambda A: None
    )
    net = network("mse", own, "identity")
    trace = explain.trace(net, start_of(net), *rows(net))
    page = opened(trace)
    agree(page, trace.steps[0], 1e-15)
    assert page.evaluate("Page.data.untraced") == [
        "activation centered mixes the units of an example"
    ]
    for _ in range(page.evaluate("Walk.count()")):
        assert "oftmax" not in page.inner_text("#walk")
        page.keyboard.press("ArrowRight")


def test_a_custom_row_by_a_tables_name_is_not_the_tables(opened):
    cube = dr.Activation("relu", lambda Z: Z**3, lambda Z: 3 * Z**2)
    net = dr.Network(5, [dr.Dense(4, cube), dr.Dense(2)])
    trace = explain.trace(net, start_of(net), *rows(net))
    page = opened(trace)
    assert page.evaluate("Page.data.untraced") == []
    agree(page, trace.steps[0])


HOSTILE = [
    "<img src=x onerror=document.body.dataset.hacked=1>",
    "</script><script>document.body.dataset.hacked=1</script>",
    "\"'><b>bold</b>",
    "<!--title-->",
    "{{7*7}}${7*7}",
]


def test_text_from_the_data_is_text(opened):
    example = worked_example()
    first, *others = example.network.layers
    relu = dr.ACTIVATIONS("relu")
    own = dr.Activation(
        HOSTILE[0],
        relu.g,
        relu.g_prime,
        formula=HOSTILE[1],
        formula_prime=rf"\text{{{HOSTILE[0]}}}",
    )
    hostile = dr.Network(5, [dr.Dense(first.units, own), *others], "binary_cross_entropy")
    trace = explain.trace(
        hostile,
        example.parameters,
        example.X,
        example.Y,
        inputs=HOSTILE,
        outputs=HOSTILE[1:2],
        title=HOSTILE[1],
    )
    page = opened(trace)
    for _ in range(page.evaluate("Walk.count()")):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.body.dataset.hacked") is None
    assert page.locator("img, b:text-is('bold')").count() == 0
    assert page.inner_text("h1") == HOSTILE[1]
    page.keyboard.press("Home")
    page.evaluate("Walk.go(0)")
    assert page.locator(".matrix[data-key='A[0]'] th[scope=row]").all_inner_texts() == HOSTILE


# --------------------------------------------------------------------- sizes, media, notebook


def large_trace(dtype):
    net = dr.Network(
        784, [dr.Dense(256, "relu"), dr.Dense(128, "relu"), dr.Dense(10, "softmax")],
        "categorical_cross_entropy",
    )  # fmt: skip
    X = np.random.default_rng(0).uniform(size=(4, 784))
    return explain.trace(net, net.initial_parameters(dtype=dtype), X, np.array([3, 1, 4, 1]))


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 2_000_000), ("float64", 4_000_000)])
def test_a_large_networks_page_is_small(dtype, limit):
    assert len(explain.page(large_trace(dtype)).encode()) < limit


def test_a_large_network_is_shown_in_part_and_downloaded_whole(opened):
    trace = large_trace("float32")
    page = opened(trace)
    cost = page.evaluate("Page.now.done.cost")
    assert cost == pytest.approx(trace.steps[0].cost, rel=1e-5)
    assert "⋮ 777 more" in page.inner_text("#network")
    assert "drawn in part" in page.inner_text("#network")
    page.fill("#substep .jump [aria-label='row']", "200")
    page.click("#substep .jump button")
    assert page.locator("#substep button.chosen").get_attribute("data-i") == "199"
    assert "more]" in page.inner_text("#substep .arithmetic")
    with page.expect_download() as download:
        page.click("#download")
    told = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert np.shape(told["arrays"]["W[1]"]) == (256, 784)


@pytest.mark.parametrize("settings", [
    {"viewport": {"width": 360, "height": 740}},
    {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    {"viewport": {"width": 800, "height": 600}, "reduced_motion": "reduce"},
])  # fmt: skip
def test_nothing_is_wider_than_the_window(opened, settings):
    page = opened(explain.worked_trace(), **settings)
    for _ in range(page.evaluate("Walk.count()")):
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, page.inner_text("#counter")
        page.keyboard.press("ArrowRight")


def test_print_holds_every_sub_step(opened):
    page = opened(explain.worked_trace())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#printed .substep").count() == page.evaluate("Walk.count()")
    assert not page.locator("#train").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#printed .substep").count() == 0


def test_everything_that_can_be_used_has_a_name(opened):
    page = opened(explain.worked_trace())
    page.evaluate("Walk.go(10)")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, svg[role=img]")]
          .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
          .map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert nameless == []
    assert page.get_attribute("#announce", "aria-live") == "polite"


def test_a_notebook_shows_the_page_in_a_frame(opened, chromium, tmp_path):
    trace = explain.worked_trace()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{trace._repr_html_()}", encoding="utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("#next").click()
    assert frame.locator("#counter").inner_text().startswith("2 of")
    page.close()


def test_without_a_browser_the_payload_is_plain():
    trace = explain.worked_trace()
    assert isinstance(trace.plan, Plan)
    told = payload(trace)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert "<!--" not in explain.page(trace).split("<body>")[0]
