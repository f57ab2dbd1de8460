"""The page of a model as a file: how its script reads cells, what Python reads, what is refused."""

# ruff: noqa: F811 - fixtures

import hashlib
import math
import re
from dataclasses import replace

import polars as pl
import pytest

import deltarule as dr
from deltarule.cli import main
from deltarule.data import Reading
from deltarule.data.readings import ColumnReading
from deltarule.data.values import number_read
from deltarule.errors import DataError, FileError, SettingError
from deltarule.model_page import model_page
from deltarule.model_page.columns import column_facts, reading_facts
from deltarule.modelfile import Model, load_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.cells import numbered
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.dates import milliseconds
from deltarule.preprocessing.numeric import Numeric

from .test_explain_page import chromium  # noqa: F401 - a fixture
from .test_model_page import folder, opened, trained  # noqa: F401 - fixtures

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
            "([cells, known, all]) => cells.map((cell) => Reading.level(cell, { blanks: all.blanks,"
            " markers: new Set(all.markers) }, Reading.levelsOf(known)))",
            [cells, known, column[1]],
        )
        assert found == [expected[k] for k in codes]


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
    with pytest.raises(FileError, match="a page in HTML that carries none"):
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
        (["--sets", "0.9"], "--sets: a page has sets of any coverage"),
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


def test_an_activation_that_cannot_be_traced_is_refused(trained):
    model = load_model(trained("quantiles")[0])
    odd = dr.Activation("odd", lambda Z: Z if Z.sum() > 0 else 0 * Z, lambda Z: 1 + 0 * Z)
    layers = [
        replace(layer, activation=odd) if isinstance(layer, dr.Dense) and k == 3 else layer
        for k, layer in enumerate(model.network.layers)
    ]
    assert layers != list(model.network.layers)
    network = dr.Network(model.network.inputs, layers, model.network.cost)
    with pytest.raises(SettingError, match=r"export: activation odd .* can be traced"):
        model_page(replace(model, network=network))


def test_a_model_file_without_medians_of_dates_has_a_page(trained):
    model = load_model(trained("quantiles")[0])
    columns = model.preprocessing.columns
    older = [replace(c, median=None) if isinstance(c, Date) else c for c in columns]
    preprocessing = replace(model.preprocessing, columns=tuple(older))
    assert b"the given values, else training medians" in model_page(
        replace(model, preprocessing=preprocessing)
    )
