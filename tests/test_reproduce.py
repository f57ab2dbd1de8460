"""Published fits made again: what agrees, what differs, and what the page records."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

KNOWN = "0123456789abcdef"
OTHER = "fedcba9876543210"


@pytest.fixture
def reproduce(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    return importlib.import_module("reproduce")


@pytest.fixture
def fitted(reproduce):
    return lambda value=0.9, digest=KNOWN: reproduce.Fitted("accuracy", value, digest)


@pytest.mark.parametrize(
    ("known", "same"),
    [
        ({"avx2": (0.9, KNOWN)}, True),
        ({"avx2": (0.9, OTHER)}, False),
        ({"avx512": (0.905, OTHER)}, True),
        ({"avx512": (0.8, KNOWN)}, False),
        ({"avx2": (0.9, KNOWN), "avx512": (0.8, OTHER)}, True),
        ({}, False),
    ],
)
def test_bits_on_the_same_instruction_set_metrics_on_another(reproduce, fitted, known, same):
    rows = {isa: fitted(*row) for isa, row in known.items()}
    assert reproduce.agrees(fitted(), rows, "avx2") is same


def test_a_digest_sees_the_last_bit(reproduce):
    a = np.linspace(0, 1, 7)
    b = a.copy()
    b[3] = np.nextafter(b[3], 2)
    assert reproduce.digest(a) == reproduce.digest(a.copy()) != reproduce.digest(b)


def test_the_page_is_read_as_it_is_written(tmp_path, monkeypatch, reproduce, fitted):
    page = tmp_path / "results.md"
    monkeypatch.setattr(reproduce, "PAGE", page)
    found = {
        "digits": {"avx2": fitted()},
        "MNIST A": {"avx2": fitted(), "avx512": fitted(0.5)},
    }
    reproduce.write_section(page, "reproduce", reproduce.page(found))
    assert reproduce.recorded() == found


def test_a_difference_is_the_exit_code(monkeypatch, capsys, reproduce, fitted):
    isa = reproduce.native.capabilities().isa
    monkeypatch.setattr(reproduce, "FITS", {"iris": fitted})
    monkeypatch.setattr(sys, "argv", ["reproduce", "--names", "iris"])
    monkeypatch.setattr(reproduce, "recorded", lambda: {"iris": {isa: fitted()}})
    assert reproduce.main() == 0
    monkeypatch.setattr(reproduce, "recorded", dict)
    assert reproduce.main() == 1
    assert "DIFFERS" in capsys.readouterr().out
