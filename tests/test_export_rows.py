"""Every row in C and ONNX beside the row itself: at kinks, zeros, infinities and between."""

import ctypes
import math
import shutil
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from tests import layer_cases as cases
from tests.test_export_c import Library, apart, compiled, flat, needs_compiler

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.arrays import namespace
from deltarule.costs import COSTS
from deltarule.export import c_file, onnx_bytes, onnx_rows
from deltarule.export.c_step import BY_HAND
from deltarule.export.c_text import kernels
from deltarule.export.rows import SOFTMAX
from deltarule.expressions import OPERATIONS, apply, c, constant, entry, evaluated
from deltarule.layers.numeric import COSINE
from deltarule.modelfile import Model
from deltarule.optimizers import OPTIMIZERS
from deltarule.row_expressions import WRITTEN_BY_HAND, activation_expressions, cost_expressions

DTYPES = ["float32", "float64"]


def own(name, g, g_prime):
    return dr.Activation(name, g, g_prime)


SOFTSIGN = own("softsign", lambda Z: Z / (1 + abs(Z)), lambda Z: 1 / (1 + abs(Z)) ** 2)


def hinge(Z):
    return namespace(Z).where((Z > 0) & ~(Z > 2) | (Z < -3), Z, 0.25 * Z)


def hinge_prime(Z):
    return 0.25 + 0.75 * ((Z > 0) & ~(Z > 2) | (Z < -3)).astype(Z.dtype)


CUSTOM = [
    SOFTSIGN,
    own("exp", lambda Z: np.arctan(Z), lambda Z: 1 / (1 + Z * Z)),
    own("int", lambda Z: np.log1p(Z * Z), lambda Z: 2 * Z / (1 + Z * Z)),
    own("my act!", hinge, hinge_prime),
    own("my_act", lambda Z: np.sin(Z) + 0.5 * Z, lambda Z: np.cos(Z) + 0.5),
    own(
        "leaky_relu(0.1)",
        lambda Z: np.expm1(np.minimum(Z, 0.5)),
        lambda Z: (Z > 0.5).astype(Z.dtype) + 2.0,
    ),
    own("\u00e4", lambda Z: np.sign(Z) * np.sqrt(abs(Z)), lambda Z: 0.5 * (Z**4 + 1) ** -0.75),
    own("identity", lambda Z: 3 * Z - np.floor(Z), lambda Z: 0 * Z + 3),
    own("softmax", lambda Z: -Z - (Z - 1), lambda Z: np.full_like(Z, -2)),
    own("straight", lambda Z: np.sign(Z), lambda Z: np.ones_like(Z)),
    own("the same", lambda Z: np.ones_like(Z), lambda Z: 0.0 * Z),
    own("the same", lambda Z: Z, lambda Z: 2 * np.ones_like(Z)),
    own("predict", lambda Z: np.maximum(Z, -1), lambda Z: (Z >= -1).astype(Z.dtype)),
]
"""Names that C has or could not have, names of the tables, two rows of one name."""

LISTED = [
    *(ACTIVATIONS(name) for name in ACTIVATIONS if name not in WRITTEN_BY_HAND),
    *map(ACTIVATIONS, ("leaky_relu(0.3)", "leaky_relu(0)", "elu(0.7)")),
    COSINE,
]

POINTS = [0.0, 1e-30, 1e-4, 0.3, 0.5, 1.0, 1.19, 2.0, 3.0, 7.5, 30.0, 100.0, 1e4, np.inf]
ARGUMENTS = np.array([*POINTS, *(-z for z in POINTS), np.nan])


def close(found, expected, z):
    """Equal but for some units of the last place: of the result, and of the argument."""
    units = 16 * np.finfo(found.dtype).eps
    slack = np.where(np.isfinite(z), units * abs(z), 0.0) + np.finfo(found.dtype).tiny
    with np.errstate(invalid="ignore"):
        near = abs(found - expected) <= slack + units * abs(expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected)) | near
    assert same.all(), list(zip(z[~same], found[~same], expected[~same], strict=True))


# ----------------------------------------------------------------------------------- C


HEAD = """\
#include <math.h>
#define FN(name) {}
typedef {} real;
typedef double sum;
"""


