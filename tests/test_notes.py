"""The notes: each equation, figure and promise has its page, code and test; the program agrees."""

import importlib
import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import deltarule as dr

from .tolerances import error

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = DOCS / "notes.md"
PROGRAM = runpy.run_path(str(ROOT / "examples" / "notes.py"))

EQUATIONS = [
    *("1a", "1b", "2", "2a", "2b", "2c", "3a", "3b", "4a", "4b", "4c", "4d", "5a", "5b"),
    *("6", "7", "8", "9", "10a", "10b", "10c", "10d", "11a", "11b", "11c", "11d", "12"),
]
FIGURES = ["1", "2", "3", "4"]
PROMISES = [  # words by which each is found, in the notes' order
    "building blocks",
    "prediction path",
    "gradient descent",
    "SGD and Adam",
    "return to Eq. 1",
    "single example",
    "four equations",
    "transposed",
    "activation derivatives",
    "notes on figure 3",
    "process of figure 4",
    "whole sequence",
]
NEEDED = "page", "code", "test"
MISPRINTED = {  # the equations that the errata correct
    *("2", "2a", "2b", "2c", "4a", "4d", "5a", "5b", "6", "7", "8", "9"),
    *("10a", "10b", "10c", "11a", "11c", "12"),
}


def table(page, heading):
    """The rows of a section's first table: line number, cells."""
    rows, inside = [], False
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("#"):
            inside = line == f"## {heading}"
        elif inside and re.match(r"\|(?! ?---)", line):
            rows.append((number, [cell.strip() for cell in line.strip("|").split(" | ")]))
    return rows


def missing(page):
    """What the page leaves out, each with the line after which it belongs."""
    found = []
    for heading, labels in (("Equations", EQUATIONS), ("Figures", FIGURES), ("Promises", PROMISES)):
        rows = table(page, heading)
        last = rows[0][0] if rows else 0
        for label in labels:
            about = re.escape(label) if heading == "Promises" else rf"^\[?{label}[\]:]"
            at = [line for line, cells in rows[1:] if re.search(about, cells[0])]
            if not at:
                found.append(f"docs/notes.md:{last}: {heading.lower()}: {label!r} is missing")
            last = at[0] if at else last
    return found


def rows_of(page):
    headings = ("Equations", "Figures", "Promises")
    return [row for heading in headings for row in table(page, heading)[1:]]


def unkept(page):
    """Rows without a page, code that exists, and a test that exists: ``file:line: what``."""
    found = []
    for line, cells in rows_of(page):
        text = " | ".join(cells)
        names = re.findall(r"`(\w+(?:\.\w+)+)`", re.sub(r"`tests/[^`]*`", "", text))
        tests = re.findall(r"`tests/(test_\w+\.py)::(?:\w+::)?(\w+)`", text)
        links = re.findall(r"\]\(([^)\s]+)\)", text)
        wrong = [
            f"no {what}"
            for what, given in zip(NEEDED, (links, names, tests), strict=True)
            if not given
        ]
        wrong += [f"no such code: {name}" for name in names if not code(name)]
        wrong += [f"no such test: {test}" for file, test in tests if not defined(file, test)]
        found += [f"docs/notes.md:{line}: {what}" for what in wrong]
    return found


def code(name):
    """Whether a dotted name leads to something in the package."""
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(f"deltarule.{module}"), attribute)
    except ModuleNotFoundError:
        return False


def defined(file, test):
    """Whether a file of the suite defines a test."""
    path = ROOT / "tests" / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return re.search(rf"^\s*def {test}\(", text, re.MULTILINE)


def test_no_equation_figure_or_promise_is_missing():
    assert not missing(PAGE.read_text(encoding="utf-8"))


def test_the_page_names_what_exists():
    assert not unkept(PAGE.read_text(encoding="utf-8"))


def test_the_terms_name_code_that_exists():
    text = (DOCS / "derivation" / "building-blocks.md").read_text(encoding="utf-8")
    names = re.findall(r"^\|.*`(\w+(?:\.\w+)+)`", text, re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if not code(name)] == []


@pytest.mark.parametrize("label", ["[10c]", "| 3: ", "SGD and Adam"])
def test_a_missing_line_is_noticed_with_its_place(label):
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("|") and label in line)
    without = "\n".join(lines[:at] + lines[at + 1 :])
    assert [text.split(": ")[0] for text in missing(without)] == [f"docs/notes.md:{at}"]


@pytest.mark.parametrize(
    ("right", "wrong", "what"),
    [
        ("`equations.db`", "`equations.bd`", "no such code: equations.bd"),
        ("::test_db_is_its_sum`", "::test_bd_is_its_sum`", "no such test: test_bd_is_its_sum"),
        ("`tests/test_equations.py::test_db_is_its_sum`", "", "no test"),
    ],
)
def test_a_name_that_does_not_exist_is_noticed_with_its_place(right, wrong, what):
    page = PAGE.read_text(encoding="utf-8")
    line = page[: page.index(right)].count("\n") + 1
    assert f"docs/notes.md:{line}: {what}" in unkept(page.replace(right, wrong, 1))


