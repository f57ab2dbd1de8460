"""Checkpoints: a run's whole state in a file, from which it goes on as if never interrupted."""

from deltarule.checkpoints.folder import Checkpoints, Folder
from deltarule.checkpoints.identity import data_identity, differing, plan_identity
from deltarule.checkpoints.snapshot import Snapshot, pack, unpack

__all__ = [
    "Checkpoints",
    "Folder",
    "Snapshot",
    "data_identity",
    "differing",
    "pack",
    "plan_identity",
    "unpack",
]
