"""deltarule: dense networks, trained by back propagation whose equations you can read."""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.costs import COSTS, Cost, Pair
from deltarule.elsewhere import NAMES
from deltarule.engines import ENGINES, start
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import (
    CellError,
    DataError,
    DeltaruleError,
    DeviceError,
    DeviceMemoryError,
    DivergenceError,
    ExportError,
    FileError,
    InterruptionError,
    MissingExtraError,
    OutOfMemoryError,
    PeerError,
    ResourceError,
    SettingError,
    ShapeError,
    SlowerEngineWarning,
    TypeMismatchError,
    UnknownKeywordError,
    UnknownNameError,
)
from deltarule.initializers import INITIALIZERS, Initializer
from deltarule.intervals import Interval
from deltarule.layers import (
    KINDS,
    BatchNorm,
    Dense,
    Embedding,
    Grouped,
    Layer,
    LayerNorm,
    Parallel,
    Parametric,
    Periodic,
    PiecewiseLinear,
    Scale,
    Shared,
)
from deltarule.network import Network
from deltarule.optimizers import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    GradientDescent,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
)
from deltarule.registry import nearest
from deltarule.regularization import Regularization
from deltarule.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineRestarts,
    CosLog,
    Exponential,
    InverseScaling,
    OneCycle,
    Schedule,
    StepDecay,
    Warmup,
)
from deltarule.system.processes import distributed
from deltarule.training import BlockOrder, Blocks, Result, Run, Training, TrainingState, train
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import (
    Ended,
    EpochEnded,
    NetworkEpochEnded,
    Progressed,
    RateReduced,
    Resumed,
    ScaleRate,
    Started,
    StopTraining,
)
from deltarule.training.history import History
from deltarule.training.many import train_many
from deltarule.training.members import Many
from deltarule.training.rates import RateSearch, find_rate
from deltarule.training.stopping import ReduceOnPlateau, Stopping, StoppingRule

if TYPE_CHECKING:
    from deltarule import explain, export, report
    from deltarule.estimators import (
        MLPClassifier,
        MLPRegressor,
        NetworkOptions,
        RegularizationOptions,
        StoppingOptions,
    )
    from deltarule.keyed import KeyedModels, train_by_key
    from deltarule.modelfile import Model
    from deltarule.saved import load
    from deltarule.tabular.estimators import TabularClassifier, TabularRegressor

__version__ = "0.2.0"

__all__ = [
    "ACTIVATIONS",
    "COSTS",
    "ENGINES",
    "INITIALIZERS",
    "KINDS",
    "LBFGS",
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Activation",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adamax",
    "BatchNorm",
    "BlockOrder",
    "Blocks",
    "CellError",
    "Checkpoints",
    "Constant",
    "CosLog",
    "Cosine",
    "CosineRestarts",
    "Cost",
    "DataError",
    "DeltaruleError",
    "Dense",
    "DeviceError",
    "DeviceMemoryError",
    "DivergenceError",
    "Embedding",
    "Ended",
    "EngineOptions",
    "EpochEnded",
    "Exponential",
    "ExportError",
    "FileError",
    "GradientDescent",
    "Grouped",
    "History",
    "Initializer",
    "InterruptionError",
    "Interval",
    "InverseScaling",
    "KeyedModels",
    "Layer",
    "LayerNorm",
    "Lion",
    "MLPClassifier",
    "MLPRegressor",
    "Many",
    "MissingExtraError",
    "Model",
    "NAdam",
    "Network",
    "NetworkEpochEnded",
    "NetworkOptions",
    "OneCycle",
    "Optimizer",
    "OutOfMemoryError",
    "Pair",
    "Parallel",
    "Parametric",
    "PeerError",
    "Periodic",
    "PiecewiseLinear",
    "Plan",
    "Progressed",
    "RMSprop",
    "RateReduced",
    "RateSearch",
    "ReduceOnPlateau",
    "Regularization",
    "RegularizationOptions",
    "ResourceError",
    "Result",
    "Resumed",
    "Run",
    "Runner",
    "Scale",
    "ScaleRate",
    "Schedule",
    "SettingError",
    "ShapeError",
    "Shared",
    "SlowerEngineWarning",
    "Started",
    "StepDecay",
    "StopTraining",
    "Stopping",
    "StoppingOptions",
    "StoppingRule",
    "TabularClassifier",
    "TabularRegressor",
    "Training",
    "TrainingState",
    "TypeMismatchError",
    "UnknownKeywordError",
    "UnknownNameError",
    "Warmup",
    "__version__",
    "distributed",
    "explain",
    "export",
    "find_rate",
    "load",
    "report",
    "start",
    "train",
    "train_by_key",
    "train_many",
]

_LAZY = {
    name: module
    for module, names in {
        "deltarule.estimators": (
            "MLPClassifier",
            "MLPRegressor",
            "NetworkOptions",
            "RegularizationOptions",
            "StoppingOptions",
        ),
        "deltarule.keyed": ("KeyedModels", "train_by_key"),
        "deltarule.modelfile": ("Model",),
        "deltarule.saved": ("load",),
        "deltarule.tabular.estimators": ("TabularClassifier", "TabularRegressor"),
    }.items()
    for name in names
}
"""Names whose modules import what takes long, or an extra: loaded when they are first asked for."""

_PACKAGES = ("explain", "export", "report")
"""Packages that are public as such, likewise."""

_RENAMED = {
    "INITIALISERS": "INITIALIZERS",
    "Initialiser": "Initializer",
    "Regularisation": "Regularization",
}
"""Earlier names, which still work with a warning."""


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        text = f"deltarule.{name} is deprecated; use deltarule.{new}."
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return globals()[new]
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _LAZY:
        hint = f" Write {NAMES[name]}" if name in NAMES else nearest(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
    value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
