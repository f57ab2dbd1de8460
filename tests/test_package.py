"""The package from outside: its public names, what importing it needs and costs."""

import subprocess
import sys

import deltarule as dr

PUBLIC = """
ACTIVATIONS Activation AdaDelta AdaGrad Adam AdamW Adamax BatchNorm BlockOrder Blocks COSTS
CellError Checkpoints Constant CosLog Cosine CosineRestarts Cost DataError DeltaruleError Dense
DeviceError DeviceMemoryError DivergenceError ENGINES Embedding Ended EngineOptions EpochEnded
Exponential ExportError FileError GradientDescent Grouped INITIALISERS Initialiser
InterruptionError Interval InverseScaling KINDS KeyedModels LBFGS Layer LayerNorm Lion
MLPClassifier MLPRegressor Many MissingExtraError NAdam Network NetworkOptions OPTIMIZERS OneCycle
Optimizer OutOfMemoryError Pair Parallel Parametric PeerError Periodic PiecewiseLinear Plan
Progressed RMSprop RateReduced RateSearch ReduceOnPlateau Regularisation RegularizationOptions
ResourceError Result Resumed Runner SCHEDULES SGD Scale ScaleRate Schedule SettingError ShapeError
Shared Started StepDecay StopTraining Stopping StoppingOptions TabularClassifier TabularRegressor
Training TypeMismatchError UnknownNameError Warmup __version__ distributed find_rate start train
train_by_key train_many
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names_are_pinned():
    assert sorted(dr.__all__) == sorted(PUBLIC.split())
    assert all(hasattr(dr, name) for name in dr.__all__)


def test_importing_needs_no_extra():
    """With every package but NumPy and safetensors out of reach, equations and training work."""
    out = run(
        """
import sys

ALLOWED = {"numpy", "safetensors", "deltarule"} | set(sys.stdlib_module_names)

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])

sys.meta_path.insert(0, Wall())
import deltarule as dr
network = dr.Network(2, [dr.Dense(4, "gelu"), dr.Dense(1)])
print(dr.train(network, [[0, 1], [1, 0]], [1, 0], epochs=1).stopped_because)
try:
    dr.train(network, [[0, 1], [1, 0]], [1, 0], optimizer="lbfgs")
except dr.MissingExtraError as error:
    print(error)
"""
    )
    assert out.splitlines() == [
        "epochs",
        'L-BFGS needs the package "scipy", which is not installed. '
        'Run: pip install "deltarule[sklearn]"',
    ]


def test_importing_loads_nothing_heavy():
    """What takes time to import stays out: the extras, and safetensors until a file is met."""
    code = "import sys, deltarule; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = set(run(code).split())
    heavy = {"scipy", "sklearn", "polars", "narwhals", "typer", "rich", "jax", "matplotlib"}
    assert not loaded & (heavy | {"safetensors", "difflib", "asyncio"})


def test_without_the_command_lines_extra_the_command_says_so():
    out = run(
        """
import sys
sys.modules["typer"] = None
from deltarule.__main__ import main
try:
    main()
except SystemExit as end:
    print(end.code)
"""
    )
    assert "error: the command line needs the package" in out
    assert 'pip install "deltarule[cli]"' in out
