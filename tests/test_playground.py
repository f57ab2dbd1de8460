"""The playground in a browser: it trains as the reference does, reads tables, and exports runs."""

import contextlib
import io
import json
import math
import shlex
from pathlib import Path

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
    """A table of one's own."""
    page.evaluate("(text) => Playground.use(text)", text)


def steps(page, count):
    """So many steps, and the cost of the training rows after them."""
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


# -------------------------------------------------------------------------- own tables

FLATS = "area;town;rent\n" + "\n".join(
    f"{40 + 3 * k},{k % 10};{('Bern', 'Basel', 'Chur')[k % 3]};{900 + 31 * k + 100 * (k % 3)},5"
    for k in range(30)
)
READ = "(text) => { const { names, cells } = Table.read(text); return { names, cells }; }"


TABLES = [
    ("a,b\n1,2\n3,4\n5,6\n7,8", ["a", "b"], ["1", "2"]),
    ("1,2\n3,4\n5,6\n7,8\n", ["column 1", "column 2"], ["1", "2"]),
    ("\ufeffa\tb\r\n1,5\tx\r\n2,5\ty\r\n3\tx\r\n4\tz", ["a", "b"], ["1,5", "x"]),
    ('"a, b";c\n"x\ny";1\n"say ""no""";2\nz;3\nz;4', ["a, b", "c"], ["x\ny", "1"]),
    ("a|b\n\n1|2\n3|\n5|6\n7|8\n\n", ["a", "b"], ["1", "2"]),
    ("color size\nred big\nred small\nblue big\nblue big", ["color", "size"], ["red", "big"]),
    ("a,a\n1,2\n3,4\n5,6\n7,8", ["a", "a (2)"], ["1", "2"]),
]


def test_a_table_is_read(opened):
    page = opened()
    for text, names, first in TABLES:
        found = page.evaluate(READ, text)
        assert (found["names"], found["cells"][0]) == (names, first)


def test_rubbish_is_refused_and_nothing_changes(opened):
    page = opened()
    before = page.evaluate("Playground.page.run.data.target")
    for text, message in (
        ("", "there are no rows"),
        ("<img src=x onerror=alert(1)>", "the table has 1 row; expected at least 4"),
        ("a,b\n1,2\n3\n4,5\n6,7", "line 3 has 1 cell; expected 2"),
        ("a,b\n1,2\n", "the table has 1 row below the header"),
        ('a,b\n"1,2\n3,4\n5,6\n7,8', "a quotation mark is opened and never closed"),
        (",".join(map(str, range(201))) + "\n", "there are 201 columns; this page takes up to 200"),
        ("\0\1\2\3\n\4\5", "there is one column"),
    ):
        use(page, text)
        assert message in page.inner_text("#data-message")
        assert page.inner_text("#data-message").endswith("The table stays as it was.")
    use(page, "a,b\n" + "\n".join(f"{k},same" for k in range(9)))
    assert "has one value; expected at least two classes" in page.inner_text("#setting-message")
    use(page, "a,b\n" + "\n".join(f"{k},word{k}" for k in range(30)))
    assert "30 values; this page takes up to 10 classes" in page.inner_text("#setting-message")
    use(page, "a,b\n" + "\n".join(f"same,{k}" for k in range(30)))
    assert "no column is left to predict from" in page.inner_text("#setting-message")
    assert page.evaluate("Playground.page.run.data.target") == before


def test_what_is_missing_or_text_is_said_and_filled(opened):
    page = opened()
    text = "n,word,key,constant,y\n" + "\n".join(
        f"{('NA', '', 'much')[k] if k < 3 else k},{'' if k == 4 else 'ab'[k % 2]},id{k},1,"
        f"{'' if k == 9 else k * k}"
        for k in range(40)
    )
    use(page, text)
    notes = page.inner_text("#data-message")
    for said in (
        "40 rows, 5 columns, names in the first line.",
        "1 row without a target left out.",
        "n: text in 1 cell, such as “much” in row 3, counts as missing.",
        "n: 3 missing, filled with the mean ",
        "word: 1 missing; all its columns are 0 there.",
        "key: left out, its text is different in almost every row.",
        "Left out, since they are the same in every training row: constant.",
    ):
        assert said in notes
    assert page.evaluate("Page.data.inputs") == ["n", "word = a"]
    assert math.isfinite(steps(page, 5))


def test_a_large_table_is_cut_and_it_is_said(opened):
    page = opened()
    use(page, "x,y\n" + "\n".join(f"{k % 97},{k % 89}.5" for k in range(10_000)))
    notes = page.inner_text("#data-message")
    assert "10,000 rows, 2 columns" in notes
    assert "This page takes up to 2,000 rows: evenly spaced ones are used." in notes
    assert page.evaluate("Playground.page.run.train.X.m + Playground.page.run.held.X.m") == 2000
    names = ",".join(f"c{j}" for j in range(200))
    use(page, names + "\n" + "\n".join(
        ",".join(str((k * (j + 3)) % 211) for j in range(200)) for k in range(30)))  # fmt: skip
    assert "up to 40 inputs: the first 40 of 199 are used" in page.inner_text("#data-message")
    assert math.isfinite(steps(page, 3))
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_file_is_chosen_or_dropped(opened, tmp_path):
    path = tmp_path / "flats.csv"
    path.write_text(FLATS, encoding="utf-8")
    page = opened()
    page.set_input_files("#file", path)
    page.wait_for_selector("#target option:text-is('rent')", state="attached")
    assert page.evaluate("Page.data.inputs") == [
        "area",
        "town = Basel",
        "town = Bern",
        "town = Chur",
    ]
    page.evaluate("""() => { const held = new DataTransfer();
      held.items.add(new File(["p,q\\n1,2\\n3,4\\n5,6\\n7,8"], "x.csv"));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer: held, cancelable: true })); }""")
    page.wait_for_selector("#target option:text-is('q')", state="attached")


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
    assert page.locator("#step .matrix[data-key='delta[2]'] td").count() == 4
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


