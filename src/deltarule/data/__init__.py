"""Tables from files and from memory: text, workbooks, JSON, Parquet, data frames, built-in sets.

:func:`dataset_of` takes whatever holds a table and reads its values by one set of rules, wherever
they come from. Inside, a table is a polars frame. What a text file looks like is detected from its
beginning; a :class:`Reading` overrides it.
"""

from deltarule.data.builtin import BUILT_IN, built_in
from deltarule.data.dataset import Dataset, dataset_of
from deltarule.data.files import read, written
from deltarule.data.frames import column_of, frame_of, has_names
from deltarule.data.positions import FileRows, cells_of, located, row_named, row_names
from deltarule.data.reading_settings import MISSING, Reading
from deltarule.data.readings import ColumnReading
from deltarule.data.sampling import is_pipe
from deltarule.data.streams import Stream, stream
from deltarule.data.units import unit_of, with_unit
from deltarule.data.values import tidied

__all__ = [
    "BUILT_IN",
    "MISSING",
    "ColumnReading",
    "Dataset",
    "FileRows",
    "Reading",
    "Stream",
    "built_in",
    "cells_of",
    "column_of",
    "dataset_of",
    "frame_of",
    "has_names",
    "is_pipe",
    "located",
    "read",
    "row_named",
    "row_names",
    "stream",
    "tidied",
    "unit_of",
    "with_unit",
    "written",
]
