"""Checkpoints: a run's whole state in a file, from which it resumes as if never interrupted."""

from deltarule.training.checkpoints.folder import Checkpoints, Folder
from deltarule.training.checkpoints.identity import (
    Identity,
    data_identity,
    differing,
    digest_of_array,
    plan_identity,
)
from deltarule.training.checkpoints.snapshot import (
    Surroundings,
    named_arrays,
    pack,
    parameters_in,
    unpack,
)

__all__ = [
    "Checkpoints",
    "Folder",
    "Identity",
    "Surroundings",
    "data_identity",
    "differing",
    "digest_of_array",
    "named_arrays",
    "pack",
    "parameters_in",
    "plan_identity",
    "unpack",
]
