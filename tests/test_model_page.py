"""The model as a page: it predicts in the browser what Python does, and Python reads it back."""

import hashlib
import math
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.data import Reading, dataset_of
from deltarule.data.readings import ColumnReading
from deltarule.data.values import number_read
from deltarule.errors import DataError, FileError, SettingError
from deltarule.export.check import widened
from deltarule.model_page import model_page
from deltarule.model_page.columns import column_facts, reading_facts
from deltarule.modelfile import Model, load_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.cells import numbered
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.dates import milliseconds
from deltarule.preprocessing.numeric import Numeric
from deltarule.tabular import explain_rows

from .test_explain_page import chromium  # noqa: F401 - a fixture

AGREES = 1e-12  # relative, in double precision
QUICK = ["--epochs", "3", "--no-baselines", "--hidden", "16,16"]
NOT = {
    "numbers": ("sold", "size", "rent"),
    "classes": ("price", "size", "rent"),
    "several": ("price", "sold", "rent"),
    "targets": ("sold", "size"),
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
    """Rows that differ from training in all ways that are no mistake."""
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


@pytest.mark.parametrize("case", CASES)
def test_the_page_explains_what_the_model_does(case, trained, folder, opened):
    path, html = trained(case)
    model, page = exact(path), opened(html)
    frame = read(model, folder / "new.csv")[:5]
    expected = explain_rows(model, frame)
    found = page.evaluate(
        "(text) => Table.parsed(text, Page.model.columns.map((c) => c.name)).rows.slice(0, 5)"
        ".map((row) => Why.contributions(Page.model, Predicting.encoded(Page.model, row)))",
        (folder / "new.csv").read_text(),
    )
    assert found[0][0]["output"] == expected.outputs[0]
    agree([[own["values"] for own in row] for row in found], expected.values, 1e-9)
    agree([[own["prediction"] for own in row] for row in found], expected.predictions)
    agree([[own["residual"] for own in row] for row in found], expected.residuals, 1e-8)
    assert [row[0]["points"] for row in found] == expected.points.tolist()


def test_the_widths_of_intervals_follow_the_row(trained):
    assert load_model(trained("five networks")[0]).spread is not None


# --------------------------------------------------------------------------------- reading

READINGS = {
    "m2": ({"form": "number", "suffix": "m2"}, ["52 m2", "52m2", "52", "m2", "52 kg", "5 2 m2"]),
    "dollars": (
        {"form": "number", "group": ",", "prefix": "$", "markers": ("ask",)},
        ["$1,490.5", "(1,490)", "ask", "1,49", "$ 12", "-$7", "$-7", "1490-", "12,-", "$"],
    ),
    "euros": (
        {"form": "number", "decimal": ",", "group": ".", "suffix": "\u20ac", "marks": True},
        ["1.234,5 \u20ac", "12,5*", "7\u00b2", "1,2.3", "1 234", "12,5 [a]"],
    ),
    "magnitudes": (
        {"form": "number", "suffix": "EUR", "magnitudes": True},
        ["1.5M EUR", "3k", "2 Mio.", "4 bn EUR", "5 lakh", "7 x"],
    ),
    "foreign": ({"form": "number", "foreign": True}, ["\u0661\u0662", "1\u00bd", "&minus;3"]),
    "range": ({"form": "range"}, ["5-7", "<5", ">10", "10+", "3", "under 4", "4 or more", "x-y"]),
    "clock": ({"form": "clock"}, ["1:30 pm", "12:15 AM", "18:30", "7.45 Uhr", "25", "12:61"]),
    "minutes": ({"form": "minutes"}, ["3:25.5", "1:02:03", "90"]),
    "fraction": ({"form": "fraction"}, ["1 1/2", "3/4", "2", "1/7"]),
    "uncertain": ({"form": "uncertain"}, ["3.2 \u00b1 0.1", "4 +/- 1", "5"]),
    "arc": ({"form": "arc"}, ["12\u00b030'S", "N 7\u00b0", "-3\u00b015'30\"", "9"]),
    "temperature": ({"form": "temperature"}, ["20 \u00b0C", "68 F", "-3\u00b0C", "12"]),
    "duration": ({"form": "duration"}, ["1h 20m", "2 days, 3:04:05", "P1DT2H", "0:01:30", "9"]),
    "years": ({"form": "years"}, ["3 years 2 months", "6 weeks", "1 Jahr"]),
    "length": ({"form": "length"}, ["1 m 80 cm", "2.5 KM", "3"]),
    "feet": ({"form": "feet"}, ["5' 11\"", "6 ft", "70 in"]),
    "mass": ({"form": "mass"}, ["2 kg 300 g", "5 t", "7 \u00b5g"]),
    "bytes": ({"form": "bytes"}, ["1.5 GB", "300 kb", "12"]),
    "plain": ({}, ["1", " 2.5 ", "-3e4", "+.5", "5.", "1,5", "1_000", "0x10", "NA", "", "inf"]),
}
DATES = [
    *("31.5.2024", "31.05.24", "2024-05-31", "5/31/2024", "31/5/2024 18:30", "2024-05-31T18:30:15"),
    *("31 May 2024", "31. Mai 2024", "Mar 3, 2024", "3. M\u00e4rz 2024", "2024-W05", "Q3 2023"),
    *("29.2.2023", "29.2.2024", "2024-13-01", "2024-05-31 18:30:00+02:00", "2024-05", "soon", ""),
    *("2024-05-31T18:30:00.250Z", "05/31/2024 7:05 pm", "12/31/1999 12:00 AM", "Mon 3 Jun 2024"),
]
MOMENTS = {
    "seconds since 1970": ["1700000000", "x"],
    "milliseconds since 1970": ["1700000000123"],
    "days of Excel": ["45000", "45000.5"],
    "YYYYMMDD": ["20240229", "20230229", "2024"],
    "MM.YYYY": ["5.2024", "13.2024", "12.1999", "5"],
    **dict.fromkeys(["", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y %H:%M"], DATES),
    **dict.fromkeys(["%d %B %Y", "%d. %B %Y", "%B %d, %Y", "%Y-W%V", "Q%q %Y"], DATES),
    **dict.fromkeys(["%m/%d/%Y %I:%M %p", "%Y-%m", "%Y-%m-%d|%d.%m.%Y|%d.%m.%y"], DATES),
}


def told(page, what, cells, facts):
    """What the script reads of cells: a number, None for a missing one, "refused"."""
    return page.evaluate(
        "([what, cells, own, all]) => cells.map((cell) => { try { const found = Reading[what](cell,"
        " { ...own, blanks: all.blanks, markers: new Set([...all.markers, ...own.markers]), dates: "
        "own.dates && { ...own.dates, months: all.months } }); return Number.isNaN(found) ? null : "
        'found; } catch (error) { if (error instanceof Reading.Unreadable) return "refused"; throw '
        "error; } })",
        [what, cells, *facts],
    )


def facts_of(column, reading):
    preprocessing = Preprocessing((column,), reading)
    return column_facts(column, reading, 0.0), reading_facts(preprocessing)


@pytest.mark.parametrize("comma", [False, True])
def test_numbers_are_read_as_training_read_them(comma, trained, opened):
    page, cells = (
        opened(trained("five networks")[1]),
        [c for _, own in READINGS.values() for c in own],
    )
    cells += ["1.234,5", "3,5", "\u200b7\u00a0", "1e400", "(none)", "#N/A", "\u22125"]
    for name, (how, _) in READINGS.items():
        columns = {"x": ColumnReading(**how)} if how else {}
        reading = Reading(decimal_comma=comma, columns=columns, missing=("gone",))
        expected = [number_read(cell, reading, "x") for cell in cells]
        found = told(page, "number", cells, facts_of(Numeric("x", 0, 0, 1, True, 1, 0, 9), reading))
        odd = [None if x is not None and math.isnan(x) else x for x in expected]
        odd = [
            "refused" if x is None or math.isinf(x) else y
            for x, y in zip(expected, odd, strict=True)
        ]
        assert dict(zip(cells, found, strict=True)) == dict(zip(cells, odd, strict=True)), name


@pytest.mark.parametrize("form", MOMENTS)
def test_dates_are_read_as_training_read_them(form, trained, opened):
    page, column = opened(trained("five networks")[1]), Date("x", form, 0.0, 1.0, True, 1)
    found = told(page, "days", MOMENTS[form], facts_of(column, Reading()))
    for cell, own in zip(MOMENTS[form], found, strict=True):
        try:
            (expected,) = days_of(pl.Series("x", [cell]), form, Reading())
        except DataError:
            iso = (
                milliseconds([cell], "").item() / 86_400_000.0
            )  # which a file's column of dates is
            expected = iso if re.match(r"\d{4}-", cell) else math.inf
        if math.isnan(expected) and cell:
            expected = math.inf
        assert own == (
            "refused" if math.isinf(expected) else None if math.isnan(expected) else expected
        ), cell


def test_levels_are_read_as_training_wrote_them(trained, opened):
    page, cells = (
        opened(trained("five networks")[1]),
        ["1", "1.0", "01", "1e0", " 2.50", "0.00001", "x", "NA"],
    )
    for known in (["1", "2.5", "1e-05"], ["1", "x"], ["a"]):
        levels, codes = numbered(pl.Series(cells), Reading(), known)
        expected = [*levels, None]
        column = facts_of(Numeric("x", 0, 0, 1, True, 1, 0, 9), Reading())
        found = page.evaluate(
            "([cells, known, all]) => cells.map((cell) => Reading.level(cell, { blanks: all.blanks, "
            "markers: new Set(all.markers) }, Reading.levelsOf(known)))",
            [cells, known, column[1]],
        )
        assert found == [expected[k] for k in codes]


# ---------------------------------------------------------------------------- down the layers

WALK = """() => {
  const model = Page.model, cells = Predicting.encoded(model, Form.row(model));
  const network = Descent.network(model, cells), seen = new Set(), kinds = new Set(), wrong = [];
  const next = [Descent.resolved({ chain: network.root, depth: network.root.layers.length, unit: 0 })];
  while (next.length && seen.size < 4000) {
    const place = next.pop(), own = Descent.described(network, place);
    if (seen.has(own.name)) continue;
    seen.add(own.name);
    if ("input" in place) { kinds.add("cell"); continue; }
    kinds.add(own.layer.kind);
    const sum = own.terms.reduce((s, term) => s + term.product, own.added || 0);
    if (own.terms.length && Math.abs(sum - own.z) > 1e-9 * Math.max(1, Math.abs(own.z))) wrong.push(own.name);
    next.push(...own.terms.map((term) => term.place), ...own.uses);
  }
  return [wrong, [...kinds].sort(), seen.size];
}"""


@pytest.mark.parametrize("case", CASES)
def test_every_unit_is_the_sum_that_is_shown(case, trained, opened):
    wrong, kinds, count = opened(trained(case)[1]).evaluate(WALK)
    assert wrong == []
    assert {"cell", "dense" if "members" not in case else "shared"} <= set(kinds)
    assert count > 40


def test_a_contribution_is_followed_down_to_the_cell_by_keyboard(trained, opened):
    page = opened(trained("five networks")[1])
    page.focus("#field-1")
    page.keyboard.press("Control+A")
    page.keyboard.type("7")
    page.locator("#why-said", has_text="From the reference row").wait_for()
    page.focus("#why button")
    assert page.inner_text("#why button .name").startswith("rooms")
    page.keyboard.press("Enter")
    assert re.match(r"[+-][\d.]+ because of rooms", page.inner_text("#down-title"))
    assert "read as 7" in page.inner_text("#cell")
    assert "Eq. 1a" in page.inner_text("#unit")
    for _ in range(12):  # down the first term each time, until a column's cell is reached
        if page.locator("#unit button").count() == 0:
            break
        page.focus("#unit button")
        page.keyboard.press("Enter")
    assert "An encoded value of the column" in page.inner_text("#unit")
    page.focus("#crumbs button")
    page.keyboard.press("Enter")
    assert page.locator("#crumbs button").count() == 1


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


# ---------------------------------------------------------------------------- the same file


def test_python_reads_the_page_as_the_model(trained, folder, tmp_path, capsys):
    model, html = trained("two classes")
    outs = []
    for path in (model, html):
        outs.append(tmp_path / f"{path.suffix[1:]}.csv")
        command = [
            "predict",
            str(path),
            str(folder / "new.csv"),
            "--out",
            str(outs[-1]),
            "--sets",
            "0.8",
        ]
        assert main(command) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert type(dr.load(html)) is type(dr.load(model))
    assert main(["inspect", str(html)]) == 0
    again = tmp_path / "again.html"
    assert main(["export", str(html), "--out", str(again)]) == 0
    assert again.read_bytes() == html.read_bytes()


EDITS = {
    "a number of the model": (r'id="model">.{300}\K.', "A"),
    "a fact": (r'"tolerance":\K0', "1"),
    "the program": (r"const USUAL = \K0", "1"),
    "what is shown": (r"<h2>\KWhy", "Because"),
    "a style": (r"--paper: \K#fffdf9", "#000000"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_page_is_refused(what, trained, opened, tmp_path):
    pattern, new = EDITS[what]
    before, after = pattern.split("\\K")
    text = trained("five networks")[1].read_text(encoding="utf-8")
    at = re.search(before, text, re.DOTALL).end()
    new = "B" if new == text[at] else new
    edited = tmp_path / "edited.html"
    edited.write_text(
        text[:at] + new + text[at + max(1, len(after) if after != "." else 1) :], encoding="utf-8"
    )
    with pytest.raises(FileError, match=r"the page was edited: .* Expected a model file"):
        dr.load(edited)
    page = opened(edited, "refused")
    assert page.inner_text("#problem").startswith("This page was edited: its contents do not match")
    assert page.locator("#row").count() == 0


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.9999])
def test_a_truncated_page_is_refused(share, trained, opened, tmp_path):
    content = trained("five networks")[1].read_bytes()
    cut = tmp_path / "cut.html"
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FileError, match="the page is truncated: its end is missing"):
        dr.load(cut)
    page = opened(cut, "")
    page.wait_for_load_state()
    if share > 0.1:  # else it ends within its style
        shown = page.inner_text("body")
        assert "has not started" in shown or "truncated" in shown
    assert page.locator("#row").count() == 0


def test_a_page_of_a_newer_version_and_other_html_are_refused(trained, tmp_path):
    text = trained("five networks")[1].read_text(encoding="utf-8")
    newer, other = tmp_path / "newer.html", tmp_path / "other.html"
    newer.write_text(text.replace("page, format 1,", "page, format 2,", 1), encoding="utf-8")
    other.write_text("<!doctype html>\n<html></html>\n")
    with pytest.raises(FileError, match="written by a newer deltarule: its format is 2"):
        dr.load(newer)
    with pytest.raises(FileError, match="does not begin like a safetensors file"):
        dr.load(other)


def test_without_scripts_the_page_says_so(trained, opened):
    page = opened(trained("five networks")[1], "", java_script_enabled=False)
    assert "It needs a browser with JavaScript" in page.inner_text("body")


def test_the_digest_is_sha_256(trained, opened):
    page = opened(trained("five networks")[1])
    for text in ("", "abc", "\u00e5" * 63, "x" * 1000):
        expected = hashlib.sha256(text.encode()).hexdigest()
        assert page.evaluate("(text) => Carried.sha256(text)", text) == expected


# ---------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--intervals", "0.9"], "--intervals: a page has intervals of any coverage"),
        (["--check", "new.csv"], "--check: expected --out with a name that ends in .onnx or .c"),
        (["--with-training"], "--with-training: expected --out with a name that ends in .c"),
    ],
)
def test_options_of_other_exports_are_refused(options, message, trained, tmp_path, capsys):
    out = tmp_path / "model.html"
    assert main(["export", str(trained("quantiles")[0]), "--out", str(out), *options]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_model_of_arrays_is_refused():
    network = dr.Network(2, [dr.Dense(1)])
    with pytest.raises(SettingError, match="a page needs a model of a table"):
        model_page(Model(network, network.initial_parameters()))


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
