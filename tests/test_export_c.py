"""Export to C: compiled without a warning, it predicts as the model does and steps as a runner."""

import ctypes
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests import layer_cases as cases
from tests.test_export_onnx import NUMBERED, a_model, table_model

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.export import c_file, save_c
from deltarule.export.c_text import comment, prefix
from deltarule.modelfile import Model
from deltarule.optimizers import OPTIMIZERS as OPTIMIZERS_BY_NAME
from deltarule.preprocessing import Preprocessing, Targets

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O0"]

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler is installed")

EXACT = {"float32": 1e-6, "float64": 1e-12}
"""How far predictions may lie apart, as a share of their norm."""


def compiled(folder, made, *options, name="model"):
    """The path of what a compiler makes of a file, without any warning."""
    (folder / f"{name}.c").write_text(made.text)
    out = folder / f"{name}.out"
    command = [COMPILER, *STRICT, *options, f"{name}.c", "-o", str(out)]
    command += [] if "-c" in options else ["-lm"]  # clang tells of what it has no use for
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


class Library:
    """The functions of a file, called from here; several files in one library by their names."""

    def __init__(self, folder, made, dtype, loaded=None, name="model"):
        self.dtype, self.name = np.dtype(dtype), name
        self.real = ctypes.c_float if dtype == "float32" else ctypes.c_double
        self.c = loaded or ctypes.CDLL(str(compiled(folder, made, "-shared", "-fPIC")))

    def function(self, what, returned=None):
        found = getattr(self.c, f"{self.name}_{what}")
        found.restype = returned
        return found

    def pointer(self, array):
        return array.ctypes.data_as(ctypes.POINTER(self.real))

    def predict(self, X, outputs):
        X, A = np.ascontiguousarray(X, self.dtype), np.empty((len(X), outputs), self.dtype)
        for x, a in zip(X, A, strict=True):
            self.function("predict")(self.pointer(x), self.pointer(a))
        return A

    def step(self, X, Y, rate):
        step = self.function("step", self.real)
        return step(self.pointer(X), self.pointer(Y), len(X), self.real(rate))

    def parameters(self, count):
        place = self.function("parameters", ctypes.POINTER(self.real))()
        return np.ctypeslib.as_array(place, (count,)).copy()


def apart(a, b):
    return np.linalg.norm(np.subtract(a, b, dtype=float)) / (np.linalg.norm(b) or 1.0)


def flat(parameters):
    return np.concatenate([W.ravel() for own in parameters for W in own.values()])


# --------------------------------------------------------------------------------- predictions


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", cases.NETWORKS)
def test_every_kind_predicts(kind, dtype, tmp_path):
    network = cases.network_of(kind)
    model = a_model(network.layers, dtype, network.cost_row)
    X = cases.data_of(kind, m=40)[0].astype(dtype)
    A = Library(tmp_path, c_file(model), dtype).predict(X, network.outputs)
    exact = a_model(network.layers, "float64", network.cost_row)
    same = tuple({n: W.astype(float) for n, W in own.items()} for own in model.parameters)
    assert apart(A, Model(exact.network, same).outputs(X)) < EXACT[dtype]


@needs_compiler
def test_a_wide_layer_keeps_its_precision(tmp_path):
    model = a_model([dr.Dense(300, "tanh"), dr.Dense(200, "relu"), dr.Dense(10)], inputs=784)
    X = np.random.default_rng(0).uniform(0, 1, (5, 784)).astype(np.float32)
    wide = tuple({n: W.astype(float) for n, W in own.items()} for own in model.parameters)
    A = Library(tmp_path, c_file(model), "float32").predict(X, 10)
    assert apart(A, Model(model.network, wide).outputs(X)) < 1e-6


@needs_compiler
def test_tables_take_prepared_inputs(tmp_path):
    model, frame = table_model([250.0 + 1.7 * i for i in range(240)])
    made = c_file(model, rows=frame)
    X = model.preprocessing.transform(frame)
    A = Library(tmp_path, made, "float32").predict(X, 1)
    assert apart(A, model.outputs(frame)) < 1e-6
    assert "town = Ålesund" in made.text
    assert "price = 453.15" in made.text


