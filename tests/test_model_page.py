"""The model as a page: it predicts in the browser what Python does, and Python reads it back."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.data import dataset_of
from deltarule.export.check import widened
from deltarule.model_page import save_model_page
from deltarule.modelfile import load_model

from .test_explain_page import chromium  # noqa: F401 - a fixture

AGREES = 1e-12  # relative, in double precision
QUICK = ["--epochs", "3", "--no-baselines", "--hidden", "16,16"]
NOT = {
    "numbers": ("sold", "size", "rent"),
    "classes": ("price", "size", "rent"),
    "several": ("price", "sold", "rent"),
    "targets": ("sold", "size"),
    "bins": (
        *("area", "costs", "town", "zip", "heated", "sold on", "seen", "note"),
        *("sold", "size", "rent"),
    ),
}
CASES = {
    "five networks": ("numbers", ["--target", "price", "--ensemble", "5"]),
    "one network, embedded": (
        "numbers",
        ["--target", "price", "--ensemble", "1", "--embedding", "none"],
    ),
    "quantiles": ("numbers", ["--target", "price", "--quantiles", "0.1,0.5,0.9"]),
    "two classes": (
        "classes",
        ["--target", "sold", "--ensemble", "2", "--cost-of-miss", "5", "--kind", "note=text"],
    ),
    "three classes, members": ("several", ["--target", "size", "--members", "3"]),
    "two targets": ("targets", ["--target", "price,rent", "--ensemble", "2"]),
    "shared bins": ("bins", ["--target", "price", "--ensemble", "2", "--embedding", "bins"]),
}


def flats(m=700):
    """A table as people write it: units, commas, dates, gaps, many levels, notes."""
    rng = np.random.default_rng(0)
    area, rooms = rng.uniform(20, 120, m).round(1), rng.integers(1, 6, m)
    town, code = rng.choice(["north", "south", "east"], m), rng.integers(0, 30, m)
    day = np.datetime64("2020-01-01") + rng.integers(0, 1400, m)
    note = [" ".join(rng.choice(["sunny", "quiet", "garden", "old"], 3)) for _ in range(m)]
    price = 200 + 5 * area + 40 * (town == "north") + 3 * code + rng.normal(0, 0.4 * area, m)
    return pl.DataFrame(
        {
            "id": [f"A{k:05d}" for k in range(m)],
            "area": [None if k % 11 == 0 else f"{a} m2" for k, a in enumerate(area)],
            "rooms": rooms,
            "costs": [f"$1,{n:03d}.50" if n % 7 else "ask" for n in rng.integers(0, 999, m)],
            "town": [None if k % 17 == 0 else t for k, t in enumerate(town)],
            "zip": [f"Z{k}" for k in code],
            "heated": rng.choice(["yes", "no"], m),
            "sold on": [d.astype(object).strftime("%d.%m.%Y") for d in day],
            "seen": [
                f"{d}T{h:02d}:30:00" for d, h in zip(day, rng.integers(8, 19, m), strict=True)
            ],
            "income": np.exp(rng.normal(8, 3, m)).round(2),
            "note": note,
            "price": price.round(1),
            "sold": np.where(price > 500, "yes", "no"),
            "size": np.select([price > 600, price > 400], ["large", "usual"], "small"),
            "rent": (price / 200 + rng.normal(0, 0.1, m)).round(3),
        }
    )


def strange():
    """Rows that differ from training in all ways that are not mistakes."""
    rows = flats(40).to_dicts()
    rows[0].update(area=None, town=None, costs=None, note=None, heated=None, income=None)
    rows[1].update(area="9000", town="far away", zip="Z99", note="nobody knows", costs="$(1,200)")
    rows[2].update(area="~52.5 m2", costs="-1,200.25", income=-5e9, zip=None, rooms=99)
    rows[3].update({"sold on": None, "seen": "2031-02-28 23:59:59", "area": "52,5"[:2] + " m2"})
    rows[4].update({"sold on": "29.2.2024", "seen": None, "town": " north ", "heated": "maybe"})
    rows[5].update({"heated": "TRUE", "costs": "ask", "area": "n/a", "note": "Old, OLD garden!"})
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a folder with a spåce")
    for name, dropped in NOT.items():
        flats().drop(dropped).write_csv(folder / f"{name}.csv")
    strange().write_csv(folder / "new.csv")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """A function that trains a case once: the paths of its model file and its page."""

    def made(case):
        table, options = CASES[case]
        model, page = (folder / f"{case}.{end}" for end in ("safetensors", "html"))
        if not page.exists():
            command = ["train", str(folder / f"{table}.csv"), *options, "--out", str(model), *QUICK]
            assert main(command) == 0
            assert main(["export", str(model), "--out", str(page)]) == 0
        return model, page

    return made


@pytest.fixture
def opened(chromium):  # noqa: F811
    """A function that opens a page's file; no console error, no request, at any moment."""
    contexts, troubles, requests = [], [], []

    def open_(path, ready="true", **settings):
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("request", lambda r: requests.append(r.url))
        page.goto(path.as_uri())
        if ready:
            page.wait_for_selector(f"html[data-ready={ready}]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not troubles
    assert all(url.startswith(("file:", "blob:")) for url in requests)


def exact(path):
    """A model whose parameters are those of a file, computed with in double precision."""
    model = load_model(path)
    spread = model.spread and (model.spread[0], widened(model.spread[1]))
    return replace(model, parameters=widened(model.parameters), spread=spread)


def read(model, csv):
    """A file's rows as ``deltarule predict`` reads them."""
    return dataset_of([str(csv)], tabular.recorded_reading(tabular.record(model))).frame


def predicted(page, text, coverage):
    """The table of predictions that the page makes of a CSV text, by column."""
    told = page.evaluate(
        "async ([text, coverage]) => { const made = await Many.predictions(Page.model, text, "
        "coverage, () => {}); return [made.heads, made.lines]; }",
        [text, coverage],
    )
    heads, lines = told
    return {name: [line[k] for line in lines] for k, name in enumerate(heads)}


def agree(found, expected, within=AGREES):
    found, expected = np.array(found, float), np.array(expected, float)
    np.testing.assert_allclose(found, expected, rtol=within, atol=within * abs(expected).max())


# ------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("case", CASES)
def test_the_page_predicts_what_the_model_does(case, trained, folder, opened):
    path, html = trained(case)
    model, page = exact(path), opened(html)
    text = (folder / "new.csv").read_text()
    found, frame, targets = (
        predicted(page, text, 0.8),
        read(model, folder / "new.csv"),
        model.targets,
    )
    assert found["id"] == frame["id"].to_list()  # as predict copies it
    decoded = model.predict(frame)
    if targets.classes:
        P, sets = tabular.prediction_sets(model, frame, 0.8)
        for k, label in enumerate(targets.classes):
            agree(found[f"probability_{label}"], P[:, k])
        (name,) = targets.names
        assert found[f"predicted_{name}"] == decoded[name].to_list()
        own = ["; ".join(np.array(targets.classes)[row]) for row in sets]
        assert found[f"set_{name}"] == own
    else:
        _, low, high = tabular.interval_ends(model, frame, 0.8)
        for k, name in enumerate(targets.names):
            agree(found[f"predicted_{name}"], decoded[name])
            agree(found[f"low_{name}"], low[:, k])
            agree(found[f"high_{name}"], high[:, k])
        if tabular.levels_of(model):
            quantiles = tabular.quantile_model(model).predict(frame)
            for name in quantiles.columns:
                agree(found[name], quantiles[name])


def test_the_widths_of_intervals_follow_the_row(trained):
    assert load_model(trained("five networks")[0]).spread is not None


# ------------------------------------------------------------------------------------ one row


def test_what_cannot_be_read_is_refused_beside_its_field(trained, opened):
    page = opened(trained("five networks")[1])
    before = page.inner_text("#prediction .big")
    page.fill("#field-0", "52 kg")
    assert (
        page.inner_text("#field-0-said")
        == "holds \u201c52 kg\u201d; expected numbers with 'm2' behind."
    )
    assert page.inner_text("#prediction") == "No prediction: \u201carea\u201d cannot be read."
    assert page.get_attribute("#field-0", "aria-invalid") == "true"
    page.fill("#field-0", "9000 m2")
    assert "outside the training range" in page.inner_text("#notes")
    assert page.inner_text("#prediction .big") != before
    page.click("#typical")
    assert page.inner_text("#prediction .big") == before
    page.fill("#coverage", "0.9999")
    assert "expected a share above 0, at most" in page.inner_text("#coverage-said")
    assert "Interval" not in page.inner_text("#prediction")


def test_a_row_that_is_refused_has_no_interval_and_no_word_of_one(trained, opened):
    page = opened(trained("five networks")[1])
    assert "the interval holds the true value" in page.inner_text("#coverage-said")
    page.fill("#field-0", "52 kg")
    assert page.inner_text("#coverage-said") == ""
    page.click("#typical")
    assert "the interval holds the true value" in page.inner_text("#coverage-said")


def test_what_rounding_leaves_of_a_contribution_is_shown_as_0(trained, opened):
    page = opened(trained("five networks")[1])
    page.evaluate(
        "() => { const own = { ...Page.whys[0], residual: 3e-17 }; own.values = [...own.values]; "
        "own.values[0] = -2e-17; own.values[1] = 0.5; "
        "const cells = Predicting.encoded(Page.model, Form.row(Page.model)); "
        "Results.why(Page.model, cells, own, () => {}, -1); }"
    )
    shown = page.locator("#why .value").all_inner_texts()
    assert shown[0] == "+0.5"
    assert set(shown[1:]) == {"0"}
    assert page.inner_text("#why-said").endswith("Left over: 0.")


def test_of_many_columns_those_that_matter_come_first_and_the_others_are_found(opened, tmp_path):
    rng = np.random.default_rng(0)
    table = {f"column {k}": rng.normal(size=300) for k in range(40)}
    table["town"] = rng.choice(["north", "south"], 300)
    fitted = dr.TabularRegressor(epochs=8, n_ensemble=1, hidden=(4,))
    fitted.fit(pl.DataFrame(table), 5 * table["column 31"])
    save_model_page(tmp_path / "page.html", fitted.model_)
    page = opened(tmp_path / "page.html")
    visible = page.locator("#fields label:visible")
    assert visible.first.inner_text() == "column 31"
    assert visible.count() == 12
    assert page.inner_text("#others > summary") == "29 further columns"
    page.focus("#find")
    page.keyboard.type("COLUMN 1")
    assert page.inner_text("#found") == "11 columns"
    assert all(text.startswith("column 1") for text in visible.all_inner_texts())
    page.fill("#find", "")
    assert visible.count() == 12
    page.evaluate("Dom.$('others').querySelector('input').value = 'no number'")
    page.fill(f"#{page.get_attribute('#fields > .field input', 'id')}", "1")
    assert page.locator("#others .said.bad:visible").count() == 1


def test_the_form_starts_with_the_reference_row(trained, opened):
    for case in CASES:
        page = opened(trained(case)[1])
        values = page.evaluate("Page.whys.map((own) => own.values).flat()")
        assert max(map(abs, values)) == 0, case
        assert "This is the reference row" in page.inner_text("#why-said")


# ----------------------------------------------------------------------------------- many rows

REFUSED = {
    "": "There is no table yet",
    "complete rubbish\n\u0000\u0001": "The first line names none of the model's columns",
    "area;rooms\n5;6\n": "The table lacks",
    "HEAD\n": "no rows",
    "HEAD\nROW,surplus\n": "Row 1 has",
    'HEAD\n"ROW\n': "A quoted cell does not end",
    "HEAD\n52 kg,TAIL\n": "1 cell cannot be read: row 1, \u201carea\u201d holds \u201c52 kg\u201d",
    "HEAD,area\nROW,5\n": "The column \u201carea\u201d is there twice",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_table_that_does_not_fit_is_refused_with_its_reason(text, trained, opened):
    page = opened(trained("five networks")[1])
    page.click("#example")
    head, row = page.input_value("#pasted").strip().split("\n")
    whole = text.replace("HEAD", head).replace("ROW", row).replace("TAIL", row.partition(",")[2])
    page.fill("#pasted", whole)
    page.click("#predict")
    assert REFUSED[text] in page.inner_text("#many-said")
    assert page.locator("#predictions table").count() == 0
    assert page.locator("#download").is_hidden()


def test_too_many_rows_are_refused(trained, opened):
    page = opened(trained("five networks")[1])
    page.click("#example")
    page.evaluate(
        "() => { const [head, row] = Dom.$('pasted').value.split('\\n'); "
        "Dom.$('pasted').value = head + '\\n' + (row + '\\n').repeat(50001); }"
    )
    page.click("#predict")
    assert "The table has 50,001 rows; this page takes at most 50,000" in page.inner_text(
        "#many-said"
    )


def test_a_file_is_predicted_and_downloaded(trained, folder, opened, tmp_path):
    model, html = trained("two classes")
    page = opened(html)
    page.set_input_files("#file", folder / "new.csv")
    page.wait_for_selector("#download:visible")
    assert page.inner_text("#many-said").startswith("40 predictions.")
    with page.expect_download() as found:
        page.click("#download")
    written = pl.read_csv(found.value.path(), infer_schema_length=None)
    assert found.value.suggested_filename == "predictions.csv"
    assert (
        main(["predict", str(model), str(folder / "new.csv"), "--out", str(tmp_path / "p.csv")])
        == 0
    )
    expected = pl.read_csv(tmp_path / "p.csv")
    assert written.columns[: expected.width] == expected.columns
    for name in expected.columns:
        if expected[name].dtype.is_float():
            np.testing.assert_allclose(written[name], expected[name], atol=1e-5)
        else:
            assert written[name].to_list() == expected[name].to_list()


def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe(trained, opened):
    page = opened(trained("five networks")[1])
    made = page.evaluate("Table.csv(['a', '=b'], [['=1+1', '-5'], ['x \"y\"', '@z']])")
    assert made == 'a,\'=b\n\'=1+1,-5\n"x ""y""",\'@z\n'


@pytest.mark.parametrize(
    "settings", [{"viewport": {"width": 390, "height": 844}}, {"color_scheme": "dark"}]
)
def test_it_fits_a_phone_and_follows_the_scheme(settings, trained, opened):
    page = opened(trained("three classes, members")[1], **settings)
    page.click("#why button")
    page.click("#example")
    page.wait_for_selector("#predictions table")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(21, 24, 29)") == ("color_scheme" in settings)


def test_the_page_is_little_more_than_its_model(trained):
    for case in CASES:
        model, html = trained(case)
        assert html.stat().st_size < model.stat().st_size + 2_000_000
