"""Worksheets: friendly numbers, arithmetic that gives them, a spreadsheet that computes them."""

import io
import json
import math
import re
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.cli import main
from deltarule.explain.spreadsheet import places
from deltarule.explain.worksheet import ACTIVATIONS, RATE, plain

from .test_cli import fails
from .test_explain_page import chromium  # noqa: F401

SHEETS = [
    {"seed": 7},
    {"seed": 1, "sizes": (3, 2, 2, 1), "activation": "leaky_relu"},
    {"seed": 2, "sizes": (2, 3, 2), "activation": "tanh", "examples": 4, "blank": 1.0},
    {"seed": 3, "sizes": (1, 4, 1), "activation": "sigmoid", "examples": 3},
    {"seed": 4, "sizes": (3, 2), "examples": 1},
]
IDS = [f"{each.get('sizes', (2, 2, 1))} {each.get('activation', 'relu')}" for each in SHEETS]

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Book:
    """A spreadsheet's formulas, computed by reading them: arithmetic, MAX, IF, EXP, TANH, ABS."""

    NAMES = {"MAX": max, "EXP": math.exp, "TANH": math.tanh, "ABS": abs}  # noqa: RUF012

    def __init__(self, content):
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            self.sheets = {
                name: self._cells(ElementTree.fromstring(file.read(f"xl/worksheets/{part}.xml")))
                for name, part in (("Worksheet", "sheet1"), ("Answers", "sheet2"))
            }

    @staticmethod
    def _cells(root):
        found = {}
        for cell in root.iter(f"{MAIN}c"):
            formula, value = cell.find(f"{MAIN}f"), cell.find(f"{MAIN}v")
            if formula is not None:
                found[cell.get("r")] = "=" + formula.text
            elif cell.get("t") != "s" and value is not None:
                found[cell.get("r")] = float(value.text)
        return found

    def value(self, sheet, cell):
        content = self.sheets[sheet].get(cell, "")
        if not isinstance(content, str) or not content.startswith("="):
            return content
        if content.startswith("=IF(") and '=""' in content:
            own = re.match(r"=IF\((\w+)=", content)[1]
            if self.value(sheet, own) == "":
                return ""
        text = re.sub(r"IF\(([^,]+),", r"(lambda c, a, b: a if c else b)(\1,", content[1:])
        text = re.sub(r'(?<![<>])=(?="")', "==", text).replace("^", "**")
        text = re.sub(
            r"(?:(Worksheet|Answers)!)?\b([A-Z])(\d+)\b",
            lambda m: (
                f"cell({m[1] or sheet!r}, '{m[2]}{m[3]}')"
                if not m[1]
                else f"cell('{m[1]}', '{m[2]}{m[3]}')"
            ),
            text,
        )
        return eval(text, {**self.NAMES, "cell": self.value})


def cell_of(sheet, key, i, j):
    row, column = places(sheet)[key]
    return f"{chr(65 + column + j)}{row + i + 1}"


@pytest.fixture(params=SHEETS, ids=IDS)
def sheet(request):
    return explain.worksheet(**request.param)


