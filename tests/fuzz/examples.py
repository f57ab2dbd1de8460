"""How many examples Hypothesis draws: few in the suite, many times as many in ``make fuzz``."""

import os

import pytest
from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("DELTARULE_FUZZ", "1"))


def examples(count):
    """Settings of a test of so many examples; the same ones every time, unless there are more."""

    def marked(test):
        own = settings(
            max_examples=count * TIMES,
            deadline=None,
            derandomize=TIMES == 1,
            suppress_health_check=list(HealthCheck),
        )
        return pytest.mark.fuzz(own(test))

    return marked
