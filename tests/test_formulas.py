"""Formulas for people: what is printed is what is computed, in every row and in both directions."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.errors import SettingError
from deltarule.expressions import (
    UntraceableError,
    apply,
    coefficient,
    constant,
    entry,
    evaluated,
    in_order,
    mathml,
    number,
    parsed,
    tex,
)
from deltarule.layers.numeric import COSINE
from deltarule.optimizers import OPTIMIZERS
from deltarule.row_expressions import (
    activation_expressions,
    derivative_formula_of,
    formula_of,
)

NUMBERED = (
    "leaky_relu(0.3)",
    "leaky_relu(0)",
    "leaky_relu(1e-07)",
    "elu(0.1234567890123)",
    "elu(2)",
)
ROWS = [*map(ACTIVATIONS, [*ACTIVATIONS, *NUMBERED]), COSINE]
ELEMENTWISE = [row for row in ROWS if row.g_prime is not None]
NUMBERED_COSTS = (
    *("huber(0.25)", "huber(3)", "quantile(0.9)", "quantile(0.123456789)", "focal(0)", "focal(1)"),
    *("focal(3.5)", "binary_focal(0)", "binary_focal(1)", "binary_focal(2.5)"),
)
ALL_COSTS = [COSTS(name) for name in (*COSTS, *NUMBERED_COSTS)]
OF_ONE_UNIT = [row for row in ALL_COSTS if row.group == 1]

Z = np.concatenate([np.random.default_rng(0).normal(0, 4, 200), np.linspace(-20, 20, 41)])[None]


def named(row):
    return row.name


def numbers(formula, **inputs):
    node = parsed(formula) if isinstance(formula, str) else formula
    shape = next(iter(inputs.values())).shape
    return np.broadcast_to(evaluated([node], inputs, "float64")[0], shape)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def units(row):
    """Outputs and targets of three units, with targets that are hit, and 0 and 1 where allowed."""
    rng = np.random.default_rng(1)
    A, Y = rng.uniform(0.02, 0.98, (2, 3, 60))
    if np.isinf(row.outputs.ends[1]):
        A, Y = 4 * A, 4 * Y
    if np.isinf(row.outputs.ends[0]):
        A, Y = A - 2, Y - 2
    A[:, :3] = Y[:, :3]  # every kink of A − Y
    Y[:, 3:6], Y[:, 6:9] = 0, 1
    return A, Y


# ------------------------------------------------------------------- rows say what they do


@pytest.mark.parametrize("row", ELEMENTWISE, ids=named)
def test_an_activations_formulas_are_what_it_computes(row):
    close(numbers(row.formula, z=Z), row.g(Z))
    close(numbers(row.formula_prime, z=Z), row.g_prime(Z))
    assert 0 in Z  # and so at every kink
    assert set(row.kinks) <= {0.0}


@pytest.mark.parametrize("row", OF_ONE_UNIT, ids=named)
def test_a_costs_formulas_are_what_it_computes(row):
    A, Y = units(row)
    close(numbers(row.formula, a=A, y=Y).sum(axis=0), row.loss(A, Y))
    close(numbers(row.formula_dA, a=A, y=Y), row.dA(A, Y))


def test_an_iverson_bracket_is_zero_whatever_it_multiplies():
    row = ACTIVATIONS("elu")
    assert numbers(row.formula_prime, z=np.array([[1000.0]])) == 1  # e^1000 is infinite


def corruptions(formula):
    """A formula with one sign, number or function changed."""
    changes = {" + ": " - ", " - ": " + ", "1": "2", "z": "2 z", "y_i": "2 y_i", ">": "<"}
    for old, new in changes.items():
        for found in re.finditer(re.escape(old), formula):
            yield formula[: found.start()] + new + formula[found.end() :]


def caught(formula, values, **inputs):
    """The corruptions that a comparison with the row's numbers finds."""
    for wrong in corruptions(formula):
        try:
            found = numbers(wrong, **inputs)
        except SettingError:  # no formula any more
            yield wrong
            continue
        if not np.allclose(found, values, rtol=1e-11, atol=1e-11):
            yield wrong


