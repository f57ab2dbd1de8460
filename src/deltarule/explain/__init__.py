"""The work, shown: a training step's every number, on a page to step through or as text."""

from deltarule.explain.page import page, save_page
from deltarule.explain.text import text
from deltarule.explain.trace import GradientCheck, Trace, TracedStep, trace, worked_trace

__all__ = [
    "GradientCheck",
    "Trace",
    "TracedStep",
    "page",
    "save_page",
    "text",
    "trace",
    "worked_trace",
]