# --------------------------------------------------------------------------------- the step

PAIRS = [(cost, g) for cost in COSTS for g in COSTS(cost).fused]
COSTS_BELOW = [
    (cost, g)
    for cost, g in zip(
        COSTS,
        ["tanh", "identity", "softmax", "sigmoid", "softmax", "silu", "elu", "softplus", "sigmoid",
         "softmax", "identity"],
        strict=True,
    )
]  # fmt: skip
OUTPUTS = [*PAIRS, *COSTS_BELOW, *(("mse", g) for g in ACTIVATIONS)]
"""Every fused pair, every cost with an activation it is not fused with, every activation."""

OPTIMIZERS = [
    dr.SGD(0.05),
    dr.Adam(0.01),
    dr.SGD(0.05, momentum=0.8, nesterov=True),
    dr.GradientDescent(0.1),
    dr.Adam(0.01, beta_1=0.0, epsilon=1e-4, epsilon_inside=True),
    dr.AdamW(0.01, weight_decay=0.3),
    dr.SGD(0.02, momentum=0.0),
    *(OPTIMIZERS_BY_NAME(name) for name in OPTIMIZERS_BY_NAME if name != "lbfgs"),
    dr.Lion(0.01, weight_decay=0.3),
]

RULES = [
    dr.Regularization(),
    dr.Regularization(l1=0.01, l2=0.1),
    dr.Regularization(l2=0.3, over_batch=True, clip_norm=0.5),
    dr.Regularization(decay=0.2, clip_value=0.05),
    dr.Regularization(max_norm=0.8),
]

KINDS = {
    **{kind: layers for kind, layers in cases.NETWORKS.items() if kind != "batch_norm"},
    "parallel": [
        dr.Parallel(
            [
                (0, 2, []),
                (0, 3, [dr.Periodic(4, spread=0.4), dr.Grouped(3, size=4, activation="tanh")]),
                (1, 3, [dr.Dense(3, "tanh"), dr.LayerNorm()]),
                (3, 5, [dr.Embedding([6, 5], width=2, weights="normal(0.5)")]),
            ]
        ),
    ],
    "inner": [
        dr.Dense(5, "tanh"),
        dr.Parallel([(0, 2, []), (1, 5, [dr.Scale("softplus"), dr.Dense(2, "softmax")])]),
        dr.PiecewiseLinear([[-1.0, 0.2, 1.0]] * 4),
        dr.Periodic(3),
    ],
}
"""What C can train; "inner" has layers that send derivatives on where others only begin."""


def case(i):
    """A covering set: kinds, hidden activations, outputs, optimizers and rules take turns."""
    kinds, hidden = list(KINDS), [g for g in ACTIVATIONS if g != "exp"]
    cost, output = OUTPUTS[i]
    kind, g = kinds[i % len(kinds)], hidden[i % len(hidden)]
    layers = [cases.without_dropout(layer) for layer in KINDS[kind]]
    layers += [dr.Dense(4, NUMBERED.get(g, g)), dr.Parametric("tanh"), dr.Dense(3, output)]
    return kind, layers, cost, OPTIMIZERS[i % len(OPTIMIZERS)], RULES[i % len(RULES)]


def targets_of(cost, A):
    """Targets that the cost allows, none of them A."""
    way = np.linspace(0.2, 0.9, len(A))[:, None]
    Y = A + way * (np.roll(A, 1, axis=0) - A)
    return np.ascontiguousarray(Y / Y.sum(axis=1, keepdims=True) if cost.distribution else Y)