@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.numbers != (0.0,)], ids=named)
def test_a_corrupted_formula_of_an_activation_is_caught(row):
    for formula, values in ((row.formula, row.g(Z)), (row.formula_prime, row.g_prime(Z))):
        found = set(caught(formula, values, z=Z))
        assert 2 * len(found) >= len(set(corruptions(formula)))  # [2 z > 0] is [z > 0]


@pytest.mark.parametrize("row", OF_ONE_UNIT, ids=named)
def test_a_corrupted_formula_of_a_cost_is_caught(row):
    A, Y = units(row)
    found = list(caught(row.formula_dA, row.dA(A, Y), a=A, y=Y))
    assert set(found) == set(corruptions(row.formula_dA))


@pytest.mark.parametrize("name", ["softmax", "softmax_cross_entropy"])
def test_what_mixes_units_is_shown_and_not_computed(name):
    row = ACTIVATIONS(name) if name in ACTIVATIONS.entries else COSTS(name)
    assert "\\" not in mathml(row.formula)
    with pytest.raises(SettingError, match="formula"):
        parsed(row.formula)


# --------------------------------------------------------------------- printed expressions


@pytest.mark.parametrize("row", ELEMENTWISE, ids=named)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activations_printed_expressions_parse_back(row, dtype):
    for node, function in zip(
        activation_expressions(row, dtype), (row.g, row.g_prime), strict=True
    ):
        close(numbers(tex({"": node}), z=Z), function(Z))


@pytest.mark.parametrize("row", OF_ONE_UNIT, ids=named)
def test_a_costs_printed_expressions_parse_back(row):
    A, Y = units(row)
    bare = replace(row, formula="", formula_dA="")
    close(numbers(formula_of(bare), a=A, y=Y).sum(axis=0), row.loss(A, Y))
    close(numbers(derivative_formula_of(bare), a=A, y=Y), row.dA(A, Y))


def test_a_custom_row_has_the_formula_of_its_functions():
    softsign = dr.Activation(
        "softsign", lambda Z: Z / (1 + abs(Z)), lambda Z: 1 / (1 + abs(Z)) ** 2
    )
    assert formula_of(softsign) == r"\frac{z}{1 + \lvert z \rvert}"
    assert derivative_formula_of(softsign) == r"\frac{1}{(1 + \lvert z \rvert)^2}"
    assert formula_of(replace(softsign, formula="z")) == "z"
    assert derivative_formula_of(replace(softsign, formula_prime="1")) == "1"
    fourth = dr.Cost(
        "fourth", lambda A, Y: ((A - Y) ** 4).sum(axis=0), lambda A, Y: 4 * (A - Y) ** 3
    )
    assert formula_of(fourth) == r"\sum_i (a_i - y_i)^4"
    assert derivative_formula_of(fourth) == "4 (a_i - y_i)^3"


def test_a_loss_that_is_less_than_nothing_has_its_sign_before_the_sum():
    cost = dr.Cost("gain", lambda A, Y: -(A * Y).sum(axis=0), lambda A, Y: -Y)
    assert formula_of(cost) == r"-\sum_i a_i y_i"
    assert derivative_formula_of(cost) == "-y_i"


def test_a_row_that_cannot_be_traced_says_why():
    def branching(Z):
        return Z if Z.max() > 0 else 0 * Z

    row = dr.Activation("branching", branching, np.ones_like)
    with pytest.raises(UntraceableError, match="max"):
        formula_of(row)
    assert formula_of(replace(row, formula="z")) == "z"
    with pytest.raises(UntraceableError, match="mixes the units"):
        formula_of(replace(ACTIVATIONS("softmax"), formula=""))


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_optimizers_update_is_printed(name):
    optimizer = OPTIMIZERS(name)
    if optimizer.full_batch:
        with pytest.raises(UntraceableError):
            formula_of(optimizer)
        return
    formula = formula_of(optimizer)
    assert formula.count(r"\leftarrow") == 1 + len(optimizer.slots)
    assert "\\" not in mathml(formula)


def test_momentum_is_printed_as_it_is_written():
    assert formula_of(dr.SGD(0.1, momentum=0.9)) == (
        r"W \leftarrow W + 0.9 V - \alpha \operatorname{dW},\; "
        r"V \leftarrow 0.9 V - \alpha \operatorname{dW}"
    )