class Compiled:
    """Expressions as C functions of ``z, a, y``, all in one file."""

    def __init__(self, folder, dtype, expressions):
        self.dtype = np.dtype(dtype)
        functions, places = c.Functions(self.dtype), {n: f"{n}[i]" for n in "zay"}
        cases = [
            f"case {i}: for (int i = 0; i < n; i++) out[i] = {call}; break;"
            for i, (hint, node) in enumerate(expressions)
            for call in [functions.call(hint, node, places)]
        ]
        body = "\n".join(
            [
                "void row(int k, const real *z, const real *a, const real *y, real *out, int n)",
                "{",
                "(void)z, (void)a, (void)y;",
                "switch (k) {",
                *cases,
                "}",
                "}",
            ]
        )
        code = "\n\n".join([*functions.definitions, body])
        kind = ("name##f", "float") if dtype == "float32" else ("name", "double")
        text = "\n\n".join([HEAD.format(*kind), *kernels(code), code])
        made = SimpleNamespace(text=text + "\n")
        self.library = ctypes.CDLL(str(compiled(folder, made, "-shared", "-fPIC")))

    def __call__(self, k, z, a=None, y=None):
        given = [np.ascontiguousarray(z if v is None else v, self.dtype) for v in (z, a, y)]
        out = np.empty_like(given[0])
        pointers = [ctypes.c_void_p(v.ctypes.data) for v in (*given, out)]
        self.library.row(k, *pointers, out.size)
        return out


def activations_agree(folder, dtype, rows):
    """g and g' of all rows, in C and in Python."""
    expressions = [
        (f"g {row.name}{' prime' * prime}", activation_expressions(row, dtype)[prime])
        for row in rows
        for prime in (0, 1)
    ]
    run, Z = Compiled(folder, dtype, expressions), ARGUMENTS.astype(dtype)
    for k, row in enumerate(rows):
        with np.errstate(all="ignore"):
            expected = row.g(Z[None])[0], row.g_prime(Z[None])[0]
        close(run(2 * k, Z), expected[0], Z)
        close(run(2 * k + 1, Z), expected[1], Z)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_in_c(dtype, tmp_path):
    activations_agree(tmp_path, dtype, [*LISTED, *CUSTOM])


