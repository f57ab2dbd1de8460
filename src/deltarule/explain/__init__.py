"""What happened, shown: a report of a training run, plots, worksheets to solve by hand."""

from deltarule.explain.paths import optimizer_paths, plot_optimizer_paths
from deltarule.explain.report import Report, check_drawable, report
from deltarule.explain.spreadsheet import spreadsheet
from deltarule.explain.tensorboard import TensorBoard
from deltarule.explain.watch import Diagnostics, Watch
from deltarule.explain.worksheet import Worksheet, worksheet
from deltarule.explain.worksheet_page import key_page, worksheet_page

__all__ = [
    "Diagnostics",
    "Report",
    "TensorBoard",
    "Watch",
    "Worksheet",
    "check_drawable",
    "key_page",
    "optimizer_paths",
    "plot_optimizer_paths",
    "report",
    "spreadsheet",
    "worksheet",
    "worksheet_page",
]
