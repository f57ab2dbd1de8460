"""README and the first pages: their outputs are what commands print, and their claims hold."""

import importlib.util
import inspect
import math
import re
import sys
import tomllib
from pathlib import Path

import pytest

from deltarule.engines.native import core
from deltarule.errors import MissingExtraError, require

from .test_docs import anchors_of

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FIRST_PAGES = ("README.md", "docs/install.md", "docs/getting-started.md")


def script(name):
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


outputs = script("outputs")


def test_the_first_screen_says_what_this_is_and_how_to_begin():
    lines = README.splitlines()
    assert len(lines) <= 100
    screen = "\n".join(lines[:20])
    parts = [
        "**Neural networks whose every number you can check: twelve equations, your data, one fast",
        "Back Propogation",
        "Ronen Halevy",
        "docs/figures/step.svg",
        "make demo",
        "make test",
        "pip install",
    ]
    places = [screen.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("page", FIRST_PAGES)
def test_the_page_shows_what_its_commands_print(page):
    wrong = [f"{page}:{difference}" for difference in outputs.differences(ROOT / page)]
    assert not wrong, "\n".join(wrong)


def test_every_first_page_is_checked():
    assert tuple(page.relative_to(ROOT).as_posix() for page in outputs.PAGES) == FIRST_PAGES


PAGE = """# A page

```python
x = 0.5
```

```pycon
>>> x + 1
1.5
```

```console
$ deltarule explain --text
The worked example: 5-4-3-1, 2 examples, cost binary_cross_entropy, GradientDescent
...
Eq. 3: new W[3]  1×3
  [[ 1.073106 -0.985908  0.823841]]

Eq. 3: new b[3]  1×1
  [[0.992513]]

$ deltarule explain
Trace(5-4-3-1, 2 examples, cost 1.72): page.html. Open it in a browser.
```
"""


@pytest.mark.parametrize(
    ("shown", "instead", "line"),
    [
        ("1.5", "1.6", 8),
        ("2 examples, cost binary", "3 examples, cost binary", 14),
        ("0.823841", "0.923841", 17),
        ("new b[3]  1×1\n", "new b[3]  1×1\nanother line\n", 16),
        ("cost 1.72", "cost 1.79", 23),
        ("$ deltarule explain\n", "$ deltarule explain --steps 0\n", 23),
        ("Trace(5-4-3-1, 2 examples, cost 1.72): page.html. Open it in a browser.\n", "", 23),
    ],
)
def test_an_output_that_changed_is_noticed_with_its_line(tmp_path, shown, instead, line):
    page = tmp_path / "page.md"
    assert PAGE.count(shown) == 1
    page.write_text(PAGE.replace(shown, instead), encoding="utf-8")
    (difference,) = outputs.differences(page)
    assert str(difference).startswith(f"{line}: ")


def test_outputs_are_written_where_they_changed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("0.823841", "9").replace("cost 1.72", "cost 2"), encoding="utf-8")
    outputs.write(page)
    assert page.read_text(encoding="utf-8") == PAGE
    assert outputs.differences(page) == []


@pytest.mark.parametrize(
    ("shown", "found", "same"),
    [
        ("network  56.9  0.480  2.9 s", "network   56.92   0.480   11 ms", True),
        ("network  56.9  0.480  2.9 s", "network  58.9  0.480  2.9 s", False),
        ("87 rows", "88 rows", False),
        ("the largest error is 1.0e-09.", "the largest error is 7.1e-10.", True),
        ("  ───────", "  ─────────", True),
        ("deltarule 0.1.0 (Python 3.11.7)", "deltarule 0.2.0 (Python 3.14.0rc1)", True),
        ("Too close to call", "Ridge regression wins", False),
        ("1.5 2.5", "1.5", False),
    ],
)
def test_times_versions_and_last_digits_are_the_machines(shown, found, same):
    assert outputs.alike(shown, found) is same


def test_the_picture_of_a_step_has_the_numbers_of_the_code(monkeypatch):
    monkeypatch.setitem(sys.modules, "outputs", outputs)
    pictures = script("pictures")
    assert pictures.FIGURE.read_text(encoding="utf-8") == pictures.figure()
    assert "−0.986" in pictures.figure()


def links():
    for page in FIRST_PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.finditer(r"\]\(((?!http)[^)\s]+)\)", text):
            line = text.count("\n", 0, link.start()) + 1
            yield pytest.param(page, link[1], id=f"{page}:{line}")


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_every_link_leads_somewhere(page, target):
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path
    assert file.exists()
    if anchor:
        tags = re.findall(r"\\tag\{(\w+)\}", file.read_text(encoding="utf-8"))
        assert anchor in anchors_of(file) | {f"eq-{tag}" for tag in tags}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)", README + INSTALL))))
def test_every_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


# --------------------------------------------------------------------- claims of the README


