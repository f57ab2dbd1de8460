"""Tables from files and from memory: CSV, TSV, Parquet, data frames, arrays, built-in sets.

Inside, a table is a polars frame. What a text file looks like is detected from its beginning; a
:class:`Reading` overrules it.
"""

from deltarule.data.detection import MISSING, Reading
from deltarule.data.files import read
from deltarule.data.memory import BUILT_IN, built_in, frame_of
from deltarule.data.streams import Stream, stream
from deltarule.data.values import tidied

__all__ = [
    "BUILT_IN",
    "MISSING",
    "Reading",
    "Stream",
    "built_in",
    "frame_of",
    "read",
    "stream",
    "tidied",
]
