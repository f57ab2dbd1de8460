"""An installation without the compiled core: a clear error by name, and `auto` says its choice.

These run against the pure wheel too, which `make pure` installs.
"""

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines import choose, native
from deltarule.engines.native import core
from deltarule.engines.plan import Plan

SMALL = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(1)])


@pytest.fixture(autouse=True)
def without_core(monkeypatch):
    monkeypatch.setattr(core, "_built", tuple)
    core._core.cache_clear()
    yield
    core._core.cache_clear()


@pytest.mark.parametrize(
    "ask", [lambda: dr.start(SMALL, engine="native"), native.capabilities], ids=["start", "asked"]
)
def test_the_core_asked_for_by_name_is_one_clear_error(ask):
    with pytest.raises(dr.SettingError) as raised:
        ask()
    text = str(raised.value)
    assert "the compiled core is not installed" in text
    assert "DELTARULE_PURE" in text
    assert "C++17 compiler" in text
    assert raised.value.__cause__ is None


def test_auto_takes_the_reference_and_says_why():
    chosen = choose(Plan(SMALL))
    assert chosen.name == "reference"
    assert "compiled core is not installed" in chosen.reason


def test_training_goes_on_without_it():
    runner = dr.start(SMALL)
    X, Y = np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32)
    assert runner.step(X, Y) > runner.cost(X, Y)
