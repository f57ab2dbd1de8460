"""What happened, shown: a report of a training run, plots, worksheets to solve by hand."""

from deltarule.explain.report import Report, check_drawable, report
from deltarule.explain.watch import Diagnostics, Watch

__all__ = ["Diagnostics", "Report", "Watch", "check_drawable", "report"]
