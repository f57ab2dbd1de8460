"""The playground in a browser: it trains as the reference does, reads tables, and exports runs."""

import json

import numpy as np
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.cli import main
from deltarule.engines.plan import Plan
from deltarule.explain.page_plan import described_plan
from deltarule.explain.playground import rows
from deltarule.initializers import _VARIANCES

from .test_cli import fails
from .test_explain_page import chromium  # noqa: F401 - a fixture
from .tolerances import error

TRAINED = 1e-10  # norm-wise, after 200 steps in double precision

FLATS = "area;town;rent\n" + "\n".join(
    f"{40 + 3 * k},{k % 10};{('Bern', 'Basel', 'Chur')[k % 3]};{900 + 31 * k + 100 * (k % 3)},5"
    for k in range(30)
)
THREE = "x,z,kind\n" + "\n".join(f"{k % 7},{k % 5},{'abc'[k // 2 % 3]}" for k in range(30))


@pytest.fixture
def opened(chromium, tmp_path):  # noqa: F811
    """A function that opens the playground; no console error, no request, at any moment."""
    contexts, troubles, requests = [], [], []

    def open_(address="", **settings):
        path = tmp_path / "playground.html"
        if not path.exists():
            explain.save_playground(path)
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("request", lambda r: requests.append(r.url))
        page.goto(path.as_uri() + address)
        page.wait_for_selector("html[data-ready=true]", state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not troubles
    # the page itself, and what it makes for a download
    assert all(url.startswith(("file:", "blob:")) for url in requests), requests


def setting(page, **values):
    """Settings by the names of their controls, in order."""
    for name, value in values.items():
        field = page.locator(f"#{name.replace('_', '-')}")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(str(value))
            field.press("Tab")


def use(page, text):
    """A custom table."""
    page.evaluate("(text) => Playground.use(text)", text)


def steps(page, count):
    """A number of steps, and the cost of the training rows after them."""
    code = """(count) => { const { run } = Playground.page;
      for (let k = 0; k < count; k++) if (!Run.step(run)) throw Error("diverged");
      return Engine.costOf(run.plan, run.parameters, run.train.X, run.train.Y); }"""
    return page.evaluate(code, count)


def verdict(page):
    """What training says when it stops."""
    page.wait_for_selector("#verdict:not(:empty)", timeout=60_000)
    return page.inner_text("#verdict")


# --------------------------------------------------------------- the equations, row by row


def cases():
    """Every activation, cost and optimizer; of a cost each fused output and two others."""
    found = rows()
    hidden, optimizers = list(found["layers"]), list(found["optimizers"])
    pairs = [
        (cost, output)
        for cost, row in found["costs"].items()
        for output in {*row["fused"], *row["outputs"][:2]}
    ]
    for k in range(max(len(hidden), len(optimizers), len(pairs))):
        cost, output = sorted(pairs)[k % len(pairs)]
        yield hidden[k % len(hidden)], cost, output, optimizers[k % len(optimizers)]


SETTINGS = {"hidden": [5, 3], "batch": 8, "l2": 0.01, "seed": 5, "standardize": True}
RATES = {"adadelta": 0.3, "lion": 1e-3}

TRAIN = """([settings, data, steps]) => {
  const plan = Plan.of(settings, data), start = Plan.start(plan, settings);
  const plain = (all) => all.map(({ W, b }) => [[...W.v], [...b.v]]), seen = [];
  const run = Run.begin(plan, settings, data, start), batches = [];
  for (let k = 0; k < steps; k++) {
    batches.push([...Run.upcoming(run).columns]);
    if (!Run.step(run)) throw Error(`diverged in step ${k + 1}`);
    if (k === 0 || k === steps - 1) seen.push(plain(run.parameters));
  }
  const M = ({ n, m, v }) => [n, m, [...v]];
  return { sizes: plan.sizes, cost: plan.cost.name, optimizer: plan.optimizer.name, seen, batches,
    start: plain(start), X: M(run.train.X), Y: M(run.train.Y) };
}"""


def table_of(cost, output, classes):
    """24 rows of three inputs, and targets that the cost takes, as the page encodes them."""
    random = np.random.default_rng(7)
    X = random.standard_normal((3, 24)).round(6)
    y = random.integers(0, classes, 24) if classes else abs(random.normal(size=24)).round(6)
    inputs = [{"name": f"x{i}", "mean": X[i].mean(), "std": X[i].std()} for i in range(3)]
    part = {"X": X.tolist(), "y": y.tolist()}
    return {
        "inputs": inputs,
        "classes": [f"class {k}" for k in range(classes)] or None,
        "target": "y",
        "train": part,
        "held": {"X": [[]] * 3, "y": []},
        "scale": None if classes else {"mean": float(y.mean()), "std": float(y.std())},
    }


def matrix(packed):
    n, m, values = packed
    return np.array(values, dtype=float).reshape(n, m)


def test_every_row_trains_as_the_reference_does(opened):
    page = opened()
    for hidden, cost, output, optimizer in cases():
        classes = 3 if dr.COSTS(cost).uniform else 0
        settings = SETTINGS | {
            "activation": hidden, "cost": cost, "output": output, "optimizer": optimizer,
            "rate": RATES.get(optimizer, 0.01),
        }  # fmt: skip
        found = page.evaluate(TRAIN, [settings, table_of(cost, output, classes), 200])
        sizes = found["sizes"]
        layers = [dr.Dense(5, hidden), dr.Dense(3, hidden), dr.Dense(sizes[-1], output)]
        network = dr.Network(3, layers, found["cost"])

        def parameters(flat, shapes=network.shapes):
            return tuple(
                {"W": np.array(W).reshape(own["W"]), "b": np.array(b).reshape(own["b"])}
                for (W, b), own in zip(flat, shapes, strict=True)
            )

        make = dr.OPTIMIZERS.entry(optimizer)
        assert make.__name__ == found["optimizer"]
        runner = dr.start(
            network,
            optimizer=make(settings["rate"]),
            regularization=dr.Regularization(l2=0.01),
            engine="reference",
            dtype="float64",
            parameters=parameters(found["start"]),
        )
        X, Y = matrix(found["X"]).T, matrix(found["Y"]).T
        for k, batch in enumerate(found["batches"]):
            runner.step(X[batch], Y[batch])
            if k in (0, 199):
                mine = parameters(found["seen"][bool(k)])
                for own, theirs in zip(mine, runner.parameters(), strict=True):
                    for name in own:
                        assert error(own[name], theirs[name]) < TRAINED, (hidden, cost, optimizer)


def test_every_row_of_every_table_is_there():
    found = rows()
    assert set(found["layers"]) == set(dr.ACTIVATIONS)
    assert set(found["costs"]) == set(dr.COSTS)
    assert set(found["optimizers"]) == set(dr.OPTIMIZERS) - {"lbfgs"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    tried = list(zip(*cases(), strict=True))
    assert [set(names) for names in (tried[0], tried[1], tried[3])] == [
        set(found["layers"]), set(found["costs"]), set(found["optimizers"])
    ]  # fmt: skip


def test_what_a_row_computes_of_an_output_does_not_depend_on_their_number():
    for name, row in rows()["costs"].items():
        for units in {2, 5} if row["group"] == 1 else set():
            for output in row["outputs"][:2]:
                net = dr.Network(2, [dr.Dense(units, output)], name)
                described, _ = described_plan(Plan(net, dtype="float64"))
                mine = row["fused"].get(output, row["plain"])
                for part in ("loss", "dA", "pair", "numbers"):
                    assert described["cost"].get(part) == mine.get(part), (name, output, part)


def test_initial_weights_have_the_initializers_variance(opened):
    page = opened()
    for n, before in ((3, 7), (16, 2)):
        found = page.evaluate(
            "([n, m]) => Object.entries(Plan.VARIANCES).map(([k, f]) => [k, f(n, m)])", [n, before]
        )
        assert dict(found) == pytest.approx({k: f(n, before) for k, f in _VARIANCES.items()})
    used = {name.rpartition("_")[0] for name in page.evaluate(
        "Object.values(Plan.rows.layers).map((own) => own.initializer)")}  # fmt: skip
    assert used <= set(_VARIANCES)


# --------------------------------------------------------------------------- training


def test_play_stops_by_the_rule_and_the_same_start_gives_the_same(opened):
    page = opened()
    setting(page, rows_drawn=60, speed="fast", epochs=12)
    page.click("#play")
    assert verdict(page) == "Stopped: 12 epochs, the limit. Raise it to train further."
    first = page.inner_text("#figures")
    assert page.evaluate("Playground.page.run.epoch") == 12
    page.click("#play")  # at the limit nothing goes on
    assert page.evaluate("Playground.page.run.epoch") == 12
    page.click("#restart")
    assert page.inner_text("#verdict") == ""
    page.click("#play")
    verdict(page)
    assert page.inner_text("#figures") == first
    page.click("#one-step")
    page.click("#one-epoch")
    assert page.evaluate("[Playground.page.run.epoch, Playground.page.run.place]") == [13, 0]


def test_patience_stops_on_held_out_rows(opened):
    page = opened()
    setting(
        page,
        data="gaussians",
        rows_drawn=60,
        noise=1,
        speed="fast",
        epochs=5000,
        patience=5,
        rate=0.1,
    )
    page.click("#play")
    best = page.evaluate("Playground.page.run.best.epoch") if (said := verdict(page)) else None
    assert (
        said == f"Stopped: the cost on held-out rows was lowest after epoch {best}, 5 epochs ago. "
        "Raise the patience to train further."
    )


def test_divergence_stops_with_the_step_and_what_to_try(opened):
    page = opened()
    setting(page, data="plane", activation="identity", optimizer="gradient_descent", rate=1000)
    page.click("#play")
    said = verdict(page)
    step = page.evaluate("Playground.page.run.steps")
    assert said.startswith(f"Step {step + 1} was not taken: its numbers overflow.")
    assert "Lower the learning rate (now 1000; try 100)" in said
    assert page.evaluate("Playground.page.run.parameters[0].W.v.every(Number.isFinite)")
    page.click("#one-step")
    assert page.evaluate("Playground.page.run.steps") == step


def test_a_setting_that_cannot_be_is_named_and_nothing_changes(opened):
    page = opened()
    for field, typed, right, message in (
        ("rate", "fast", "0.03", "Learning rate: expected a number from"),
        ("hidden", "4,0", "6,4", "expected at most 6 whole numbers from 1 to 64"),
        ("batch", "-1", "10", "Batch (0: all rows): expected a whole number from 0 to 2000"),
        ("seed", "1.5", "1", "Seed of start: expected a whole number"),
    ):
        steps(page, 3)
        setting(page, **{field: typed})
        assert message in page.inner_text("#setting-message")
        assert page.get_attribute(f"#{field}", "aria-invalid") is not None
        assert page.evaluate("Playground.page.run.steps") == 3
        setting(page, **{field: right})
        assert page.inner_text("#setting-message") == ""


def test_every_number_of_a_step_is_shown_with_its_arithmetic(opened):
    page = opened()
    setting(page, hidden="3", rows_drawn=20, batch=4)
    page.click("#numbers summary")
    page.wait_for_selector("#step .tag")
    tags = page.locator("#step .tag").all_inner_texts()
    assert " ".join(tags).replace("Eq. ", "") == (
        "1a 1b 1a 1b 2 10a 10b 10c 10d 11a 11b 11c 11d 3 3"
    )
    assert page.locator("#step .matrix[data-key='delta[2]'] button").count() == 4
    assert page.locator("#step math:has-text('tanh')").count() == 1
    page.locator("#step .matrix[data-key='dW[1]'] button").first.click()
    assert " = " in page.inner_text("#step .arithmetic")
    before = page.evaluate("Page.now.V['W_new[1]'].v[0]")
    page.click("#one-step")
    assert page.evaluate("Playground.page.run.parameters[0].W.v[0]") == before
    assert page.inner_text("#step-title").startswith("Step 2: a batch of 4 rows")


def test_a_weight_set_by_hand_begins_anew(opened):
    page = opened()
    steps(page, 7)
    page.evaluate("Playground.page.paint(Playground.page.run)")
    page.locator("#network .wire").nth(3).dispatch_event("click")
    assert page.evaluate("document.activeElement.id") == "wire-value"
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    assert "begins again from these weights" in page.inner_text("#wire-message")
    assert page.evaluate("Playground.page.run.steps") == 0
    assert page.evaluate("Playground.page.run.start[0].W.v[3]") == 0.5
    page.fill("#wire-value", "much")
    page.press("#wire-value", "Enter")
    assert "A weight: expected a number" in page.inner_text("#wire-message")
    page.click("#drawn-start")
    assert page.evaluate("Playground.page.run.start[0].W.v[3]") != 0.5


def test_an_address_shows_the_same(opened):
    page = opened()
    use(page, FLATS)
    setting(page, hidden="3,2", activation="gelu", cost="huber", optimizer="rmsprop", rate=0.02)
    page.fill("#wire-value", "0.25")
    page.press("#wire-value", "Enter")
    address, cost = page.evaluate("location.hash"), steps(page, 30)
    other = opened(address)
    assert other.input_value("#target") == "rent"
    assert steps(other, 30) == cost
    for broken in ("#data=nothing&hidden=x&rate=1&cost=2&weights=1", "#%%%", "#table=1&data=own"):
        opened(broken).click("#one-step")


# ----------------------------------------------------------------------------- the page


def test_the_page_is_small_and_no_placeholder_is_left():
    text = explain.playground()
    assert len(text.encode()) < 2_000_000
    assert "<!--" not in text


def test_it_is_operated_by_keyboard(opened):
    page = opened()
    page.focus("#play")
    page.keyboard.press("Enter")
    page.wait_for_selector("#play:has-text('Pause')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#play:has-text('Play')")
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    controls = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')]"
        ".filter((e) => e.checkVisibility()).map((e) => e.id).filter(Boolean)"
    )
    assert set(controls) <= reached


def test_everything_that_can_be_used_has_a_name(opened):
    page = opened()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, [role=img]")]
          .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
          .map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert nameless == []


@pytest.mark.parametrize("settings", [
    {"viewport": {"width": 360, "height": 740}},
    {"viewport": {"width": 1280, "height": 720}, "color_scheme": "dark"},
])  # fmt: skip
def test_nothing_is_wider_than_the_window(opened, settings):
    page = opened(**settings)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for text in (None, THREE, FLATS):
        if text:
            use(page, text)
        page.click("#one-epoch")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_command_writes_it_and_refuses_a_model(tmp_path, capsys):
    main(["explain", "--playground", "--out", str(tmp_path / "p.html")])
    assert "Open it in a browser." in capsys.readouterr().err
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == explain.playground()
    others = ("model.safetensors", "--text", "--rows 0:2", "--where a<3", "--largest-errors 2")
    for other in (*others, "--optimizer adam", "--learning-rate 0", "--steps 2"):
        said = fails(capsys, "explain", *other.split(), "--playground")
        assert f"expected --out alone beside it; got {other.split()[0]}." in said