@needs_compiler
@pytest.mark.parametrize("i", range(len(OUTPUTS)))
def test_steps_are_a_runners(i, tmp_path):
    kind, layers, cost, optimizer, rules = case(i)
    model = a_model(layers, "float64", cost)
    network = model.network
    made = c_file(model, optimizer=optimizer, regularization=rules)
    library = Library(tmp_path, made, "float64")
    X = cases.data_of(kind if kind in cases.CODED else "dense", m=9)[0]
    Y = targets_of(network.cost_row, model.outputs(X))
    settings = {"optimizer": optimizer, "regularization": rules, "dtype": "float64"}
    runner = dr.start(network, engine="reference", parameters=model.parameters, **settings)
    for _ in range(3):
        cost = library.step(X, Y, optimizer.schedule.rate)
        assert cost == pytest.approx(runner.step(X, Y), rel=1e-9)
    found = library.parameters(network.parameter_count)
    assert apart(found, flat(runner.parameters())) < 1e-9
    assert apart(library.predict(X, 3), runner.predict(X)) < 1e-9


@needs_compiler
@pytest.mark.parametrize("optimizer", [dr.SGD(0.05), dr.Adam(0.01)])
def test_steps_in_float32_are_the_native_engines(optimizer, tmp_path):
    model = a_model([dr.Dense(16, "relu"), dr.Dense(8, "tanh"), dr.Dense(3)])
    X = cases.data_of("dense", m=16)[0].astype(np.float32)
    Y = targets_of(model.network.cost_row, model.outputs(X)).astype(np.float32)
    library = Library(tmp_path, c_file(model, optimizer=optimizer), "float32")
    runner = dr.start(model.network, optimizer=optimizer, parameters=model.parameters)
    for _ in range(5):
        assert library.step(X, Y, optimizer.learning_rate) == pytest.approx(runner.step(X, Y), 1e-5)
    assert apart(library.parameters(len(flat(model.parameters))), flat(runner.parameters())) < 1e-5


@needs_compiler
def test_labels_are_smoothed_and_an_empty_batch_changes_nothing(tmp_path):
    layers = [dr.Dense(4, "tanh"), dr.Dense(3, "softmax")]
    model = a_model(layers, "float64", "categorical_cross_entropy")
    settings = {"optimizer": dr.SGD(0.1), "regularization": dr.Regularization(label_smoothing=0.1)}
    library = Library(tmp_path, c_file(model, **settings), "float64")
    X, Y, _ = cases.data_of("dense")
    before = library.parameters(model.network.parameter_count)
    assert library.step(X[:0], Y[:0], 0.1) == 0.0
    assert np.array_equal(before, library.parameters(len(before)))
    runner = dr.start(model.network, dtype="float64", parameters=model.parameters, **settings)
    for _ in range(3):
        assert library.step(X, Y, 0.1) == pytest.approx(runner.step(X, Y), rel=1e-10)


# ------------------------------------------------------------------------------ the file itself


def ran(program):
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [None, "adam"])
def test_its_own_test_passes_and_can_fail(optimizer, dtype, tmp_path):
    model = a_model([dr.Dense(4, "gelu"), dr.LayerNorm("silu"), dr.Dense(2)], dtype)
    made = save_c(tmp_path / "my flats.c", model, optimizer=optimizer)
    assert "void my_flats_predict(const real *x, real *y);" in made.text
    status, said = ran(compiled(tmp_path, made, "-DDELTARULE_TEST"))
    assert status == 0, said
    assert said.endswith("passed\n")
    begin = made.text.index(" P[")
    at = made.text.index("{", begin) + 2
    wrong = made._replace(text=made.text[:at] + "    1 + " + made.text[at:].lstrip())
    status, said = ran(compiled(tmp_path, wrong, "-DDELTARULE_TEST"))
    assert status == 1
    assert said.endswith("FAILED\n")


