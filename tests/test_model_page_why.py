"""Why, on the page of a model: contributions as Python computes them, and the way down."""

# ruff: noqa: F811 - fixtures

import re
from dataclasses import replace

import numpy as np
import pytest

from deltarule.export.check import widened
from deltarule.model_page import save_model_page
from deltarule.modelfile import load_model
from deltarule.tabular import explain_rows

from .test_contributions import oblique  # noqa: F401 - a fixture
from .test_explain_page import chromium  # noqa: F401 - a fixture
from .test_model_page import AGREES, CASES, agree, exact, folder, opened, read, trained  # noqa: F401 - fixtures


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
    agree([[own["values"] for own in row] for row in found], expected.values)
    agree([[own["prediction"] for own in row] for row in found], expected.predictions)
    left = np.array([[own["residual"] for own in row] for row in found]) - expected.residuals
    assert abs(left).max() <= AGREES * abs(expected.predictions).max()
    assert [row[0]["points"] for row in found] == expected.points.tolist()


def test_the_page_splits_oblique_columns_as_the_model_does(oblique, opened, tmp_path):
    model, X = oblique
    save_model_page(tmp_path / "page.html", model)
    page = opened(tmp_path / "page.html")
    assert page.evaluate("Page.model.networks.some((own) => own.units.some((u) => u.across))")
    model = replace(model, parameters=widened(model.parameters))
    found = page.evaluate(
        "(rows) => rows.map((row) => Why.contributions(Page.model, Predicting.encoded(Page.model, "
        "Object.fromEntries(row.map((x, i) => [Page.model.columns[i].name, String(x)])))))",
        X[:5].tolist(),
    )
    agree([[own["values"] for own in row] for row in found], explain_rows(model, X[:5]).values)


def test_contributions_are_compared_where_lines_are_split_and_where_bins_are_shared(
    trained, folder
):
    model = load_model(trained("five networks")[0])
    points = explain_rows(model, read(model, folder / "new.csv")[:5]).points
    assert points.min() < 50
    assert points.max() > 500  # pieces of which each side of the line has several
    assert load_model(trained("shared bins")[0]).network.layers[0].kind == "piecewise_linear"


@pytest.mark.parametrize("case", ["five networks", "one network, embedded", "two classes"])
def test_units_contribute_what_columns_do(case, trained, opened):
    page = opened(trained(case)[1])
    page.focus("#field-1")
    page.keyboard.press("Control+A")
    page.keyboard.type("5")
    page.locator("#why-said", has_text="From the reference row").wait_for()
    own = page.evaluate("Page.whys[0]")
    assert sum(own["units"]) == pytest.approx(sum(own["inputs"]), rel=1e-9)
    assert own["values"][1] == pytest.approx(sum(own["inputs"]), rel=1e-9)
    page.locator("#why button").first.click()
    listed = page.locator("#units tr td:last-child").all_inner_texts()
    if case == "five networks":
        assert "network 1, rooms" in page.inner_text("#units")
        total = sum(float(text.replace("\u2212", "-")) for text in listed)
        assert total == pytest.approx(own["values"][1], abs=0.01)


# ---------------------------------------------------------------------------- down the layers

WALK = """() => {
  const model = Page.model, cells = Predicting.encoded(model, Form.row(model));
  const network = Descent.network(model, cells), seen = new Set(), kinds = new Set(), wrong = [];
  const { root } = network, top = { chain: root, depth: root.layers.length, unit: 0 };
  const next = [Descent.resolved(top)];
  while (next.length && seen.size < 4000) {
    const place = next.pop(), own = Descent.described(network, place);
    if (seen.has(own.name)) continue;
    seen.add(own.name);
    if ("input" in place) { kinds.add("cell"); continue; }
    kinds.add(own.layer.kind);
    const sum = own.terms.reduce((s, term) => s + term.product, own.added || 0);
    const isSum = Math.abs(sum - own.z) <= 1e-9 * Math.max(1, Math.abs(own.z));
    if (own.terms.length && !isSum) wrong.push(own.name);
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


NAMES = {
    "five networks": ["average of 5 networks, unit 1", "network 1, layer "],
    "one network, embedded": ["layer 4 (dense), unit 1", "layer 3 (dense)"],
    "two targets": ["average of 2 networks, unit 1", "network 1, layer "],
    "shared bins": ["average of 2 networks, unit 1", "network 1, layer "],
}


@pytest.mark.parametrize("case", NAMES)
def test_units_are_named_by_their_network_and_layer(case, trained, opened):
    names = opened(trained(case)[1]).evaluate(
        "() => { const network = Descent.network(Page.model, Predicting.encoded(Page.model, "
        "Form.row(Page.model))), { root } = network, own = Descent.described(network, "
        "Descent.resolved({ chain: root, depth: root.layers.length, unit: 0 })); "
        "return [own.name, Descent.described(network, own.terms[0].place).name]; }"
    )
    for name, begins in zip(names, NAMES[case], strict=True):
        assert name.startswith(begins)


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
