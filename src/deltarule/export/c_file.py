"""A model as one C99 file: no allocation, nothing but the mathematical library, its own test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_matrix
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.export.c_check import written_test
from deltarule.export.c_network import Passes
from deltarule.export.c_step import (
    arrays_defined,
    arrays_of,
    check_trainable,
    loss_and_delta,
    step_function,
)
from deltarule.export.c_table import TablePart, table_part
from deltarule.export.c_text import array, comment, kernels, prefix
from deltarule.export.c_vectors import rate_of, row_vectors, vectors
from deltarule.export.check import made_up_rows
from deltarule.expressions.c import Functions, number
from deltarule.modelfile import Model
from deltarule.optimizers import OPTIMIZERS, Optimizer
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import Scores
from deltarule.regularization import Regularization
from deltarule.system.storage import check_writable, write_whole

_INT = 4  # bytes


class CFile(NamedTuple):
    """A model as C.

    Attributes
    ----------
    text : str
        The file.
    flash, ram : int
        Bytes of its constants and starting values, and of its static variables; code and stack
        come on top.
    columns : dict of str to str
        Of a model of a table: by column, the name of its cell's position.
    """

    text: str
    flash: int
    ram: int
    columns: dict[str, str]


def c_file(
    model: Model,
    *,
    name: str = "model",
    optimizer: Optimizer | str | None = None,
    regularization: Regularization | None = None,
    rows: Any = None,
    threshold: float | None = None,
) -> CFile:
    """A model as C99: the forward pass, of a table from its columns; on request a training step.

    Parameters
    ----------
    model : Model
        The model to export.
    name : str
        What the functions' names begin with: ``model_predict``, ``model_predict_row``.
    optimizer : str or Optimizer, optional
        With one, a step of training: any but L-BFGS. Each call of the step says its rate.
    regularization : Regularization, optional
        Of the step.
    rows : data frame or array, optional
        Of the test within the file, as the model reads them (default: made up).
    threshold : float, optional
        Of a classification: also the set of the classes that are at least so probable, and the
        predicted one.

    Returns
    -------
    CFile

    Raises
    ------
    SettingError
        For whatever C does not have, by its name: a custom kind of layer, a row that cannot be
        traced; for training L-BFGS, dropout, or batch normalization.
    DataError
        Where the model's predictions overflow on all rows of the test.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])
    >>> found = c_file(Model(network, network.initial_parameters()))
    >>> found.flash, found.ram
    (52, 12)
    """
    name, dtype = prefix(name), model.dtype
    own = Functions(dtype, taken=[f"{name}_{what}" for what in ("predict", "step", "parameters")])
    passes = Passes(dtype, optimizer is not None, own)
    X = _prepared(model, rows)
    if optimizer is None and regularization is not None:
        raise SettingError(
            "export: regularization is of a training step; expected an optimizer beside it, got "
            "none. Name one, or leave it out."
        )
    if optimizer is None:
        plan, functions = None, [_predict(passes, model, name)]
    else:
        rules = regularization or Regularization()
        plan = Plan(model.network, OPTIMIZERS(optimizer), rules, dtype)
        check_trainable(plan)
        functions = _trained(passes, plan, model, name)
    table = table_part(model, name, passes, threshold)
    functions += [_function(*function) for function in table.functions]
    code = "\n\n".join([*own.definitions, *functions])
    sizes = _sizes(passes, model, plan, table)
    compared = vectors(model, plan, X), row_vectors(model, rows)
    parts = [
        _about(model, plan, name, sizes, table),
        _beginning(model, plan, name, table),
        *_definitions(passes, model, plan),
        *table.definitions,
        *kernels(code),
        code,
        written_test(model, plan, name, *compared),
    ]
    return CFile("\n\n".join(parts) + "\n", *sizes, table.columns)


def save_c(path: str | os.PathLike[str], model: Model, **settings: Any) -> CFile:
    """Write a model as one C file, atomically.

    Parameters
    ----------
    path : path
        Its stem is what the functions' names begin with.
    model : Model
        The model to export.
    **settings
        As :func:`c_file` takes them.

    Returns
    -------
    CFile
        What was written, and its sizes in bytes.

    Raises
    ------
    SettingError
        As :func:`c_file`.
    FileError
        Where the file cannot be written; what was there before is as it was.

    Examples
    --------
    >>> import tempfile
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(1)])
    >>> model = Model(network, network.initial_parameters())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_c(folder + "/tiny.c", model, optimizer="sgd").ram
    44
    """
    check_writable(path)
    made = c_file(model, **{"name": Path(path).stem, **settings})
    write_whole(path, made.text.encode())
    return made


# ------------------------------------------------------------------------------ the functions


def _predict(passes: Passes, model: Model, name: str) -> str:
    spots = passes.chain(model.network.layers, model.network.inputs, "x", "y")
    return _function(f"void {name}_predict(const real *x, real *y)", passes.forward(spots))


def _trained(passes: Passes, plan: Plan, model: Model, name: str) -> list[str]:
    network = plan.network
    spots, n = passes.chain(network.layers, network.inputs, "x"), network.outputs
    last, d = spots[-1], passes.buffer("d_out", network.outputs)
    forward = passes.forward(spots)
    loss = loss_and_delta(passes, plan, last, d)
    back = passes.back(spots, d, "0", fused=network.pair is not None)
    copied = f"for (int i = 0; i < {n}; i++) y[i] = {last.a}[i];"
    step = step_function(passes, plan, model.parameters, name)
    return [
        _function("static void forward(const real *x)", forward),
        _function(
            "static sum back(const real *x, const real *y)",
            ["sum cost = 0;", "(void)x, (void)y;", *loss, *back, "return cost;"],
        ),
        _function(f"void {name}_predict(const real *x, real *y)", ["forward(x);", copied]),
        step,
        _function(f"real *{name}_parameters(void)", ["return P;"]),
    ]


def _function(head: str, lines: list[str]) -> str:
    return "\n".join([head, "{", *(f"    {line}" for line in lines), "}"])


# ------------------------------------------------------------------------------- what is around


def _beginning(model: Model, plan: Plan | None, name: str, table: TablePart) -> str:
    network, is_float = model.network, model.dtype == np.float32
    sizes = {"INPUTS": network.inputs, "OUTPUTS": network.outputs, **table.sizes}
    lines = [
        "#include <math.h>",
        "#ifdef DELTARULE_TEST",
        "#include <stdio.h>",
        "#endif",
        "",
        "#ifndef DELTARULE_SUM",
        "#define DELTARULE_SUM double /* of long sums; float is faster where double is emulated */",
        "#endif",
        f"#define FN(name) {'name##f' if is_float else 'name'}",
        f"typedef {'float' if is_float else 'double'} real;",
        "typedef DELTARULE_SUM sum;",
        "",
    ]
    if plan is not None:
        sizes["PARAMETERS"] = network.parameter_count
        rate = number(rate_of(plan), model.dtype)
        lines.append(f"#define {name.upper()}_RATE {rate} /* the optimizer's learning rate */")
    named = ", ".join(f"{name.upper()}_{what} = {count}" for what, count in sizes.items())
    lines += [f"enum {{ {named} }};", "", f"void {name}_predict(const real *x, real *y);"]
    if plan is not None:
        lines.append(f"real {name}_step(const real *X, const real *Y, int m, real rate);")
        lines.append(f"real *{name}_parameters(void);")
    return "\n".join([*lines, *table.declarations])


def _definitions(passes: Passes, model: Model, plan: Plan | None) -> Iterator[str]:
    """Parameters with their places, their derivatives, constants, buffers."""
    places, values, at = [], [], 0
    shapes = model.network.shapes
    for l, (own, order) in enumerate(zip(model.parameters, shapes, strict=True), 1):
        for path, (height, width) in order.items():
            *parts, short = path.split(".")
            name = "_".join([short, str(l), *parts])
            places.append(f"    {name} = {at}, /* {height} x {width} */")
            values.append(np.ravel(own[path]))
            at += height * width
    if places:
        yield "\n".join(["enum { /* where each array of parameters begins */", *places, "};"])
        kind = "static const real" if plan is None else "static real"
        yield array(kind, "P", np.concatenate(values), model.dtype)
    if plan is not None:
        yield f"static real D[{at}];"
        yield arrays_defined(passes, plan)
    for name, constant in passes.constants.items():
        kind = "int" if constant.dtype.kind == "i" else "real"
        yield array(f"static const {kind}", name, constant, model.dtype)
    empty = {name: n for name, n in passes.buffers.items() if name not in passes.starts}
    if empty:
        yield "\n".join(f"static real {name}[{n}];" for name, n in empty.items())
    for name, start in passes.starts.items():
        yield array("static real", name, start, model.dtype)


def _sizes(passes: Passes, model: Model, plan: Plan | None, table: TablePart) -> tuple[int, int]:
    """Bytes of flash and of RAM."""
    real = model.dtype.itemsize
    count = sum(W.size for own in model.parameters for W in own.values())
    begun = sum(start.size for start in passes.starts.values())
    constants = passes.constants.values()
    flash = table.flash + real * (count + begun)
    flash += sum(a.size * (_INT if a.dtype.kind == "i" else real) for a in constants)
    ram = real * sum(passes.buffers.values())
    if plan is not None:
        flash += len(arrays_of(plan)) * (3 * _INT + real)
        ram += 2 * real * count  # P and D
    return flash, ram


def _about(
    model: Model, plan: Plan | None, name: str, sizes: tuple[int, int], table: TablePart
) -> str:
    network, (flash, ram) = model.network, sizes
    lines = [
        f"A network {'-'.join(map(str, network.sizes))}, cost {network.cost_row.name}.",
        f"Written by deltarule {version('deltarule')}.",
        f"Numbers: {flash} bytes of flash, {ram} of RAM; code and stack come on top.",
        f"Test: cc -std=c99 -DDELTARULE_TEST {name}.c -lm && ./a.out",
        "",
        f"{name}_predict reads {network.inputs} prepared inputs and writes {network.outputs}.",
    ]
    if plan is not None:
        lines += [
            f"{name}_step makes one step of {type(plan.optimizer_row).__name__} from m examples,",
            "one after another, and returns their cost before it.",
        ]
    return comment([*lines, *table.about, *_columns(model)])


def _columns(model: Model) -> Iterator[str]:
    """What the inputs and outputs are, of a model of a table."""
    if model.preprocessing is not None:
        yield from ("", "Inputs:")
        yield from (f"  {i}  {name}" for i, name in enumerate(model.preprocessing.names))
        yield from ("", "made of the columns so:")
        yield from (f"  {line}" for line in _scales(model))
    targets = model.targets
    if targets is not None:
        yield from ("", "Outputs:")
        if targets.task == "regression":
            scales = zip(targets.names, targets.means, targets.stds, strict=True)
            for i, (name, mean, std) in enumerate(scales):
                yield f"  {i}  {name} = {mean!r} + {std!r} * y[{i}]"
        elif targets.outputs == 1:
            yield f"  0  the probability of {targets.classes[1]}, else {targets.classes[0]}"
            if targets.decision is not None:
                yield f"Decision: {targets.decision.describe()}"
        else:
            yield from (f"  {i}  the probability of {c}" for i, c in enumerate(targets.classes))


def _scales(model: Model) -> Iterator[str]:
    assert model.preprocessing is not None
    for column, line in zip(
        model.preprocessing.columns, model.preprocessing.describe(), strict=True
    ):
        if isinstance(column, Numeric | Date) and not isinstance(column, Scores):
            yield f"{line}: (value - {column.mean!r}) / {column.std!r}"
        elif column.outputs:
            yield line


def _prepared(model: Model, rows: Any) -> Array:
    """The inputs of the network for some rows, ``(m, n[0])``."""
    table = made_up_rows(model) if rows is None else rows
    X = table if model.preprocessing is None else model.preprocessing.transform(table)
    return checked_matrix("rows", X, width=model.network.inputs, dtype=model.dtype)
