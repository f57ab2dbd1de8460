"""The training report: one page on what a run did, and the evidence for it."""

from deltarule.report.compose import Report, report
from deltarule.report.watch import Diagnostics, Watch

__all__ = ["Diagnostics", "Report", "Watch", "report"]
