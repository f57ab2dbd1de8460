"""Files that are whole or not there: written by rename, read with every size checked first.

Model files and checkpoints are safetensors files of this package's; here is what they share.
"""

from deltarule.storage.locking import FolderLock
from deltarule.storage.reading import (
    FileKind,
    Opened,
    Tensor,
    open_tensors,
    reason,
)
from deltarule.storage.writing import (
    check_writable,
    tensor_bytes,
    write_whole,
    written_whole,
)

__all__ = [
    "FileKind",
    "FolderLock",
    "Opened",
    "Tensor",
    "check_writable",
    "open_tensors",
    "reason",
    "tensor_bytes",
    "write_whole",
    "written_whole",
]
