"""What all tests share: Hypothesis draws the same examples every time, whatever the machine."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
