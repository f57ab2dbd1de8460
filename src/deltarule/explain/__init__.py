"""What happened, shown: a report of a training run, plots, worksheets to solve by hand."""

from deltarule.explain.report import Report, check_drawable, report
from deltarule.explain.spreadsheet import spreadsheet
from deltarule.explain.watch import Diagnostics, Watch
from deltarule.explain.worksheet import Worksheet, worksheet
from deltarule.explain.worksheet_page import key_page, worksheet_page

__all__ = [
    "Diagnostics",
    "Report",
    "Watch",
    "Worksheet",
    "check_drawable",
    "key_page",
    "report",
    "spreadsheet",
    "worksheet",
    "worksheet_page",
]
