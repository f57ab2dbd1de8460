"""The equations of the layer kinds beyond Dense: their table, and their check."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.checks.catalogue import Equation
from deltarule.checks.differences import central_difference, relative_error
from deltarule.layers import (
    Batch,
    BatchNorm,
    Embedding,
    Grouped,
    Layer,
    LayerNorm,
    Parallel,
    Parametric,
    Periodic,
    PiecewiseLinear,
    Scale,
    Shared,
    categories,
    grouped,
    normalization,
    numeric,
    parallel,
    scaling,
    shared,
)

KIND_EQUATIONS: tuple[Equation, ...] = (
    Equation(
        "N1",
        "layer normalization",
        "X̂ = (A_prev − mean) / √(variance + ε), over the units of each example",
        r"\hat X = \frac{A_{prev} - \mu}{\sqrt{v + \varepsilon}}",
        (normalization.normalized_units,),
    ),
    Equation(
        "N2",
        "gain and shift",
        "Z = gain ⊙ X̂ + shift",
        r"Z = \gamma \odot \hat X + \beta",
        (normalization.gained,),
    ),
    Equation(
        "N3",
        "gradients of gain and shift",
        "dgain = (1/m) Σ δ ⊙ X̂;  dshift = (1/m) Σ δ",
        r"d\gamma = \frac{1}{m} \sum_j (\delta \odot \hat X)_{\cdot j},\; "
        r"d\beta = \frac{1}{m} \sum_j \delta_{\cdot j}",
        (normalization.d_gain, normalization.d_shift),
    ),
    Equation(
        "N4",
        "through layer normalization",
        "dA_prev = (dX̂ − mean(dX̂) − X̂ mean(dX̂ ⊙ X̂)) / √(variance + ε), dX̂ = gain ⊙ δ",
        r"dA_{prev} = \frac{d\hat X - \overline{d\hat X} - "
        r"\hat X \odot \overline{d\hat X \odot \hat X}}{\sqrt{v + \varepsilon}}",
        (normalization.normalized_units_dA_prev,),
    ),
    Equation(
        "B1",
        "batch normalization",
        "X̂ = (A_prev − Σ p A_prev) / √(variance + ε), over the batch, p the examples' shares",
        r"\hat X = \frac{A_{prev} - \mu}{\sqrt{v + \varepsilon}},\; \mu = \sum_j p_j A_{prev,j}",
        (normalization.normalized_batch,),
    ),
    Equation(
        "B2",
        "gain and shift",
        "Z = gain ⊙ X̂ + shift",
        r"Z = \gamma \odot \hat X + \beta",
        (normalization.gained,),
    ),
    Equation(
        "B3",
        "gradients of gain and shift",
        "dgain = (1/m) Σ δ ⊙ X̂;  dshift = (1/m) Σ δ",
        r"d\gamma = \frac{1}{m} \sum_j (\delta \odot \hat X)_{\cdot j},\; "
        r"d\beta = \frac{1}{m} \sum_j \delta_{\cdot j}",
        (normalization.d_gain, normalization.d_shift),
    ),
    Equation(
        "B4",
        "through batch normalization",
        "dA_prev = (dX̂ − p Σ dX̂ − p X̂ Σ dX̂ ⊙ X̂) / √(variance + ε), dX̂ = gain ⊙ δ",
        r"dA_{prev} = \frac{d\hat X - p \sum d\hat X - "
        r"p\, \hat X \sum d\hat X \odot \hat X}{\sqrt{v + \varepsilon}}",
        (normalization.normalized_batch_dA_prev,),
    ),
    Equation(
        "S1",
        "diagonal scale",
        "Z = scale ⊙ A_prev",
        r"Z = s \odot A_{prev}",
        (scaling.scaled,),
    ),
    Equation(
        "S2",
        "gradient of the scale",
        "dscale = (1/m) Σ δ ⊙ A_prev",
        r"ds = \frac{1}{m} \sum_j (\delta \odot A_{prev})_{\cdot j}",
        (scaling.d_scale,),
    ),
    Equation(
        "S3",
        "through the scale",
        "dA_prev = scale ⊙ δ",
        r"dA_{prev} = s \odot \delta",
        (scaling.scaled_dA_prev,),
    ),
    Equation(
        "A1",
        "parametric activation",
        "Z = A_prev + α ⊙ (h(A_prev) − A_prev)",
        r"Z = A_{prev} + \alpha \odot (h(A_{prev}) - A_{prev})",
        (scaling.bent,),
    ),
    Equation(
        "A2",
        "gradient of α",
        "dα = (1/m) Σ δ ⊙ (h(A_prev) − A_prev)",
        r"d\alpha = \frac{1}{m} \sum_j (\delta \odot (h(A_{prev}) - A_{prev}))_{\cdot j}",
        (scaling.d_alpha,),
    ),
    Equation(
        "A3",
        "through a parametric activation",
        "dA_prev = δ ⊙ (1 − α + α h'(A_prev))",
        r"dA_{prev} = \delta \odot (1 - \alpha + \alpha \odot h'(A_{prev}))",
        (scaling.bent_dA_prev,),
    ),
    Equation(
        "P1",
        "periodic embedding",
        "Z = 2π f ⊙ x + phase, then A = cos Z",
        r"Z = 2 \pi f \odot x + \varphi,\; A = \cos Z",
        (numeric.angle,),
    ),
    Equation(
        "P2",
        "gradients of frequency and phase",
        "df = (2π/m) Σ δ ⊙ x;  dphase = (1/m) Σ δ",
        r"df = \frac{2\pi}{m} \sum_j (\delta \odot x)_{\cdot j},\; "
        r"d\varphi = \frac{1}{m} \sum_j \delta_{\cdot j}",
        (numeric.d_frequency, numeric.d_phase),
    ),
    Equation(
        "P3",
        "through a periodic embedding",
        "dx = 2π Σ f ⊙ δ, over the units of the column",
        r"dx = 2 \pi \sum_{i \in column} f_i \delta_i",
        (numeric.angle_dA_prev,),
    ),
    Equation(
        "Q1",
        "piecewise-linear embedding",
        "Z = (x − start) / width, within 0 and 1 but in the outer bins",
        r"Z_i = \frac{x - e_i}{e_{i+1} - e_i} \text{, from 0 to 1}",
        (numeric.filled,),
    ),
    Equation(
        "Q2",
        "through a piecewise-linear embedding",
        "dx = δ / width of the bin that x lies in",
        r"dx = \sum_i [x \in bin_i]\, \frac{\delta_i}{e_{i+1} - e_i}",
        (numeric.filled_dA_prev,),
    ),
    Equation(
        "E1",
        "embedding of categories",
        "Z = E H, H one-hot",
        r"Z = E H",
        (categories.looked_up,),
    ),
    Equation(
        "E2",
        "gradient of an embedding",
        "dE = (1/m) δ Hᵀ",
        r"dE = \frac{1}{m}\, \delta H^T",
        (categories.d_embedding,),
    ),
    Equation(
        "G1",
        "grouped layer",
        "Z = W A_prev + b, within each group",
        r"Z_g = W_g A_{prev,g} + b_g",
        (grouped.grouped_input,),
    ),
    Equation(
        "G2",
        "gradients of a grouped layer",
        "dW = (1/m) δ A_prevᵀ;  db = (1/m) Σ δ, within each group",
        r"dW_g = \frac{1}{m}\, \delta_g A_{prev,g}^T,\; db_g = \frac{1}{m} \sum_j \delta_{g,j}",
        (grouped.grouped_dW, grouped.grouped_db),
    ),
    Equation(
        "G3",
        "through a grouped layer",
        "dA_prev = Wᵀ δ, within each group",
        r"dA_{prev,g} = W_g^T \delta_g",
        (grouped.grouped_dA_prev,),
    ),
    Equation(
        "M1",
        "members that share weights",
        "Z = W A_prev + b of each member, W the same for all",
        r"Z_k = W A_{prev,k} + b_k",
        (shared.shared_input,),
    ),
    Equation(
        "M2",
        "gradients of shared weights",
        "dW = (1/m) Σ δ A_prevᵀ over members;  db = (1/m) Σ δ of each member",
        r"dW = \frac{1}{m} \sum_k \delta_k A_{prev,k}^T,\; "
        r"db_k = \frac{1}{m} \sum_j \delta_{k,j}",
        (shared.shared_dW, grouped.grouped_db),
    ),
    Equation(
        "M3",
        "through shared weights",
        "dA_prev = Wᵀ δ of each member",
        r"dA_{prev,k} = W^T \delta_k",
        (shared.shared_dA_prev,),
    ),
    Equation(
        "C1",
        "parts side by side",
        "Z = the parts' A, one below another",
        r"Z = [A^{(1)}; A^{(2)}; \ldots]",
        (parallel.stacked,),
    ),
    Equation(
        "C2",
        "through parts side by side",
        "dA_prev = Σ of the parts' dA, each in its columns",
        r"dA_{prev} = \sum_k S_k^T\, dA^{(k)}",
        (parallel.stacked_dA_prev,),
    ),
)
"""The equations of the layer kinds beyond Dense, kind by kind."""


class _Case(NamedTuple):
    """A layer of a kind, after `n_prev` units, and the equations that it checks."""

    layer: Layer
    n_prev: int
    forward: tuple[str, ...]
    gradients: tuple[str, ...]
    dA_prev: tuple[str, ...]
    codes: tuple[int, ...] = ()  # columns by which nothing is derived


_EDGES = [[-1.0, 0.1, 1.3], [-2.0, 0.7], [-0.4, 0.2, 0.9, 2.1]]

CASES: dict[str, _Case] = {
    "layer_norm": _Case(LayerNorm(), 5, ("N1", "N2"), ("N3",), ("N4",)),
    "batch_norm": _Case(BatchNorm(), 5, ("B1", "B2"), ("B3",), ("B4",)),
    "scale": _Case(Scale(), 5, ("S1",), ("S2",), ("S3",)),
    "parametric": _Case(Parametric("silu"), 5, ("A1",), ("A2",), ("A3",)),
    "periodic": _Case(Periodic(4), 3, ("P1",), ("P2",), ("P3",)),
    "piecewise_linear": _Case(PiecewiseLinear(_EDGES), 3, ("Q1",), (), ("Q2",)),
    "embedding": _Case(Embedding([3, 5], width=4), 2, ("E1",), ("E2",), (), codes=(0, 1)),
    "grouped": _Case(Grouped(3, size=2), 8, ("G1",), ("G2",), ("G3",)),
    "shared": _Case(Shared(3, members=4), 8, ("M1",), ("M2",), ("M3",)),
    "parallel": _Case(
        Parallel([(0, 2, [Scale(), Periodic(2)]), (1, 4, []), (3, 4, [Embedding([4], width=3)])]),
        4,
        ("C1",),
        ("C1",),
        ("C2",),
        codes=(3,),
    ),
}
"""A case of each kind, m = 7; kinds in the table are checked by it."""

_M = 7


def check_kinds() -> Iterator[tuple[str, str, float]]:
    """Findings: equation number, case, error; each kind in training and in prediction."""
    for kind, case in CASES.items():
        for name, batch in (
            ("in training", Batch(np.random.default_rng(4).uniform(0.5, 2.0, _M))),
            ("in prediction", None),
        ):
            for numbers, error in _check(case, batch):
                for number in numbers:
                    yield number, f"{kind}, {name}", error


def _check(case: _Case, batch: Batch | None) -> Iterator[tuple[tuple[str, ...], float]]:
    """A layer's Z, weighted at random and summed, by its parameters and by its input."""
    layer, rng = case.layer, np.random.default_rng(5)
    A_prev = rng.standard_normal((case.n_prev, _M))
    A_prev[list(case.codes)] = rng.integers(0, 3, (len(case.codes), _M))
    start = layer.initial(case.n_prev, rng)
    own = {name: abs(W + 0.3 * rng.standard_normal(W.shape)) for name, W in start.items()}
    delta = rng.standard_normal((layer.units_after(case.n_prev), _M))
    cache = layer.forward(own, A_prev, batch)

    def summed(x: Array, name: str = "") -> float:
        """By the parameter of that name, or else by the input."""
        parameters, A = ({**own, name: x}, A_prev) if name else (own, x)
        return float((delta * layer.forward(parameters, A, batch).Z).sum())

    for name, gradient in layer.gradients(own, delta, cache, _M).items():
        by_name = central_difference(partial(summed, name=name), own[name])
        error = relative_error(_M * gradient, by_name)
        yield case.gradients, error
        yield case.forward, error
    measured = [k for k in range(case.n_prev) if k not in case.codes]
    if measured:
        by_input = central_difference(summed, A_prev)
        error = relative_error(layer.dA_prev(own, delta, cache)[measured], by_input[measured])
        yield case.dA_prev, error
        yield case.forward, error
