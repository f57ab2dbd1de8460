"""deltarule: dense networks, trained by back propagation whose equations you can read."""

from deltarule.activations import ACTIVATIONS, Activation, Interval
from deltarule.costs import COSTS, Cost, Pair
from deltarule.engines import ENGINES, start
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import (
    DataError,
    DeltaruleError,
    DeviceError,
    DeviceMemoryError,
    DivergenceError,
    FileError,
    MissingExtraError,
    SettingError,
    ShapeError,
    TypeMismatchError,
    UnknownNameError,
)
from deltarule.events import Ended, EpochEnded, Progressed, ScaleRate, Started, StopTraining
from deltarule.initialisers import INITIALISERS, Initialiser
from deltarule.layers import Dense
from deltarule.many import Many, train_many
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
from deltarule.regularisation import Regularisation
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
from deltarule.stopping import ReduceOnPlateau, Stopping
from deltarule.training import Result, Training, train

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "COSTS",
    "ENGINES",
    "INITIALISERS",
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
    "Ended",
    "EngineOptions",
    "EpochEnded",
    "Exponential",
    "FileError",
    "GradientDescent",
    "Initialiser",
    "Interval",
    "InverseScaling",
    "Lion",
    "Many",
    "MissingExtraError",
    "NAdam",
    "Network",
    "OneCycle",
    "Optimizer",
    "Pair",
    "Plan",
    "Progressed",
    "RMSprop",
    "ReduceOnPlateau",
    "Regularisation",
    "Result",
    "Runner",
    "ScaleRate",
    "Schedule",
    "SettingError",
    "ShapeError",
    "Started",
    "StepDecay",
    "StopTraining",
    "Stopping",
    "Training",
    "TypeMismatchError",
    "UnknownNameError",
    "Warmup",
    "__version__",
    "start",
    "train",
    "train_many",
]
