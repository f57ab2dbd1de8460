"""The work, shown: a training step's every number, a run's report, plots, worksheets by hand."""

from deltarule.explain.page import CellColumn, Cells, page, save_page
from deltarule.explain.paths import optimizer_paths, plot_optimizer_paths
from deltarule.explain.playground import playground, save_playground
from deltarule.explain.spreadsheet import spreadsheet
from deltarule.explain.tensorboard import TensorBoard
from deltarule.explain.text import text
from deltarule.explain.trace import GradientCheck, Trace, TracedStep, trace, worked_trace
from deltarule.explain.worksheet import Worksheet, worksheet
from deltarule.explain.worksheet_page import key_page, worksheet_page
from deltarule.report.compose import Report, report
from deltarule.report.watch import Diagnostics, Watch

__all__ = [
    "CellColumn",
    "Cells",
    "Diagnostics",
    "GradientCheck",
    "Report",
    "TensorBoard",
    "Trace",
    "TracedStep",
    "Watch",
    "Worksheet",
    "key_page",
    "optimizer_paths",
    "page",
    "playground",
    "plot_optimizer_paths",
    "report",
    "save_page",
    "save_playground",
    "spreadsheet",
    "text",
    "trace",
    "worked_trace",
    "worksheet",
    "worksheet_page",
]