def tables_of_results():
    """Each data set's table in docs/results.md: its rows by name, mean and standard error."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    text = text[text.index("<!-- begin tables -->") : text.index("<!-- end tables -->")]
    for section in text.split("\n### ")[1:]:
        title, *blocks = section.split("\n\n")
        header, _, *lines = next(b for b in blocks if b.startswith("|")).splitlines()
        cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
        rows = {name: tuple(map(float, mean.split(" ± "))) for name, mean, *_ in cells}
        yield title, "accuracy" in header, rows


BOOSTING = ("HistGradientBoosting", "LightGBM", "XGBoost")


def best_boosting(rows, more_is_better):
    return (max if more_is_better else min)(rows[name] for name in BOOSTING)


def test_wins_losses_and_ties_are_those_of_the_results():
    counts = {"wins": 0, "losses": 0, "ties": 0}
    for _, accuracy, rows in tables_of_results():
        (network, error), (best, other) = rows["deltarule"], best_boosting(rows, accuracy)
        gain = (network - best) * (1 if accuracy else -1)
        near = abs(gain) <= 2 * math.hypot(error, other)
        counts["ties" if near else "wins" if gain > 0 else "losses"] += 1
    told = re.search(r"On \[(\d+) test sets\].*?(\d+) wins, (\d+) losses, (\d+) ties", README, re.S)
    assert [int(number) for number in told.groups()] == [sum(counts.values()), *counts.values()]


def test_the_rows_of_results_are_those_of_the_results():
    shown = re.findall(r"^\| (\S.*?), (RMSE|accuracy) \| (.+) \|$", README, re.MULTILINE)
    assert len(shown) >= 4
    names = {"California housing": "california", "power plant": "power-plant"}
    results = {name: (accuracy, rows) for name, accuracy, rows in tables_of_results()}
    for name, metric, numbers in shown:
        accuracy, rows = results[names.get(name, name)]
        assert accuracy is (metric == "accuracy")
        values = (rows["deltarule"], best_boosting(rows, accuracy), rows["scikit-learn's MLP"])
        best = (max if accuracy else min)(value for value, _ in values)
        for cell, (value, _) in zip(numbers.split(" | "), values, strict=True):
            digits = len(cell.strip("*").partition(".")[2])
            assert cell == (f"**{value:.{digits}f}**" if value == best else f"{value:.{digits}f}")


def test_the_speeds_are_those_of_the_measurements():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    part = page[page.index("<!-- begin estimators") : page.index("<!-- end estimators")]
    fits = [line for line in part.splitlines() if re.match(r"\| (digits|\d)", line)]
    times = [float(line.split("|")[-2]) for line in fits]
    assert f"are {min(times)} to {max(times)} times as fast as" in README.replace("\n", " ")
    rows = re.findall(r"^\| \w: predict, 1 \|.*?\|(.*?)\|(.*?)\|", page, re.MULTILINE)
    ratios = [float(re.search(r"×([\d.]+)", cell)[1]) for row in rows for cell in row]
    assert f"{min(ratios):.1f} to {max(ratios):.0f} times as fast as ONNX Runtime" in README
    assert re.search(r"^\| \w: predict, 32 \|.*×0\.", page, re.MULTILINE), "one of 32 is slower"


# --------------------------------------------------------------------- claims of the install page


def test_the_extras_of_the_install_page_are_those_of_the_package():
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", INSTALL, re.MULTILINE)
    listed = re.findall(r"`(\w+)`", " ".join(rows))
    development = {"bench", "docs", "test", "browser", "clusters", "check"}
    assert sorted(listed) == sorted(set(EXTRAS) - development)
    named = re.findall(r"\.\[([\w,]+)\]", README + INSTALL)
    assert named
    assert set(",".join(named).split(",")) <= set(EXTRAS)


def test_the_messages_of_the_install_page_are_those_of_the_package():
    with pytest.raises(MissingExtraError) as raised:
        require("typer_that_is_missing", "cli", "the command line")
    message = str(raised.value).replace("typer_that_is_missing", "typer")
    build = (ROOT / "native" / "flags.cmake").read_text(encoding="utf-8")
    texts = [message, inspect.getsource(core), build]
    symptoms = re.findall(r"^\| `(the .*?|which .*?)` \|", INSTALL, re.MULTILINE)
    assert len(symptoms) == 3
    assert [any(symptom in text for text in texts) for symptom in symptoms] == [True] * 3


def test_the_cost_of_no_compiler_is_that_of_the_measurements():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    part = page[page.index("<!-- begin speed -->") : page.index("<!-- end speed -->")]
    ratios = [float(ratio) for ratio in re.findall(r"×([\d.]+) \|$", part, re.MULTILINE)]
    assert f"{min(ratios):.1f} to {max(ratios):.0f} times as long" in INSTALL
