"""Files that are whole or not there: written by rename, read with every size checked first.

Model files and checkpoints are safetensors files of this package's; here is what they share.
"""

from deltarule.system.storage.locking import FileLock, FolderLock
from deltarule.system.storage.pages import model_element, sealed
from deltarule.system.storage.reading import (
    FileKind,
    Opened,
    Tensor,
    open_tensors,
    reason,
    stored_kind,
)
from deltarule.system.storage.texts import holds_none, parsed_json, read_json
from deltarule.system.storage.writing import (
    check_writable,
    tensor_bytes,
    write_whole,
    written_whole,
)

__all__ = [
    "FileKind",
    "FileLock",
    "FolderLock",
    "Opened",
    "Tensor",
    "check_writable",
    "holds_none",
    "model_element",
    "open_tensors",
    "parsed_json",
    "read_json",
    "reason",
    "sealed",
    "stored_kind",
    "tensor_bytes",
    "write_whole",
    "written_whole",
]
