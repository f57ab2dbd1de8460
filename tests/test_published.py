"""Pages of published results: a row below its bound says why, a difference within error is none."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "accuracy.py")])
    return importlib.import_module


def test_a_row_is_met_or_below_with_its_reason(bench):
    accuracy = bench("accuracy")
    found = {"A": ([95.0, 95.2], 3.0), "D": ([96.7, 77.3, 87.4], 8.0)}
    page = accuracy.table("nielsen", found, "native", mixed=False)
    assert "| test | 95.42 | 95.10 ± 0.10 | 94.82 | met | 2 | 3 |" in page
    assert "| test | 96.59 | 87.13 ± 7.92 | 95.99 | below | 3 | 8 |" in page
    assert page.count("\nBelow, ") == 1
    assert "λ=0, 30, large: 2 of 3 runs end below the bound." in page
    page = accuracy.table("nielsen", {"B": ([90.0], 3.0)}, "native", mixed=False)
    assert page.endswith("large: the cause is not known.")


def test_a_difference_within_one_standard_error_is_not_named(bench):
    tables = bench("tables")
    mean = tables.Mean
    assert mean.of([1.0, 3.0]) == mean(2.0, 1.0)
    recipe = [mean(0.80, 0.03), mean(0.40, 0.03), mean(4.0, 0.3), None]
    other = [mean(0.85, 0.04), mean(0.46, 0.04), mean(3.0, 0.4), mean(0.8, None)]
    heads = ["", *tables._ABLATION_SETS]
    page = tables.ablation_table(heads, {"the recipe": recipe, "other": other})
    assert "| 0.8500 ± 0.0400 | 0.4600 ± 0.0400, worse | 3.0000 ± 0.4000, better | 0.8000 |" in page
    assert "| the recipe | 0.8000 ± 0.0300 |" in page
    assert "not yet measured" in page
    assert "2 of 3 differences exceed it" in page
