"""The package from outside: its public names, what importing it needs and costs."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import deltarule as dr
from deltarule.cli import main

PUBLIC = """
ACTIVATIONS Activation AdaDelta AdaGrad Adam AdamW Adamax BatchNorm BlockOrder Blocks COSTS
CellError Checkpoints Constant CosLog Cosine CosineRestarts Cost DataError DeltaruleError Dense
DeviceError DeviceMemoryError DivergenceError ENGINES Embedding Ended EngineOptions EpochEnded
Exponential ExportError FileError GradientDescent Grouped History INITIALIZERS Initializer
InterruptionError Interval InverseScaling KINDS KeyedModels LBFGS Layer LayerNorm Lion MLPClassifier
MLPRegressor Many MissingExtraError Model NAdam Network NetworkEpochEnded NetworkOptions OPTIMIZERS
OneCycle Optimizer OutOfMemoryError Pair Parallel Parametric PeerError Periodic PiecewiseLinear Plan
Progressed RMSprop RateReduced RateSearch ReduceOnPlateau Regularization RegularizationOptions
ResourceError Result Resumed Run Runner SCHEDULES SGD Scale ScaleRate Schedule SettingError
ShapeError Shared SlowerEngineWarning Started StepDecay StopTraining Stopping StoppingOptions
StoppingRule TabularClassifier TabularRegressor Training TrainingState TypeMismatchError
UnknownKeywordError UnknownNameError Warmup __version__ distributed explain export find_rate load
report start train train_by_key train_many
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names_are_pinned():
    assert sorted(dr.__all__) == sorted(PUBLIC.split())
    assert all(hasattr(dr, name) for name in dr.__all__)


def test_dir_lists_the_public_names_and_no_others():
    assert dir(dr) == sorted(PUBLIC.split())


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


def strings_of(tree):
    """Every string of a module but docstrings and what `setting` chooses between."""
    spared = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            spared.add(node.value)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setting":
            spared |= {each for argument in node.args for each in ast.walk(argument)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in spared:
            yield node


def test_messages_of_the_library_name_options_only_where_the_command_line_asks():
    source = pathlib.Path(dr.__file__).parent
    found = [
        f"{path.relative_to(source)}:{node.lineno}: {node.value}"
        for path in sorted(source.rglob("*.py"))
        if path.parent.name not in ("cli", "options") and path.name != "__main__.py"
        for node in strings_of(ast.parse(path.read_text()))
        if re.search(r"(?<![\w-])--[a-z]", node.value) and "pip install" not in node.value
    ]
    assert found == []


def test_a_message_names_a_setting_as_its_reader_gives_it(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "\n".join(f"{i},{i % 5}" for i in range(40)) + "\n")
    with pytest.raises(dr.DataError, match=r"no column 'b' \(kinds\)"):
        dr.TabularClassifier(kinds={"b": "category"}).fit({"a": range(40)}, [0, 1] * 20)
    assert main(["train", str(table), "--target", "y", "--kind", "b=category"]) == 2
    assert "no column 'b' (--kind)" in capsys.readouterr().err