def test_long_parts_that_recur_get_letters():
    z = entry("z")
    part = apply("exp", apply("add", apply("multiply", z, constant(3)), apply("sin", z)))
    both = apply("divide", part, apply("add", part, constant(1)))
    assert tex({"": both}) == r"\frac{s}{s + 1},\; s = e^{3 z + \sin(z)}"
    assert tex({"": both}, {"z": "s"}).startswith(r"\frac{u}{u + 1}")  # s is taken
    assert tex({"": both}, {"z": "a_i"}, "i").startswith(r"\frac{s_i}{s_i + 1},\; s_i =")


def test_what_doubles_at_every_operation_stays_short():
    node = entry("z")
    for _ in range(60):
        node = apply("sin", apply("add", node, apply("exp", node)))
    assert len(tex({"": node})) < 4000
    close(numbers(tex({"": node}), z=Z), numbers(node, z=Z))


z = entry("z")
LEAVES = st.one_of(st.just(z), st.floats(-4, 4).map(lambda x: constant(round(x, 3))))
UNARY = ("negative", "abs", "sign", "floor", "tanh", "sin", "cos", "arctan", "erf")
BINARY = ("add", "subtract", "multiply", "minimum", "maximum")
MASKS = ("less", "less_equal", "equal")


def above(node):
    return apply("add", constant(1.5), apply("abs", node))


def grown(nodes):
    masks = st.builds(apply, st.sampled_from(MASKS), nodes, nodes)
    masks = st.one_of(
        masks,
        masks.map(lambda mask: apply("not", mask)),
        st.builds(apply, st.sampled_from(("and", "or")), masks, masks),
    )
    return st.one_of(
        st.builds(apply, st.sampled_from(UNARY), nodes),
        st.builds(apply, st.sampled_from(BINARY), nodes, nodes),
        st.builds(
            lambda a, b: apply("divide", a, apply("add", constant(1.5), apply("abs", b))),
            nodes,
            nodes,
        ),
        st.builds(lambda a: apply("sqrt", apply("abs", a)), nodes),
        st.builds(lambda a: apply("log1p", apply("abs", a)), nodes),
        st.builds(lambda a: apply("exp", apply("sin", a)), nodes),
        st.builds(lambda a: apply("expm1", apply("tanh", a)), nodes),
        st.builds(lambda a: apply("power", apply("abs", a), constant(1.5)), nodes),
        st.builds(lambda c, a, b: apply("where", c, a, b), masks, nodes, nodes),
    )


POINTS = np.array([[-3.7, -1.3, -0.6, 0.0, 0.21, 1.9, 5.3]])


@given(st.recursive(LEAVES, grown, max_leaves=12))
def test_any_expression_is_printed_as_what_it_computes(node):
    printed = tex({"": node})
    assert "\\" not in mathml(printed)
    expected, found = numbers(node, z=POINTS), numbers(printed, z=POINTS)
    jumps = {"sign", "floor", "less", "less_equal", "equal"}  # which rounding may move
    if not jumps & {each.name for each in in_order([node])}:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (1 - 0.9, "0.1"), (-3, "-3"), (2e-7, r"2 \cdot 10^{-7}"), (1e30, "10^{30}")],
)
def test_numbers_are_short_and_exact(value, text):
    assert number(value) == text
    close(numbers(text, z=np.zeros((1, 1))), value)


@given(st.floats(allow_nan=False))
def test_a_number_is_read_as_what_it_was(value):
    found = float(numbers(number(value), z=np.zeros((1, 1)))[0, 0])
    assert found == pytest.approx(value, rel=1e-12)


def test_a_coefficient_of_one_is_left_out():
    assert [coefficient(value) for value in (1, 1.0, -1, 0.5)] == ["", "", "-1 ", "0.5 "]


