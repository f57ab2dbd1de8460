"""The test within a C file: the vectors as arrays, and a main that compares."""

from __future__ import annotations

from deltarule.engines.plan import Plan
from deltarule.export.c_text import array
from deltarule.export.c_vectors import Vectors
from deltarule.expressions.c import number
from deltarule.modelfile import Model

_TEST = """\
#ifdef DELTARULE_TEST
{vectors}

/* How far predictions lie from the expected ones, as a share of their norm */
static double apart(const real *expected)
{{
    double difference = 0, norm = 0;
    for (int e = 0; e < {rows}; e++) {{
        real y[{outputs}];
        {name}_predict(test_X + e * {inputs}, y);
        for (int i = 0; i < {outputs}; i++) {{
            double a = (double)expected[e * {outputs} + i], b = (double)y[i];
            difference += (a - b) * (a - b);
            norm += a * a;
        }}
    }}
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}}

int main(void)
{{
    double far = apart(test_A);
    int good = far <= {tolerance};
    printf("{rows} predictions: relative error %.1e\\n", far);
{steps}    printf(good ? "passed\\n" : "FAILED\\n");
    return !good;
}}
#endif"""

_TEST_OF_STEPS = """\
    for (int t = 0; t < {steps}; t++) {{
        double cost = (double){name}_step(test_X, test_Y, {rows}, {rate});
        far = fabs(cost - (double)test_costs[t]);
        good = good && far <= {cost_tolerance};
        printf("step %d: cost %.9g, off by %.1e\\n", t + 1, cost, far);
    }}
    far = apart(test_after);
    good = good && far <= {tolerance};
    printf("predictions after {steps} steps: relative error %.1e\\n", far);
"""

_NO_STEPS = """\
    printf("the step is not compared: at every rate it overflows or rounding decides it\\n");
"""


def written_test(model: Model, plan: Plan | None, name: str, found: Vectors) -> str:
    """A main that compares with what the model says in float64.

    Parameters
    ----------
    model : Model
    plan : Plan or None
        Of training.
    name : str
        What the functions' names begin with.
    found : Vectors
        What it compares.
    """
    steps, network = found.steps, model.network
    values = {"test_X": found.X, "test_A": found.A}
    compared = "" if plan is None else _NO_STEPS
    if steps is not None:
        values |= {"test_Y": steps.Y, "test_costs": steps.costs, "test_after": steps.after}
        rate = f"{name.upper()}_RATE"
        if steps.factor != 1:
            rate += f" * {number(steps.factor, model.dtype)}"
        compared = _TEST_OF_STEPS.format(
            name=name,
            rate=rate,
            rows=len(found.X),
            steps=len(steps.costs),
            cost_tolerance=f"{steps.cost_tolerance:.1e}",
            tolerance=f"{steps.tolerance:.1e}",
        )
    return _TEST.format(
        name=name,
        rows=len(found.X),
        inputs=network.inputs,
        outputs=network.outputs,
        tolerance=f"{found.tolerance:.1e}",
        steps=compared,
        vectors="\n".join(
            array("static const real", label, numbers, model.dtype)
            for label, numbers in values.items()
        ),
    )
