"""Schedules: their shape at a few steps, horizons, warm-up."""

import numpy as np
import pytest

import deltarule as dr
from deltarule.schedules import SCHEDULES, schedule


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_is_finite_within_zero_and_its_rate(name):
    found = SCHEDULES(f"{name}(0.3)").bound(100)
    rates = found(np.arange(150))
    assert rates.shape == (150,)
    assert rates.dtype == np.float64
    assert np.isfinite(rates).all()
    assert rates.min() >= 0
    assert rates.max() <= 0.3 + 1e-12
    assert rates.max() >= 0.25
    assert float(found(7)) == rates[7]


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_binding_fills_a_horizon_once(name):
    free = SCHEDULES(name)
    bound = free.bound(50)
    assert not bound.horizon
    assert bound.bound(500) == bound
    if free.horizon:
        with pytest.raises(dr.SettingError, match="has no horizon yet"):
            free(0)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (dr.Constant(0.5), {0: 0.5, 999: 0.5}),
        (dr.InverseScaling(1.0, power=0.5), {0: 1.0, 3: 0.5, 99: 0.1}),
        (dr.StepDecay(1.0, factor=0.5, every=10), {0: 1.0, 9: 1.0, 10: 0.5, 25: 0.25}),
        (dr.StepDecay(1.0, factor=0.1, steps=90), {29: 1.0, 30: 0.1, 60: 0.01, 200: 0.01}),
        (dr.Exponential(1.0, final=0.01, steps=100), {0: 1.0, 50: 0.1, 100: 0.01, 300: 0.01}),
        (dr.Cosine(1.0, floor=0.2, steps=100), {0: 1.0, 50: 0.6, 100: 0.2, 500: 0.2}),
        (dr.CosineRestarts(1.0, growth=1.0, period=10), {0: 1.0, 5: 0.5, 10: 1.0, 25: 0.5}),
        (dr.CosineRestarts(1.0, steps=70), {0: 1.0, 10: 1.0, 20: 0.5, 30: 1.0, 50: 0.5}),
        (dr.OneCycle(1.0, steps=100), {0: 0.04, 15: 0.52, 30: 1.0, 100: 1e-4}),
        (dr.CosLog(1.0, steps=15), {0: 0.0, 1: 0.0, 3: 0.0, 7: 0.0, 15: 0.0}),
        (dr.CosLog(1.0, steps=1500), {0: 0.0, 41: 1.0, 1031: 1.0}),
    ],
)
def test_by_hand(rule, expected):
    for step, rate in expected.items():
        assert float(rule(step)) == pytest.approx(rate, abs=2e-3)


def test_warmup_rises_to_the_schedule_and_hands_over():
    rule = dr.Warmup(dr.Cosine(1.0), steps=10).bound(110)
    assert [float(rule(s)) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert [float(rule(s)) for s in (10, 60, 110)] == pytest.approx([1.0, 0.5, 0.0])
    assert float(dr.Warmup(0.5, steps=2)(100)) == 0.5


def test_a_rate_is_a_number_a_name_or_a_schedule():
    assert schedule(0.1) == dr.Constant(0.1)
    assert schedule("step(0.1)") == dr.StepDecay(0.1)
    assert schedule(dr.CosLog(0.2)) == dr.CosLog(0.2)