# ---------------------------------------------------------------------------- exports

RUNS = {
    "circles": {"rows_drawn": 40, "epochs": 50},
    "moons, all rows at once": {"data": "moons", "rows_drawn": 30, "batch": 0, "l2": 0.01},
    "wave": {"data": "wave", "rows_drawn": 40, "activation": "gelu", "optimizer": "nadam"},
    "raw": {"data": "plane", "rows_drawn": 30, "cost": "mae", "hidden": "", "held_out": 0},
}


@pytest.mark.parametrize("name", RUNS)
def test_exported_python_repeats_the_run(opened, name):
    page = opened()
    setting(page, **RUNS[name])
    if name == "raw":
        page.uncheck("#standardize")
    cost = steps(page, 17)
    printed, names = io.StringIO(), {}
    code = page.evaluate("Export.python(Playground.page.run)")
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "playground.py", "exec"), names)
    assert names["runner"].cost(names["X"], names["Y"]) == pytest.approx(cost, rel=TRAINED)
    assert printed.getvalue().startswith("cost of the training rows:")
    assert ("held-out" in printed.getvalue()) == (name != "raw")


OUTPUTS = """() => { const { run } = Playground.page, A = Run.outputs(run, run.train.X);
  return [run.data.train.X, [A.n, A.m, Array.from(A.v, (a) => Run.inUnits(run, a))],
    run.data.train.y.map((_, j) => Run.codeOf(A, j))]; }"""
THREE = "x,z,kind\n" + "\n".join(f"{k % 7},{k % 5},{'abc'[k // 2 % 3]}" for k in range(30))


@pytest.mark.parametrize("name", ["circles", "wave", "raw", "flats", "three"])
def test_the_model_file_predicts_the_same(opened, tmp_path, name):
    page = opened()
    if name in RUNS:
        setting(page, **RUNS[name])
    else:
        use(page, {"flats": FLATS, "three": THREE}[name])
    steps(page, 40)
    with page.expect_download() as download:
        page.click("#save-model")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    model = dr.load(path)
    X, A, codes = page.evaluate(OUTPUTS)
    outputs = model.outputs(np.array(X).T)
    assert error(outputs.T, matrix(A)) < 1e-12
    if classes := page.evaluate("Playground.page.run.data.classes"):
        assert list(model.predict(np.array(X).T)) == [classes[k] for k in codes]
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(dr.FileError, match="have changed since they were written"):
        dr.load(path)


def test_the_digest_is_blake2b(opened):
    from hashlib import blake2b

    page = opened()
    for size in (0, 1, 127, 128, 129, 1000):
        content = bytes(k * 7 % 251 for k in range(size))
        found = page.evaluate("(b) => Files.blake2b(Uint8Array.from(b))", list(content))
        assert found == blake2b(content, digest_size=16).hexdigest()


@pytest.mark.parametrize("name", ["circles", "flats"])
def test_the_command_runs_on_the_table(opened, tmp_path, name, monkeypatch):
    page = opened()
    if name == "flats":
        use(page, FLATS)
    else:
        setting(page, cost="focal")
    setting(page, epochs=2, optimizer="adamw", hidden="3")
    with page.expect_download() as download:
        page.click("#save-csv")
    download.value.save_as(tmp_path / "playground.csv")
    text = page.evaluate("Export.command(Playground.page.run)")
    command = shlex.split(text.replace("\\\n", ""))  # as a shell joins its lines
    assert command[:3] == ["deltarule", "train", "playground.csv"]
    monkeypatch.chdir(tmp_path)
    assert main([*command[1:], "--no-baselines"]) == 0
    assert Path("model.safetensors").exists()


def test_the_command_names_a_cost_as_it_is_there(opened):
    page = opened()
    for text, cost, named in (
        (None, "categorical_cross_entropy", "binary_cross_entropy"),
        (None, "softmax_cross_entropy", "binary_cross_entropy"),
        (None, "focal", "'binary_focal(2)'"),
        (THREE, "softmax_cross_entropy", "categorical_cross_entropy"),
        (THREE, "focal", "'focal(2)'"),
    ):
        if text:
            use(page, text)
        setting(page, cost=cost)
        assert f"--cost {named} " in page.evaluate("Export.command(Playground.page.run)")


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


def test_text_from_a_table_is_text(opened):
    page = opened()
    hostile = "<img src=x onerror=document.body.dataset.hacked=1>"
    use(page, f"x,{hostile}\n" + "\n".join(f"{k},{hostile if k % 2 else 'b'}" for k in range(20)))
    page.click("#one-epoch")
    assert page.evaluate("document.body.dataset.hacked") is None
    assert page.locator("img").count() == 0
    code = page.evaluate("Export.python(Playground.page.run)")
    compile(code, "playground.py", "exec")


def test_the_command_writes_it_and_refuses_a_model(tmp_path, capsys):
    main(["explain", "--playground", "--out", str(tmp_path / "p.html")])
    assert "to be opened in a browser" in capsys.readouterr().err
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == explain.playground()
    for other in ("model.safetensors", "--text"):
        said = fails(capsys, "explain", other, "--playground")
        assert f"expected no MODEL, no DATA, --text or --numbers; got {other}." in said