@needs_compiler
@pytest.mark.skipif(shutil.which("clang") is None, reason="a second compiler")
def test_another_compiler_has_no_warning_either(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.test_export_c.COMPILER", shutil.which("clang"))
    activations_agree(tmp_path, "float32", [*LISTED, *CUSTOM])
    compiled(tmp_path, hostile_file()[1], "-c")


LOG_COSH = dr.Cost(
    "double",
    lambda A, Y: (np.logaddexp(A - Y, Y - A) - math.log(2.0)).sum(axis=0),
    lambda A, Y: np.tanh(A - Y),
)

SMOOTH = dr.Cost(
    "smooth error!",
    lambda A, Y: 3.0 * np.sqrt(1.0 + (A - Y) ** 2).sum(axis=0),
    lambda A, Y: 3.0 * (A - Y) / np.sqrt(1.0 + (A - Y) ** 2),
)

NUMBERED_COSTS = ["huber(0.3)", "quantile(0.9)", "focal(0)", "focal(1.5)", "binary_focal(0)"]
NUMBERED_COSTS += ["binary_focal(3)", "focal(1)"]

COST_ROWS = [
    (row, g)
    for row in [*map(COSTS, [*COSTS, *NUMBERED_COSTS]), LOG_COSH, SMOOTH]
    for g in (None, *row.fused)
    if row.group == 1 and g != "softmax"
]
"""Every cost that is not a softmax, alone and fused."""


def within(interval, dtype):
    """Numbers of an interval, close to its ends, and infinity where it reaches there."""
    tiny, eps = 1e-30, float(np.finfo(dtype).eps)
    values = [*POINTS, *(-z for z in POINTS), 1.0 - eps, 0.1, 0.999]
    low, high = interval.ends
    return [
        v
        for v in (*values, tiny)
        if interval.holds(np.array(v)) or (v in (low, high) and abs(v) > 2)
    ]


def costs_agree(folder, dtype):
    """The loss of one unit and dA, or δ, of all costs, in C and in Python."""
    found = [cost_expressions(row, ACTIVATIONS(g) if g else None, 3, dtype) for row, g in COST_ROWS]
    expressions = [
        (f"{what} {row.name}", getattr(one, field))
        for one, (row, _) in zip(found, COST_ROWS, strict=True)
        for what, field in (("loss", "loss"), ("delta" if one.is_delta else "dA", "d"))
    ]
    run = Compiled(folder, dtype, expressions)
    for k, (row, g) in enumerate(COST_ROWS):
        first = POINTS + [-z for z in POINTS] if g else within(row.outputs, dtype)
        grid = np.meshgrid(first, within(row.targets, dtype))
        z, y = (np.ascontiguousarray(v.ravel(), dtype) for v in grid)
        assert z.size > 20
        with np.errstate(all="ignore"):
            if g:
                a, pair = ACTIVATIONS(g).g(z), row.fused[g]
                expected = pair.loss(z[None], y[None]), pair.delta(z[None], a[None], y[None])[0]
            else:
                a = z
                expected = row.loss(a[None], y[None]), row.dA(a[None], y[None])[0]
            scale = np.maximum(abs(z), abs(y)) * np.where(abs(y) < 1, 1, abs(y))
        close(run(2 * k, z, a, y), expected[0], scale)
        close(run(2 * k + 1, z, a, y), expected[1], scale)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_costs_in_c(dtype, tmp_path):
    costs_agree(tmp_path, dtype)


@dataclass(frozen=True)
class Three(dr.Optimizer):
    """Three slots, named as no variable can be; one is the former parameter, none begins at 0."""

    slots: ClassVar[tuple[str, ...]] = ("int", "my slot!", "my_slot")

    def init(self, W):
        return 0.5 + abs(W), namespace(W).ones_like(W), W

    def update(self, W, dW, state, t, alpha):
        mean, most, former = state
        xp = namespace(W)
        new_mean = 0.9 * mean + 0.1 * dW * dW
        new_most = xp.maximum(most * 0.99, new_mean)
        pace = xp.minimum(t / 4.0, 1.0) / (1.0 + 0.1 * t)
        W_new = W - alpha * pace * dW / (xp.sqrt(new_most) + 1e-3) + 0.1 * (W - former)
        return W_new, (new_mean, new_most, W)


@dataclass(frozen=True)
class Decayed(dr.GradientDescent):
    """Without a state, with decay, its rate a function of t and alpha."""

    weight_decay: float = 0.2

    def update(self, W, dW, state, t, alpha):
        return W - (alpha / namespace(t).sqrt(t)) * dW, ()


@dataclass(frozen=True)
class Fixed(dr.GradientDescent):
    """Whatever the rate; its state is what it last saw."""

    slots: ClassVar[tuple[str, ...]] = ("W",)

    def update(self, W, dW, state, t, alpha):
        return W - 0.05 * dW - 0.01, (dW,)


STEPPING = [
    *(type(OPTIMIZERS(name))() for name in OPTIMIZERS if name != "lbfgs"),
    dr.SGD(momentum=0.8, nesterov=True),
    dr.SGD(momentum=0.0),
    dr.Adam(epsilon_inside=True, beta_1=0.0),
    dr.Lion(weight_decay=0.3),
    Three(0.05),
    Decayed(0.1),
    Fixed(),
]


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_optimizers_in_c(dtype, tmp_path):
    network = dr.Network(5, [dr.Scale(rate=3.0), dr.Dense(6, "tanh"), dr.Dense(2)], SMOOTH)
    model = Model(network, network.initial_parameters(0, dtype))
    X = cases.data_of("dense", m=12)[0].astype(dtype)
    Y = np.ascontiguousarray(np.tanh(X[:, :2] + 0.3))
    texts = [c_file(model, name=f"o{i}", optimizer=o).text for i, o in enumerate(STEPPING)]
    for i, text in enumerate(texts[:-1]):
        (tmp_path / f"o{i}.c").write_text(text)
    others = [str(tmp_path / f"o{i}.c") for i in range(len(texts) - 1)]
    last = SimpleNamespace(text=texts[-1])
    library = ctypes.CDLL(str(compiled(tmp_path, last, "-shared", "-fPIC", *others)))
    for i, optimizer in enumerate(STEPPING):
        rate, settings = optimizer.schedule.rate, {"engine": "reference", "dtype": dtype}
        runner = dr.start(network, optimizer=optimizer, parameters=model.parameters, **settings)
        own = Library(tmp_path, None, dtype, library, f"o{i}")
        for _ in range(6):
            assert own.step(X, Y, rate) == pytest.approx(runner.step(X, Y), rel=1e-5)
        far = apart(own.parameters(network.parameter_count), flat(runner.parameters()))
        assert far < {"float32": 5e-6, "float64": 1e-13}[dtype], optimizer


def hostile_file():
    """Called so that its functions begin as those of activations do."""
    layers = [
        *(dr.Dense(3, g) for g in CUSTOM if g.name not in ("the same", "straight")),
        dr.Parametric(CUSTOM[1]),
        dr.Dense(2, "relu"),
        dr.Dense(2, CUSTOM[-2]),
    ]
    network = dr.Network(5, layers, LOG_COSH)
    model = Model(network, network.initial_parameters(1, "float64"))
    return model, c_file(model, name="g", optimizer=Three(0.02))


@needs_compiler
def test_a_file_of_hostile_names_trains_as_a_runner(tmp_path):
    model, made = hostile_file()
    network = model.network
    loaded = ctypes.CDLL(str(compiled(tmp_path, made, "-shared", "-fPIC")))
    library = Library(tmp_path, None, "float64", loaded, "g")
    X = cases.data_of("dense", m=7)[0]
    Y = np.full((7, 2), 0.4)
    runner = dr.start(
        network,
        engine="reference",
        optimizer=Three(0.02),
        dtype="float64",
        parameters=model.parameters,
    )
    for _ in range(4):
        assert library.step(X, Y, 0.02) == pytest.approx(runner.step(X, Y), rel=1e-12)
    assert apart(library.parameters(network.parameter_count), flat(runner.parameters())) < 1e-12
    assert apart(library.predict(X, 2), runner.predict(X)) < 1e-12


@needs_compiler
def test_a_state_that_does_not_begin_at_zero_is_counted(tmp_path):
    network = dr.Network(2, [dr.Dense(3)])
    model = Model(network, network.initial_parameters())
    made, without = (c_file(model, optimizer=o) for o in (Three(0.1), "adam"))
    assert "static real slot_my_slot_2[9] = {" in made.text
    assert made.flash == without.flash + 3 * 9 * 4
    assert made.ram == without.ram + 9 * 4


# -------------------------------------------------------------------------------- ONNX


def graphs_agree(dtype, row):
    """An activation in ONNX Runtime, in onnx's own reference, and in Python."""
    network = dr.Network(1, [dr.Dense(2, row)])
    same = {"W": np.ones((2, 1), dtype), "b": np.zeros((2, 1), dtype)}
    content, Z = onnx_bytes(Model(network, (same,))), ARGUMENTS.astype(dtype)[:, None]
    with np.errstate(all="ignore"):
        expected = row.g(Z)
        runtime = onnxruntime.InferenceSession(content).run(None, {"X": Z})[0]
        reference = ReferenceEvaluator(content).run(None, {"X": Z})[0]
    single = row.name in ("gelu", "exp") and dtype == "float64"  # erf, arctan: through float32
    for found in (runtime, reference):
        assert found.dtype == np.dtype(dtype)
        if single:
            np.testing.assert_allclose(found[:, :1], expected, rtol=1e-6, atol=1e-6)
        else:
            close(found, np.hstack([expected, expected]), np.hstack([Z, Z]))


SHOWN = [*LISTED, *CUSTOM]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("i", range(len(SHOWN)))
def test_activations_in_onnx(i, dtype):
    graphs_agree(dtype, SHOWN[i])


def test_a_constant_activation_has_a_layers_shape():
    row = own("half", lambda Z: np.full_like(Z, 0.5), lambda Z: np.zeros_like(Z))
    network = dr.Network(2, [dr.Dense(3, row)])
    model = Model(network, network.initial_parameters())
    X = np.ones((4, 2), np.float32)
    (A,) = onnxruntime.InferenceSession(onnx_bytes(model)).run(None, {"X": X})
    np.testing.assert_array_equal(A, np.full((4, 3), 0.5, np.float32))


# ----------------------------------------------------------------------------- printers


def test_what_is_written_by_hand_is_what_the_list_says():
    by_hand = {SOFTMAX.name, *BY_HAND, "lbfgs"}
    assert by_hand == set(WRITTEN_BY_HAND)


def test_brackets_are_few_and_none_is_missing():
    z, y = entry("z"), entry("y")
    text = {
        "z - (y - z)": ("subtract", z, apply("subtract", y, z)),
        "z - y - z": ("subtract", apply("subtract", z, y), z),
        "z * (y / z)": ("multiply", z, apply("divide", y, z)),
        "(z + y) / -z": ("divide", apply("add", z, y), apply("negative", z)),
        "-(z * y)": ("negative", apply("multiply", z, y)),
        "-FN(fabs)(z)": ("negative", apply("abs", z)),
        "(z < y ? z : y) + z": ("add", apply("where", apply("less", z, y), z, y), z),
        "z < y + z ? 1.0f : 0.0f": (
            "where",
            apply("less", z, apply("add", y, z)),
            constant(1),
            constant(0),
        ),
        "!(z <= y) || (z == y && y < z) ? z : y": (
            "where",
            apply(
                "or",
                apply("not", apply("less_equal", z, y)),
                apply("and", apply("equal", z, y), apply("less", y, z)),
            ),
            z,
            y,
        ),
    }
    for expected, (name, *arguments) in text.items():
        parts, (found,) = c.printed(
            [apply(name, *arguments)], {"z": "z", "y": "y"}, np.dtype("float32")
        )
        assert (parts, found) == ([], expected)


def drawn(rng, depth, is_mask=False):
    """A random expression of operations that are rounded exactly, and tell no zero from another."""
    if depth == 0 and not is_mask:
        return entry("zay"[rng.integers(3)]) if rng.random() < 0.7 else constant(rng.normal())
    masks = ["less", "less_equal", "equal", *(["and", "or", "not"] if depth > 1 else [])]
    numbers = ["add", "subtract", "multiply", "minimum", "maximum", "negative", "abs", "sign"]
    name = str(rng.choice(masks if is_mask else [*numbers, "floor", "where", "divide"]))
    kinds = OPERATIONS[name].arguments
    own = [drawn(rng, max(depth - rng.integers(1, 3), 0), kind == "m") for kind in kinds]
    return apply(name, *own) if name != "divide" else apply(name, own[0], constant(3.0))


@needs_compiler
def test_random_expressions_are_what_they_say_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(3)
    expressions = [("random", drawn(rng, depth)) for depth in (2, 4, 6, 8) for _ in range(60)]
    run = Compiled(tmp_path, "float64", expressions)
    given = dict(zip("zay", rng.integers(-3, 4, (3, 200)) / 2.0, strict=True))
    given["a"][::50] = np.nan
    for k, (_, node) in enumerate(expressions):
        (expected,) = evaluated([node], given, "float64")
        np.testing.assert_array_equal(run(k, **given), np.broadcast_to(expected, 200))


def test_a_deep_expression_is_printed_in_pieces():
    node = entry("z")
    for _ in range(3000):
        node = apply("tanh", apply("add", constant(0.1), node))
    parts, (found,) = c.printed([node], {"z": "z"}, np.dtype("float64"))
    assert max(map(len, [*parts, found])) < 160


def test_a_number_beyond_the_type_is_infinite_in_a_graph_and_refused_in_c():
    far = own("far", lambda Z: Z * 1e300, lambda Z: np.full_like(Z, 1e300))
    network = dr.Network(1, [dr.Dense(1, far)])
    with pytest.raises(dr.SettingError, match=r"the number 1e\+300, which is beyond float32"):
        c_file(Model(network, network.initial_parameters()))
    graphs_agree("float32", far)


FAULTS = {
    "a sign": ("subtract", ("+", *c._BETWEEN["subtract"][1:])),
    "a bracket": ("divide", ("/", *c._BETWEEN["divide"][1:3], 0)),
    "a comparison": ("less", ("<=", *c._BETWEEN["less"][1:])),
}


@needs_compiler
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_printer_of_c_is_found(fault, tmp_path, monkeypatch):
    monkeypatch.setitem(c._BETWEEN, *FAULTS[fault])
    with pytest.raises(AssertionError, match=r"np\.float64"):
        activations_agree(tmp_path, "float64", LISTED)


@needs_compiler
@pytest.mark.parametrize("agree", [activations_agree, costs_agree])
def test_a_constant_that_is_off_is_found(agree, tmp_path, monkeypatch):
    number = c.number
    monkeypatch.setattr(c, "number", lambda value, dtype: number(value * (1 + 1e-5), dtype))
    rows = [LISTED] if agree is activations_agree else []
    with pytest.raises(AssertionError, match=r"np\.float32"):
        agree(tmp_path, "float32", *rows)


@pytest.mark.parametrize(
    ("name", "operator"), [("negative", "Abs"), ("add", "Sub"), ("log1p", "Log")]
)
def test_a_fault_in_the_printer_of_onnx_is_found(name, operator, monkeypatch):
    monkeypatch.setitem(onnx_rows.OPERATIONS, name, onnx_rows._single(operator))
    with pytest.raises(AssertionError, match=r"np\.float32"):
        graphs_agree("float32", ACTIVATIONS("softplus" if name != "add" else "gelu"))