def test_its_step_is_the_engines(sheet):
    """The parameters at the end are those of one step of the reference engine."""
    runner = dr.start(
        sheet.network,
        optimizer=dr.GradientDescent(RATE),
        engine="reference",
        dtype="float64",
        parameters=sheet.parameters,
    )
    values = {each.key: each.values for each in sheet.quantities}
    assert values["C"].item() == pytest.approx(runner.step(sheet.X, sheet.Y), rel=1e-14)
    for l, layer in enumerate(runner.parameters(), 1):
        np.testing.assert_allclose(values[f"W_new{l}"], layer["W"], rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(values[f"b_new{l}"], layer["b"], rtol=1e-14, atol=1e-14)


def test_its_numbers_are_the_traces(sheet):
    traced = explain.trace(
        sheet.network,
        sheet.parameters,
        sheet.X,
        sheet.Y,
        optimizer=dr.GradientDescent(RATE),
        dtype="float64",
    )
    (step,) = traced.steps
    values = {each.key: each.values for each in sheet.quantities}
    for l in range(1, len(sheet.network.layers) + 1):
        expected = {
            "Z": step.Z[l - 1],
            "A": step.A[l],
            "delta": step.delta[l - 1],
            "dA": step.dA[l],
        }
        expected |= {f"d{name}": d for name, d in step.gradients[l - 1].items()}
        for name, array in expected.items():
            np.testing.assert_allclose(values[f"{name}{l}"], array, rtol=1e-14, atol=1e-14)


def test_every_formula_of_the_spreadsheet_gives_its_number(sheet):
    book = Book(explain.spreadsheet(sheet))
    formulas = 0
    for quantity in sheet.quantities:
        for (i, j), value in np.ndenumerate(quantity.values):
            cell = cell_of(sheet, quantity.key, i, j)
            assert book.value("Answers", cell) == pytest.approx(value, rel=1e-12, abs=1e-12)
            if quantity.entry is not None:
                formulas += book.sheets["Answers"][cell].startswith("=")
                assert "!" not in book.sheets["Answers"][cell]
    asked = sum(each.values.size for each in sheet.quantities if each.entry)
    assert formulas == asked


def test_the_spreadsheet_is_live():
    """Another input, and every cell follows."""
    sheet = explain.worksheet(7)
    book = Book(explain.spreadsheet(sheet))
    X = sheet.X.copy()
    X[1, 0] += 3.0
    book.sheets["Worksheet"][cell_of(sheet, "A0", 0, 1)] = X[1, 0]
    runner = dr.start(
        sheet.network,
        optimizer=dr.GradientDescent(RATE),
        engine="reference",
        dtype="float64",
        parameters=sheet.parameters,
    )
    runner.step(X, sheet.Y)
    for l, layer in enumerate(runner.parameters(), 1):
        for name in "Wb":
            for (i, j), value in np.ndenumerate(layer[name]):
                cell = cell_of(sheet, f"{name}_new{l}", i, j)
                assert book.value("Answers", cell) == pytest.approx(value, abs=1e-12)


def test_answers_are_checked_in_the_spreadsheet():
    sheet = explain.worksheet(7)
    book = Book(explain.spreadsheet(sheet))
    quantity = next(each for each in sheet.quantities if not each.shown.all())
    i, j = np.argwhere(~quantity.shown)[0]
    cell = cell_of(sheet, quantity.key, i, j)
    check = cell_of(sheet, quantity.key, i, j + quantity.values.shape[1] + 1)
    assert book.value("Worksheet", check) == ""
    for answer, said in ((quantity.values[i, j], "right"), (quantity.values[i, j] + 1, "not yet")):
        book.sheets["Worksheet"][cell] = float(answer)
        assert book.value("Worksheet", check) == said


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.timeout(300)
def test_libreoffice_computes_the_same(tmp_path):
    """Recalculated there, from cells whose stored values are wrong."""
    sheet = explain.worksheet(3, (2, 3, 1), activation="tanh")
    wrong = io.BytesIO()
    content = explain.spreadsheet(sheet)
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(wrong, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet2.xml"):
                data = re.sub(rb"</f><v>[^<]*</v>", b"</f><v>-99</v>", data)
            new.writestr(name, data)
    (tmp_path / "sheet.xlsx").write_bytes(wrong.getvalue())
    profile = tmp_path / "profile" / "user"
    profile.mkdir(parents=True)
    (profile / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items '
        'xmlns:oor="http://openoffice.org/2001/registry"><item '
        'oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" '
        'oor:op="fuse"><value>0</value></prop></item></oor:items>'
    )
    subprocess.run(
        [
            *("soffice", "--headless", f"-env:UserInstallation={profile.parent.as_uri()}"),
            *("--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", tmp_path / "out"),
            tmp_path / "sheet.xlsx",
        ],
        check=True,
        capture_output=True,
        timeout=240,
    )
    with zipfile.ZipFile(tmp_path / "out" / "sheet.xlsx") as file:
        root = ElementTree.fromstring(file.read("xl/worksheets/sheet2.xml"))
    stored = {
        cell.get("r"): float(cell.find(f"{MAIN}v").text)
        for cell in root.iter(f"{MAIN}c")
        if cell.get("t") in (None, "n") and cell.find(f"{MAIN}v") is not None
    }
    for quantity in sheet.quantities:
        for (i, j), value in np.ndenumerate(quantity.values):
            found = stored[cell_of(sheet, quantity.key, i, j)]
            assert found == pytest.approx(value, rel=1e-12, abs=1e-12), quantity.key


def test_numbers_are_friendly():
    for seed in range(12):
        sheet = explain.worksheet(seed)
        values = {each.key: each.values for each in sheet.quantities}
        assert all(abs(array).max() <= 40 for array in values.values())
        assert all(np.allclose(20 * array, np.round(20 * array)) for array in values.values())
        assert (values["delta2"] != 0).all()
        assert (values["Z1"] != 0).all()
        on = values["Z1"] > 0
        assert on.any(axis=0).all()
        assert on.any(axis=1).all()
        assert not on.all()


def test_each_seed_has_its_own_sheet_and_always_the_same():
    pages = {explain.worksheet_page(explain.worksheet(seed)) for seed in range(8)}
    assert len(pages) == 8
    assert explain.worksheet_page(explain.worksheet(3)) in pages


@pytest.mark.parametrize("blank", [0.2, 1.0])
def test_the_share_of_blanks(blank):
    sheet = explain.worksheet(5, (4, 5, 3), blank=blank)
    entries = sum(each.values.size for each in sheet.quantities if each.entry)
    assert sheet.asked == pytest.approx(blank * entries, abs=0.1 * entries)
    page = explain.worksheet_page(sheet)
    assert page.count("<input ") == sheet.asked
    assert explain.key_page([sheet]).count("<input ") == 0


def test_the_key_spells_every_answer_and_the_page_none():
    sheet = explain.worksheet(7)
    key, page = explain.key_page([sheet]), explain.worksheet_page(sheet)
    for quantity in sheet.quantities:
        for (i, j), value in np.ndenumerate(quantity.values):
            if quantity.entry is None:
                continue
            spelled = sheet.spelled(quantity, i, j).replace(">", "&gt;")
            assert f"{spelled} = {plain(value + 0.0).replace('-', '−')}" in key
            assert len(spelled) < 6 or spelled not in page


def test_the_arithmetic_stands_beside_its_box(chromium, tmp_path):  # noqa: F811
    path = tmp_path / "sheet.html"
    path.write_text(explain.worksheet_page(explain.worksheet(7)), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto(path.as_uri())
    for box in (page.locator("input[data-k]").first, page.locator("input[data-k]").last):
        box.focus()
        page.click("#hint")
        assert page.inner_text("#arithmetic").startswith(f"{box.get_attribute('aria-label')} = ")
        own, line = (each.bounding_box() for each in (box, page.locator("#arithmetic")))
        assert 0 < line["y"] - own["y"] < 150
    page.close()


def test_spelled_arithmetic_evaluates_to_the_entry(sheet):
    def once(c, a, b):
        return a if c else b

    names = {"max": max, "when": once, "EXP": math.exp, "TANH": math.tanh}
    for quantity in sheet.quantities:
        for (i, j), value in np.ndenumerate(quantity.values):
            text = sheet.spelled(quantity, i, j)
            if text:
                for shown, python in (("·", "*"), ("−", "-"), ("^", "**"), ("if(", "when(")):
                    text = text.replace(shown, python)
                tolerance = 5e-3 * (1 + abs(value))  # its numbers are shown with four decimals
                assert eval(text, names) == pytest.approx(value, abs=tolerance), quantity.key


CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("error", [0.0, 0.004, 0.5])
def test_the_page_checks_itself(error, tmp_path):
    """All boxes filled in by a script that stands behind the page's own."""
    sheet = explain.worksheet(7)
    answers = [
        plain(float(value) + error).replace(".", ",")
        for quantity in sheet.quantities
        for (i, j), value in np.ndenumerate(quantity.values)
        if not quantity.shown[i, j]
    ]
    script = f"""<script>{json.dumps(answers)}.forEach((answer, n) => {{
        boxes[n].value = answer; boxes[n].dispatchEvent(new Event("input")); }});
        boxes[0].dispatchEvent(new Event("focus")); document.getElementById("hint").click();
        </script></body>"""
    page = explain.worksheet_page(sheet).replace("</body>", script)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--disable-background-networking", "--no-first-run", "--disable-sync"),
            f"--user-data-dir={tmp_path / 'profile'}",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    right = sheet.asked if error < 0.005 else 0
    said = f"All {right} right. Well done!" if right else f"0 of {sheet.asked} right"
    assert said in done.stdout
    assert done.stdout.count('class="wrong"') == (0 if right else sheet.asked)
    first = next(each for each in sheet.quantities if not each.shown.all())
    i, j = np.argwhere(~first.shown)[0]
    assert f"= {sheet.spelled(first, i, j)}" in done.stdout


def test_the_command_writes_a_class(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["worksheet", "--seed", "20", "--count", "3", "--out", "a class/of 3"]) == 0
    names = sorted(path.name for path in (tmp_path / "a class" / "of 3").iterdir())
    sheets = [f"worksheet-{n}.{kind}" for n in (20, 21, 22) for kind in ("html", "xlsx")]
    assert names == ["answer-key.html", *sheets]
    key = (tmp_path / "a class" / "of 3" / "answer-key.html").read_text(encoding="utf-8")
    assert key.count("<article>") == 3
    assert "worksheets 20 to 22" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--network", "2,x,1"], "expected whole numbers with commas"),
        (["--network", "2"], "must have 1 to 4 layers of 1 to 6 units"),
        (["--network", "2,99,1"], "must have 1 to 4 layers of 1 to 6 units"),
        (["--network", "2,0,1"], "must have 1 to 4 layers of 1 to 6 units"),
        (["--activation", "rleu"], "Did you mean 'relu'?"),
        (["--activation", "softmax"], "is not one to compute by hand"),
        (["--count", "0"], "--count: expected a whole number, at least 1"),
        (["--examples", "9"], "--examples: expected a whole number"),
        (["--blank", "0"], "--blank: expected a number, above 0"),
        (["--seed", "-1"], "seed"),
        (["--out", "file"], "cannot be made"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    assert said in fails(capsys, "worksheet", *options)
    assert (tmp_path / "file").read_text() == "kept"
    assert not (tmp_path / "worksheets").exists()


def test_the_activations_of_worksheets_are_the_packages():
    assert set(ACTIVATIONS) <= set(dr.ACTIVATIONS)
