"""A trace as text: the same step in the same order, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.explain.trace import Trace, TracedStep

_WIDTH = 100


class Section(NamedTuple):
    """One quantity of a step.

    Attributes
    ----------
    title : str
        Its name, with its equation.
    array : array, or None
        None for what the title says in full.
    note : str
        The gradient check, where there is one.
    """

    title: str
    array: Array | None = None
    note: str = ""


def text(trace: Trace) -> str:
    r"""Every sub-step with its equation, its numbers, and the gradient check.

    Parameters
    ----------
    trace : Trace
        Large arrays are shown in part; :meth:`Trace.save_npz` has all of them.

    Returns
    -------
    str

    Examples
    --------
    >>> from deltarule.explain import worked_trace
    >>> print("".join(text(worked_trace()).splitlines(keepends=True)[-2:]))
    Eq. 3: new b[3]  1×1
      [[0.992513]]
    <BLANKLINE>
    """
    plan = trace.plan
    sizes = "-".join(map(str, plan.network.sizes))
    lines = [
        f"{trace.title or 'One training step'}: {sizes}, {trace.X.shape[1]} examples, cost "
        f"{plan.network.cost_row.name}, {type(plan.optimizer_row).__name__}"
    ]
    for step in trace.steps:
        lines += ["", f"Step {step.number}, learning rate {step.learning_rate:g}"]
        for section in sections(trace, step):
            lines += ["", *_block(section)]
    return "\n".join(lines) + "\n"


def sections(trace: Trace, step: TracedStep) -> Iterator[Section]:
    """Each quantity of a step, in the order in which the step makes it.

    Examples
    --------
    >>> from deltarule.explain import worked_trace
    >>> trace = worked_trace()
    >>> [section.title for section in sections(trace, trace.steps[0])][:4]
    ['A[0]', 'W[1]', 'b[1]', 'Eq. 1a: Z[1] = W[1] A[0] + b[1]']
    """
    network, L = trace.plan.network, len(step.Z)
    yield Section("A[0]", step.A[0])
    if 0 in step.masks:
        yield Section("mask[0], of dropout", step.masks[0])
    for l, layer in enumerate(network.layers, 1):
        own = step.before[l - 1]
        yield from (Section(f"{name}[{l}]", values) for name, values in own.items())
        form = f"Eq. 1a: Z[{l}] = W[{l}] A[{l - 1}] + b[{l}]"
        yield Section(form if layer.kind == "dense" else f"Z[{l}], {layer.kind}", step.Z[l - 1])
        yield Section(f"Eq. 1b: A[{l}] = g(Z[{l}]), {layer.g.name}", step.A[l])
        if l in step.masks:
            yield Section(f"mask[{l}], of dropout", step.masks[l])
    yield Section("Y", trace.Y)
    if trace.weights is not None:
        yield Section("weights", trace.weights)
    yield Section("Eq. 2: loss of each example", step.loss)
    yield Section(f"Eq. 2: cost C = {step.cost:.10g}")
    yield Section(f"dA[{L}], the loss's derivative", step.dA[L])
    for l in range(L, 0, -1):
        eq = "10" if l == L else "11"
        if l == L and network.pair is not None:
            yield Section(f"Eq. {eq}a: δ[{l}], the output pair's", step.delta[l - 1])
        else:
            yield Section(f"Eq. {eq}a: δ[{l}] = dA[{l}] ⊙ g'(Z[{l}])", step.delta[l - 1])
        forms = {"W": f"(1/m) δ[{l}] A[{l - 1}]ᵀ", "b": f"(1/m) Σ over columns of δ[{l}]"}
        letters = {"W": f"Eq. {eq}b: ", "b": f"Eq. {eq}c: "}
        dense = network.layers[l - 1].kind == "dense"
        for name, gradient in step.gradients[l - 1].items():
            title = f"{letters[name]}d{name}[{l}] = {forms[name]}" if dense else f"d{name}[{l}]"
            check = step.checks.get(f"d{name}[{l}]")
            if check is None:
                yield Section(title, gradient)
                continue
            which = "all entries" if check.complete else f"{len(check.entries)} sampled entries"
            found = f"central differences, {which}: relative error {check.error:.1e}"
            yield Section(title, gradient, found)
        title = f"Eq. {eq}d: dA[{l - 1}] = W[{l}]ᵀ δ[{l}]" if dense else f"dA[{l - 1}]"
        yield Section(title, step.dA[l - 1])
    for l in range(1, L + 1):
        yield from (
            Section(f"Eq. 3: new {name}[{l}]", values) for name, values in step.after[l - 1].items()
        )
    if step.on_kink:
        yield Section(
            f"Entries of {', '.join(step.on_kink)} lie on a kink, where central differences may be "
            "off by right."
        )


def _block(section: Section) -> list[str]:
    title, array, note = section
    if array is None:
        return [title]
    shape = "×".join(map(str, array.shape))
    with np.printoptions(precision=6, suppress=True, threshold=120, edgeitems=3, linewidth=_WIDTH):
        rows = str(array + 0.0).splitlines()
    return [f"{title}  {shape}", *(f"  {line}" for line in [*rows, *([note] if note else [])])]