# ------------------------------------------------------------------------ TeX that is read


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"2 z^2 - z", "subtract(multiply(2.0, multiply(z, z)), z)"),
        (r"-z^{-1}", "negative(divide(1.0, z))"),
        (r"\frac12 z", "multiply(0.5, z)"),
        (r"z^10", "multiply(z, 0.0)"),  # TeX takes one digit: z¹0
        (r"\tanh^2 z", "multiply(tanh(z), tanh(z))"),
        (r"\log 2 z", "multiply(0.6931471805599453, z)"),
        (r"\max(z, 0, -1)", "maximum(maximum(z, 0.0), -1.0)"),
        (r"\left( z \right)", "z"),
        (r"\lvert z \rvert + |z|", "add(abs(z), abs(z))"),
        (r"\sqrt{z} \lfloor z \rfloor", "multiply(sqrt(z), floor(z))"),
        (r"[0 < z \le 1]", "where(and(less(0.0, z), less_equal(z, 1.0)), 1.0, 0.0)"),
        (r"s^2,\; s = z + 1", "multiply(add(z, 1.0), add(z, 1.0))"),
        (r"\frac{1}{2} \sum_i (y_i - a_i)^2", None),
    ],
)
def test_tex_is_read_as_mathematicians_do(formula, expected):
    if expected is not None:
        assert repr(parsed(formula)) == expected
    assert "\\" not in mathml(formula)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("", "lacks a number"),
        ("z +", "lacks a number"),
        ("q", "does not say what q stands for"),
        ("z + u, u = v, v = z", "does not say what v stands for"),
        ("(z", r"no \)"),
        ("z)", "nothing to close"),
        (r"\frac{z}", "nothing where a symbol"),
        (r"\oint z", "an unknown symbol"),
        ("z^", "nothing where a symbol"),
        (r"\log(z)^2", "power behind"),
        (r"\tanh(z, z)", "applies tanh to 2 numbers"),
        (r"z > 0", "nothing is expected"),
        (r"\sum_i a_i + 1", "add of a sum over units"),
        (r"(\sum_i a_i)^2", "sum over units"),
        (r"\sum_k a_k", "what ∑_k stands for"),
        (r"z_k", "does not say what z_k stands for"),
        (r"\lVert a \rVert", "mixes units"),
        (r"\text{above}", "where a number is expected"),
        (r"\begin{cases} z & z \end{cases}", "a condition is expected"),
        ("z, 1", "definition"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_formula_and_the_reason(formula, why):
    with pytest.raises(SettingError, match=why) as caught:
        parsed(formula)
    assert repr(formula) in str(caught.value)


@given(st.text("z12^_{}()[]|\\,; frac+-<>&maxlogcases'", max_size=30))
def test_any_text_is_read_or_refused(text):
    ElementTree.fromstring(mathml(text))
    try:
        parsed(text)
    except SettingError as error:
        assert repr(text) in str(error)  # noqa: PT017 - most texts are refused


def test_cases_hold_where_they_say():
    formula = r"\begin{cases} 1 & z > 1 \\ -1 & \text{if } z < -1 \end{cases}"
    found = numbers(formula, z=np.array([[-2.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(found, [[-1, np.nan, 1]])


# ------------------------------------------------------------------------------- MathML

ELEMENTS = {  # of MathML Core
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup"),
    *("msubsup", "munder", "munderover", "mtable", "mtr", "mtd"),
}
CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "munderover": 3}


@pytest.mark.parametrize("row", [*ROWS, *ALL_COSTS], ids=named)
def test_mathml_is_well_formed_and_standard(row):
    for formula in (formula_of(row), derivative_formula_of(row)):
        root = ElementTree.fromstring(mathml(formula))
        assert root.tag == "math"
        for element in root.iter():
            assert element.tag in ELEMENTS
            assert "\\" not in (element.text or "")
            assert len(element) == CHILDREN.get(element.tag, len(element))


def test_mathml_of_a_formula():
    assert mathml(r"-\log a_i") == (
        '<math><mo form="prefix">−</mo><mi>log</mi><mspace width="0.17em"/>'
        "<msub><mi>a</mi><mi>i</mi></msub></math>"
    )
    assert "<munder><mo>∑</mo><mi>i</mi></munder>" in mathml(r"\sum_i y_i")
    assert "<msubsup>" in mathml("e_i^2") == mathml("e^2_i")
    assert mathml("z < 1") == "<math><mi>z</mi><mo>&lt;</mo><mn>1</mn></math>"


def test_brackets_are_as_tall_as_fractions_and_no_taller_than_letters():
    assert 'stretchy="false"' in mathml("(y_i - a_i)^2")
    assert "stretchy" not in mathml(r"(\frac{1}{2})")


def test_a_formula_beyond_this_part_of_tex_is_shown_as_it_stands():
    assert mathml(r"\oint z & <") == r"<math><mtext>\oint z &amp; &lt;</mtext></math>"
