"""Models for other runtimes: an ONNX graph or one C99 file, with the table's preprocessing.

Whatever cannot be expressed there is refused by its name, before anything is written.
"""

from deltarule.export.c_file import CFile, c_file, save_c
from deltarule.export.check import Checked, checked, made_up_rows
from deltarule.export.onnx_file import onnx_bytes, save_onnx
from deltarule.export.table_rows import cells, feeds

__all__ = [
    "CFile",
    "Checked",
    "c_file",
    "cells",
    "checked",
    "feeds",
    "made_up_rows",
    "onnx_bytes",
    "save_c",
    "save_onnx",
]
