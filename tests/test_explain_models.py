"""The page of every kind of model that `deltarule train` makes, in a browser."""

import numpy as np
import polars as pl
import pytest

from deltarule.cli import main

from .test_explain_layers import page_name
from .test_explain_page import (
    AGREES,
    chromium,  # noqa: F401 - a fixture
    numbers,
)
from .tolerances import error

ROWS = 60
RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(2, ROWS)).round(3)
TABLE = pl.DataFrame(
    {
        "a": A,
        "b": [None if k % 9 == 0 else value for k, value in enumerate(B.tolist())],
        "town": [("Ulm", "Rom", "Pau")[k % 3] for k in range(ROWS)],
        "joined": [f"2024-{1 + k % 12:02d}-{1 + k % 28:02d}" for k in range(ROWS)],
        "note": [("good line", "slow support", "bad line today")[k % 3] for k in range(ROWS)],
        "price": (3 * A - B + 5).round(2),
        "rent": (A * B).round(2),
        "sold": ["yes" if a > 0 else "no" for a in A],
        "kind": [("low", "mid", "high")[int(a > -0.5) + int(a > 0.5)] for a in A],
    }
)
QUICK = ["--epochs", "2", "--no-baselines", "--seed", "1"]
MODELS = {
    "classes": ["--target", "kind", "--drop", "price,rent,sold", "--ensemble", "2"],
    "binary": ["--target", "sold", "--drop", "price,rent,kind", "--embedding", "bins"],
    "numbers": ["--target", "price", "--drop", "rent,sold,kind", "--ensemble", "3"],
    "several targets": ["--target", "price,rent", "--drop", "sold,kind", "--embedding", "periodic"],
    "members": ["--target", "price", "--drop", "rent,sold,kind", "--members", "2"],
    "quantiles": ["--target", "price", "--drop", "rent,sold,kind", "--quantiles", "0.1,0.5,0.9"],
    "plain": ["--target", "sold", "--drop", "price,rent,kind", "--bins", "0", "--hidden", "3"],
}

QUESTIONS = {
    "binary": "sold = yes with ",
    "numbers": "; the answer is ",
    "several targets": "(output ",
}


@pytest.mark.parametrize("name", MODELS)
def test_the_page_of_a_model_shows_all_of_it(chromium, tmp_path, name):  # noqa: F811
    table, model = tmp_path / "table.csv", str(tmp_path / "m.safetensors")
    out, recorded = tmp_path / "page.html", tmp_path / "numbers.npz"
    TABLE.write_csv(table)
    assert main(["train", str(table), *MODELS[name], *QUICK, "--out", model]) == 0
    asked = ["--largest-errors", "3", "--learning-rate", "0.001"]
    asked += ["--out", str(out), "--numbers", str(recorded)]
    assert main(["explain", model, str(table), *asked]) == 0
    troubles, requests, page = [], [], chromium.new_page()
    page.on("console", lambda m: troubles.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.on("request", lambda r: requests.append(r.url))
    page.goto(out.as_uri())
    page.wait_for_function("document.documentElement.dataset.ready === 'true'")
    mine = numbers(page)
    with np.load(recorded) as archive:
        for key in archive.files:
            array = key.partition("step1/")[2]
            if array not in ("", "cost") and not array.startswith(("state", "mask")):
                got, expected = mine[page_name(array)], np.atleast_2d(archive[key])
                assert error(got, expected) < AGREES, array
    assert "Off for this plan" not in page.inner_text("body")
    first = page.inner_text("#substep table.cells")
    assert all(column in first for column in ("a", "b", "town", "joined", "note"))
    asked_of = page.inner_text("#question")
    assert asked_of.startswith("For row ")
    assert QUESTIONS.get(name, "says") in asked_of
    drawn = "[...document.querySelectorAll('#network .unit')].map((unit) => unit.dataset.key)"
    assert set(page.evaluate(drawn)) == {"A[0]"}  # no layer before its turn
    assert not page.evaluate("Story.steps().some(({ title }) => title.includes('Δ'))")
    walked(page)
    if page.evaluate(OTHERS):
        walked(page)
    page.click("[data-train='10']")
    page.wait_for_selector("#curve[data-running='false']", state="attached")
    assert page.get_attribute("#curve", "data-steps") == "10"
    page.close()
    assert troubles == []
    assert len(requests) == 1


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_the_page_of_the_default_recipe_on_a_built_in_set(chromium, tmp_path, name):  # noqa: F811
    model, out = str(tmp_path / "m.safetensors"), tmp_path / "page.html"
    assert main(["train", name, "--epochs", "2", "--no-baselines", "--out", model]) == 0
    assert main(["explain", model, name, "--rows", "0:4", "--out", str(out)]) == 0
    troubles, page = [], chromium.new_page()
    page.on("console", lambda m: troubles.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.goto(out.as_uri())
    page.wait_for_function("document.documentElement.dataset.ready === 'true'")
    kinds = page.evaluate("Page.plan.layers.map(({ kind }) => kind)")
    assert "parallel" in kinds  # several networks
    assert page.evaluate(OTHERS)
    walked(page)
    page.click("[data-train='10']")
    page.wait_for_selector("#curve[data-running='false']", state="attached")
    assert page.get_attribute("#curve", "data-steps") == "10"
    page.close()
    assert troubles == []


# The last part of every parallel layer chosen, those within others after them; how many there are.
OTHERS = """() => {
  const seen = new Set(), placeOf = (step) => /^A\\[(.+)\\.\\d+\\.0\\]$/.exec(step.out)?.[1];
  for (;;) {
    const step = Story.steps().find((each) => placeOf(each) && !seen.has(placeOf(each)));
    if (!step) return seen.size;
    seen.add(placeOf(step));
    Walk.go(step.index);
    const select = document.querySelector("#substep select[data-part]");
    if (select) {
      select.selectedIndex = select.options.length - 1;
      select.dispatchEvent(new Event("change"));
    }
  }
}"""


def walked(page):
    """Every sub-step looked at: its checks hold, and its first entry has its arithmetic."""
    found = page.evaluate(
        """() => Story.steps().map((step) => {
          Walk.go(step.index);
          const check = step.check && Page.checkOf(step.out);
          if (step.out !== "A[0]") Walk.choose(step.out, 0, 0);
          const text = document.querySelector("#substep .arithmetic");
          return [step.out, check ? check.error : 0, text ? text.textContent.length : 0];
        })"""
    )
    for out, wrong, spelled in found:
        assert wrong < 1e-4, out
        assert spelled > 10 or out == "A[0]", out
