"""The test within a C file: rows, what the model says of them in float64, and a main to compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deltarule.arrays import Array
from deltarule.engines import start
from deltarule.engines.plan import Plan
from deltarule.errors import DataError
from deltarule.export.c_text import array
from deltarule.modelfile import Model

_TEST_STEPS = 3

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
    int good = far <= 1e-6;
    printf("{rows} predictions: relative error %.1e\\n", far);
{steps}    printf(good ? "passed\\n" : "FAILED\\n");
    return !good;
}}
#endif"""

_TEST_OF_STEPS = """\
    for (int t = 0; t < {steps}; t++) {{
        double cost = (double){name}_step(test_X, test_Y, {rows}, {upper}_RATE);
        far = fabs(cost - (double)test_costs[t]);
        good = good && far <= {tolerance} * (1 + fabs((double)test_costs[t]));
        printf("step %d: cost %.9g, off by %.1e\\n", t + 1, cost, far);
    }}
    far = apart(test_after);
    good = good && far <= {tolerance};
    printf("predictions after {steps} steps: relative error %.1e\\n", far);
"""

_TOLERANCE = {"float32": "1e-4", "float64": "1e-9"}
"""Of the test's steps: rounding grows from step to step."""


def written_test(model: Model, plan: Plan | None, name: str, X: Array) -> str:
    """A main that compares with what the model says in float64."""
    parameters = tuple(
        {n: W.astype(np.float64) for n, W in own.items()} for own in model.parameters
    )
    exact = Model(model.network, parameters)
    A = exact.outputs(X)
    usable = (abs(A) <= np.finfo(model.dtype).max).all(axis=1)
    if not usable.any():
        raise DataError(
            f"export: the model's own predictions overflow on all {len(A)} rows of the file's "
            "test; expected some that are finite. Pass rows of your own, with --check."
        )
    X, A = X[usable], A[usable]
    vectors = {"test_X": X, "test_A": A}
    steps = ""
    if plan is not None:
        Y = _made_up_targets(model, A).astype(model.dtype)
        vectors |= {
            "test_Y": Y,
            **_stepped(exact, plan, X.astype(np.float64), Y.astype(np.float64)),
        }
        steps = _TEST_OF_STEPS.format(
            name=name,
            upper=name.upper(),
            rows=len(X),
            steps=_TEST_STEPS,
            tolerance=_TOLERANCE[model.dtype.name],
        )
    return _TEST.format(
        name=name,
        rows=len(X),
        inputs=model.network.inputs,
        outputs=model.network.outputs,
        steps=steps,
        vectors="\n".join(
            array("static const real", label, values, model.dtype)
            for label, values in vectors.items()
        ),
    )


def _stepped(exact: Model, plan: Plan, X: Array, Y: Array) -> dict[str, Array]:
    """The costs of some steps, and the predictions after them, by the reference."""
    runner = start(
        exact.network,
        optimizer=replace(plan.optimizer_row, learning_rate=rate_of(plan)),
        regularisation=plan.regularisation,
        engine="reference",
        dtype="float64",
        parameters=exact.parameters,
    )
    costs = np.array([runner.step(X, Y) for _ in range(_TEST_STEPS)])
    return {"test_costs": costs, "test_after": runner.predict(X)}


def _made_up_targets(model: Model, A: Array) -> Array:
    """Some way from each row's outputs to the next row's: always what the cost allows."""
    way = np.linspace(0.2, 0.9, len(A))[
        :, np.newaxis
    ]  # equal ones would leave the mean where it is
    Y = A + way * (np.roll(A, 1, axis=0) - A)
    return Y / Y.sum(axis=1, keepdims=True) if model.network.cost_row.distribution else Y


def rate_of(plan: Plan) -> float:
    """The rate that the test's steps take: the optimizer's, a schedule's peak."""
    return float(plan.optimizer_row.schedule.rate)