@needs_compiler
@pytest.mark.skipif(shutil.which("size") is None, reason="no binutils are installed")
@pytest.mark.parametrize("optimizer", [None, "sgd", "adam"])
def test_sizes_are_the_compilers(optimizer, tmp_path):
    model = a_model([dr.Dense(40, "tanh"), dr.PiecewiseLinear([[0.0, 0.5, 1.0]] * 40), dr.Dense(9)])
    made = c_file(model, optimizer=optimizer)
    assert f"{made.flash} bytes of flash, {made.ram} of RAM" in made.text
    sections = subprocess.run(
        ["size", "-A", compiled(tmp_path, made, "-c")], capture_output=True, text=True, check=True
    ).stdout
    found = {line.split()[0]: int(line.split()[1]) for line in sections.splitlines()[2:] if line}
    static = found.get(".data", 0) + found.get(".bss", 0)
    constant = found.get(".data", 0) + sum(n for name, n in found.items() if "rodata" in name)
    assert made.ram <= static <= made.ram + 256  # arrays are aligned
    assert made.flash <= constant <= made.flash + 512  # and kernels have constants


@needs_compiler
def test_sums_may_be_of_floats(tmp_path):
    model = a_model([dr.Dense(4, "tanh"), dr.Dense(2, "softmax")], cost="focal")
    program = compiled(tmp_path, c_file(model), "-DDELTARULE_TEST", "-DDELTARULE_SUM=float")
    assert ran(program)[0] == 0


def test_nothing_is_allocated_and_only_libm_is_used():
    text = c_file(a_model([dr.Dense(4, "mish"), dr.Dense(2)]), optimizer="adam").text
    assert "alloc" not in text
    included = [line for line in text.splitlines() if line.startswith("#include")]
    assert included == ["#include <math.h>", "#include <stdio.h>"]  # the latter for the test


def test_hostile_names_stay_within_the_comment():
    assert comment(["a */ int x; /* ??/", "b\n\x07"]) == "/* a * / int x; / * ? ?/\n   b */"
    assert [prefix(stem) for stem in ("9-x", "ü", "a.b c")] == ["m9_x", "model", "a_b_c"]


@needs_compiler
def test_columns_with_hostile_names_compile(tmp_path):
    frame = pl.DataFrame({"*/ #error \\": [1.5, 2.0, 4.0] * 9, "/*": ["a */", "b", "c\n"] * 9})
    preprocessing = Preprocessing.fit(frame)
    targets = Targets.fit(pl.DataFrame({"*/": ["x */", "y??/"] * 13 + ["y??/"]}), ["*/"])
    network = dr.Network(preprocessing.width, [dr.Dense(1, "sigmoid")], "binary_cross_entropy")
    model = Model(network, network.initial_parameters(), preprocessing, targets)
    assert ran(compiled(tmp_path, c_file(model), "-DDELTARULE_TEST"))[0] == 0


def test_rows_that_overflow_are_no_test():
    network = dr.Network(1, [dr.Dense(1, "exp")], "poisson")
    model = Model(network, ({"W": np.ones((1, 1), np.float32), "b": np.zeros((1, 1), np.float32)},))
    with pytest.raises(dr.DataError, match=r"overflow on all 2 rows.*Pass other rows"):
        c_file(model, rows=np.full((2, 1), 200.0))
    assert "test_X[1]" in c_file(model, rows=np.array([[1.0], [200.0]])).text