def test_every_misprint_has_its_link():
    rows = table(PAGE.read_text(encoding="utf-8"), "Equations")[1:]
    linked = {re.match(r"\[(\w+)\]", cells[0])[1] for _, cells in rows if "(errata.md#" in cells[4]}
    assert linked == MISPRINTED


def test_the_author_and_the_title_are_named():
    text = PAGE.read_text(encoding="utf-8")
    assert "Ronen Halevy" in text
    assert "My AI Notes: Back Propogation" in text


# ------------------------------------------------------------------------------ the program


@pytest.mark.parametrize(
    ("sizes", "names", "m"),
    [
        ((5, 4, 3, 1), ["relu", "relu", "sigmoid"], 20),
        ((3, 2), ["sigmoid"], 7),
        ((2, 5, 4, 3, 2, 2), ["relu", "sigmoid", "relu", "sigmoid", "sigmoid"], 9),
        ((4, 6, 3), ["sigmoid", "sigmoid"], 1),
    ],
)
def test_the_program_is_the_reference_engine(sizes, names, m):
    """Cost, W and b at each of 50 steps, from the same start on the same data."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((sizes[0], m)), rng.random((sizes[-1], m))
    layers = [dr.Dense(n, g) for n, g in zip(sizes[1:], names, strict=True)]
    network = dr.Network(sizes[0], layers, "binary_cross_entropy")
    start = network.initial_parameters(seed=1, dtype="float64")
    runner = dr.start(
        network,
        optimizer=dr.GradientDescent(0.3),
        engine="reference",
        dtype="float64",
        parameters=start,
    )
    W, b = [layer["W"] for layer in start], [layer["b"] for layer in start]
    steps = PROGRAM["train"](X, Y, W, b, names, alpha=0.3)
    for _, (cost, W, b) in zip(range(50), steps, strict=False):
        assert cost == pytest.approx(runner.step(X.T, Y.T), rel=1e-12)
        for ours, theirs in zip(zip(W, b, strict=True), runner.parameters(), strict=True):
            assert error(ours[0], theirs["W"]) < 1e-12
            assert error(ours[1], theirs["b"]) < 1e-12


def test_the_program_is_short_and_needs_numpy_alone():
    text = (ROOT / "examples" / "notes.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE) == ["numpy"]


def test_the_program_runs_and_learns(capsys):
    runpy.run_path(str(ROOT / "examples" / "notes.py"), run_name="__main__")
    costs = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(costs) == 50
    assert costs[-1] < costs[0] / 2


# ------------------------------------------------------------------------------- the figures


def words_of(figure):
    """A figure's text, one line an element."""
    root = ElementTree.parse(DOCS / "figures" / figure).getroot()
    texts = root.iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()).replace("\u200b", "") for text in texts]


def test_figure_3_carries_its_formulas():
    words = words_of("forward-and-backward.svg")
    for l, before in (("1", "0"), ("l", "l−1"), ("L", "L−1")):
        assert f"Z[{l}] = W[{l}] A[{before}] + b[{l}]" in words
        assert f"A[{l}] = g(Z[{l}])" in words
        assert f"δ[{l}] = dA[{l}] ⊙ g′(Z[{l}])" in words
        assert f"dW[{l}] = (1/m) δ[{l}] A[{before}]ᵀ" in words
        assert f"db[{l}] = (1/m) Σcolumns δ[{l}]" in words
        assert f"dA[{before}] = W[{l}]ᵀ δ[{l}]" in words


def test_figure_4_is_the_loop_of_the_code():
    """Per batch forward, cost, back, descend; per epoch, and not before, converged?"""
    words = words_of("training-process.svg")
    steps = ["feed forward", "cost", "back propagation", "gradient descent"]
    assert [text for text in words if text in (*steps, "converged?")] == [*steps, "converged?"]
    assert any(text.startswith("Eq. 2: C = ") for text in words)
    asks = words.index("converged?")
    assert words[asks - 2 : asks] == [
        "after the last batch of an epoch:",
        "the mean cost C of its batches",
    ]
    asked = []

    class Asked(dr.Stopping):
        def verdict(self, memory, event):
            asked.append(event.step)
            return super().verdict(memory, event)

    network = dr.Network(1, [dr.Dense(1)])
    X = np.arange(5.0)[:, None]
    dr.train(network, X, X, stopping=Asked(epochs=2), batch_size=2, engine="reference")
    assert asked == [3, 6]  # three batches an epoch