@needs_compiler
def test_the_documentations_program_learns(tmp_path):
    page = Path(__file__).parents[1] / "docs" / "export.md"
    programs = re.findall(r"```c\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (program,) = (text for text in programs if '"model.c"' in text)
    layers = [dr.Dense(16, "tanh"), dr.Dense(3, "softmax")]
    network = dr.Network(4, layers, "categorical_cross_entropy")
    model = Model(network, network.initial_parameters())
    save_c(tmp_path / "model.c", model, optimizer=dr.SGD(0.01))
    (tmp_path / "main.c").write_text(program)
    command = [COMPILER, *STRICT, "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    status, said = ran(tmp_path / "main")
    assert status == 0
    assert float(said.split()[0]) > 0.9  # the class it was shown


# ------------------------------------------------------------------------------------ refusals

DENSE = [dr.Dense(4, "tanh"), dr.Dense(1)]

REFUSED = {
    "optimizer": (DENSE, "lbfgs", "optimizer LBFGS has no step in C, because it works on all the"),
    "dropout": ([dr.Dense(4, dropout=0.5), dr.Dense(1)], "sgd", r"layer 1 has dropout=0\.5"),
    "batch": ([dr.Dense(4), dr.BatchNorm(), dr.Dense(1)], "sgd", "layer 2 is of kind 'batch_norm'"),
    "inner": (
        [dr.Parallel([(0, 5, [dr.Dense(2), dr.BatchNorm()])]), dr.Dense(1)],
        "sgd",
        r"layer 1\.1\.2 is of kind 'batch_norm'",
    ),
    "nothing": ([dr.PiecewiseLinear(cases.EDGES)], "sgd", "no parameters to train"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_c_cannot_train_is_refused_by_name(name):
    layers, optimizer, message = REFUSED[name]
    model = a_model(layers)
    with pytest.raises(dr.SettingError, match=message):
        c_file(model, optimizer=optimizer)
    assert "model_predict" in c_file(model).text


def branching(Z):
    return Z if Z.sum() > 0 else -Z


def test_rows_that_no_expression_says_are_refused_by_name():
    bent = dr.Activation("bent", branching, lambda Z: np.ones_like(Z))
    with pytest.raises(
        dr.SettingError, match=r"activation 'bent' cannot be exported, because it sums other"
    ):
        c_file(a_model([dr.Dense(2, bent)]))
    odd = dr.Cost("odd", lambda A, Y: np.sort(A - Y, axis=0)[0], lambda A, Y: A - Y)
    model = a_model(DENSE, cost=odd)
    assert "model_predict" in c_file(model).text  # whose cost predictions do not need
    with pytest.raises(
        dr.SettingError, match=r"cost 'odd' cannot be exported.* export without training"
    ):
        c_file(model, optimizer="sgd")

    class Normed(dr.GradientDescent):
        def update(self, W, dW, state, t, alpha):
            return W - alpha * dW / (dW * dW).sum(), ()

    with pytest.raises(dr.SettingError, match="optimizer 'Normed' cannot be exported"):
        c_file(a_model(DENSE), optimizer=Normed())


def test_rules_of_a_step_need_one():
    with pytest.raises(dr.SettingError, match="expected an optimizer beside it, got none"):
        c_file(a_model(DENSE), regularization=dr.Regularization(l2=0.1))


def test_a_failed_export_leaves_what_was_there(tmp_path):
    path = tmp_path / "m.c"
    path.write_text("old")
    with pytest.raises(dr.SettingError):
        save_c(path, a_model(DENSE), optimizer="lbfgs")
    assert path.read_text() == "old"


@needs_compiler
def test_a_step_of_members_is_a_runners(tmp_path):
    """Outputs in groups, of more than one member, with smoothed targets."""
    layers = [dr.Dense(8, "tanh"), dr.Shared(6, 4, "elu"), dr.Grouped(3, size=6)]
    model = a_model(layers, "float64", "softmax_cross_entropy(3)")
    rules = dr.Regularization(label_smoothing=0.1)
    made = c_file(model, optimizer=dr.SGD(0.1), regularization=rules)
    library = Library(tmp_path, made, "float64")
    X = cases.data_of("dense", m=9)[0]
    Y = np.tile(np.eye(3)[np.arange(9) % 3], 4)
    settings = {"optimizer": dr.SGD(0.1), "regularization": rules, "dtype": "float64"}
    runner = dr.start(model.network, engine="reference", parameters=model.parameters, **settings)
    for _ in range(3):
        assert library.step(X, Y, 0.1) == pytest.approx(runner.step(X, Y), rel=1e-9)


def test_the_covering_set_covers():
    met = [case(i) for i in range(len(OUTPUTS))]
    assert {kind for kind, *_ in met} == set(KINDS)
    assert {cost for *_, cost, _, _ in met} == set(COSTS)
    hidden = {layers[-3].g.name.partition("(")[0] for _, layers, *_ in met}
    assert hidden == set(ACTIVATIONS) - {"exp"}
    assert {type(o) for *_, o, _ in met} == {type(o) for o in OPTIMIZERS}
    assert len(set(itertools.chain(rules for *_, rules in met))) == len(RULES)
