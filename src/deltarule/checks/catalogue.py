"""The source's equations as a table: number, formula, code."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deltarule import equations
from deltarule.costs import COSTS
from deltarule.network import back_propagate


@dataclass(frozen=True)
class Equation:
    """One equation of the source.

    Attributes
    ----------
    number : str
        The source's number: ``"10b"``.
    title : str
    formula : str
        As one line of text.
    tex : str
        The same in TeX.
    functions : tuple of functions
        The code that is the equation.
    """

    number: str
    title: str
    formula: str
    tex: str
    functions: tuple[Callable[..., Any], ...]

    @property
    def source(self) -> str:
        """The code, without its docstring.

        Examples
        --------
        >>> print(next(e for e in EQUATIONS if e.number == "10b").source)
        def dW(delta: Array, A_prev: Array, m: Array) -> Array:
            return delta @ A_prev.T / m
        """
        return "\n".join(_code_of(function) for function in self.functions)


def _code_of(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:]
    return ast.unparse(definition)


def _equation(number: str, title: str, formula: str, tex: str, *functions: Any) -> Equation:
    return Equation(number, title, formula, tex, functions)


_ROW = {name: COSTS(name) for name in ("mse", "mae", "binary_cross_entropy")}

EQUATIONS: tuple[Equation, ...] = (
    _equation(
        "1a",
        "weighted input",
        "Z[l] = W[l] A[l-1] + b[l]",
        r"Z^{[l]} = W^{[l]} A^{[l-1]} + b^{[l]}",
        equations.weighted_input,
    ),
    _equation(
        "1b", "activation", "A[l] = g[l](Z[l])", r"A^{[l]} = g^{[l]}(Z^{[l]})", equations.activation
    ),
    _equation(
        "2",
        "cost: the average loss",
        "C = (1/m) Σⱼ loss(yⱼ, aⱼ)",
        r"C = \frac{1}{m} \sum_{j=1}^m \ell(y_j, a_j)",
        equations.cost,
    ),
    _equation(
        "2a",
        "mean squared error",
        "loss = ‖y − a‖²",
        r"\ell = \lVert y - a \rVert^2",
        _ROW["mse"].loss,
        _ROW["mse"].dA,
    ),
    _equation(
        "2b",
        "mean absolute error",
        "loss = Σᵢ |yᵢ − aᵢ|",
        r"\ell = \sum_i |y_i - a_i|",
        _ROW["mae"].loss,
        _ROW["mae"].dA,
    ),
    _equation(
        "2c",
        "cross entropy",
        "loss = −Σᵢ (yᵢ log aᵢ + (1 − yᵢ) log(1 − aᵢ))",
        r"\ell = -\sum_i \left( y_i \log a_i + (1 - y_i) \log(1 - a_i) \right)",
        _ROW["binary_cross_entropy"].loss,
        _ROW["binary_cross_entropy"].dA,
    ),
    _equation(
        "3a",
        "gradient descent, weights",
        "W[l] = W[l] − α dW[l]",
        r"W^{[l]} \leftarrow W^{[l]} - \alpha\, dW^{[l]}",
        equations.descend,
    ),
    _equation(
        "3b",
        "gradient descent, biases",
        "b[l] = b[l] − α db[l]",
        r"b^{[l]} \leftarrow b^{[l]} - \alpha\, db^{[l]}",
        equations.descend,
    ),
    _equation(
        "4a",
        "chain rule: δ",
        "δ[L] = dA[L] · ∂A[L]/∂Z[L]",
        r"\delta^{[L]} = dA^{[L]} \cdot \frac{\partial A^{[L]}}{\partial Z^{[L]}}",
        equations.delta_by_chain,
    ),
    _equation(
        "4b",
        "chain rule: weights",
        "dW[L] = (1/m) δ[L] · ∂Z[L]/∂W[L]",
        r"dW^{[L]} = \frac{1}{m}\, \delta^{[L]} \cdot \frac{\partial Z^{[L]}}{\partial W^{[L]}}",
        equations.dW_by_chain,
    ),
    _equation(
        "4c",
        "chain rule: bias",
        "db[L] = (1/m) δ[L] · ∂Z[L]/∂b[L]",
        r"db^{[L]} = \frac{1}{m}\, \delta^{[L]} \cdot \frac{\partial Z^{[L]}}{\partial b^{[L]}}",
        equations.db_by_chain,
    ),
    _equation(
        "4d",
        "chain rule: the layer before",
        "dA[L-1] = δ[L] · ∂Z[L]/∂A[L-1]",
        r"dA^{[L-1]} = \delta^{[L]} \cdot \frac{\partial Z^{[L]}}{\partial A^{[L-1]}}",
        equations.dA_prev_by_chain,
    ),
    _equation(
        "5a",
        "the whole network",
        "A[L] = g[L](W[L] … g[1](W[1] A[0] + b[1]) … + b[L])",
        r"A^{[L]} = g^{[L]}(W^{[L]} \cdots g^{[1]}(W^{[1]} A^{[0]} + b^{[1]}) \cdots + b^{[L]})",
        equations.network_output,
    ),
    _equation(
        "5b",
        "gradient at the input",
        "dA[0] = W[1]ᵀ g'[1] … W[L]ᵀ g'[L] dA[L]",
        r"dA^{[0]} = W^{[1]T} g'^{[1]} \cdots W^{[L]T} g'^{[L]}\, dA^{[L]}",
        equations.input_gradient,
    ),
    _equation(
        "6",
        "derivative of Z with respect to W",
        "∂Z[i,j]/∂W[p,q] = A_prev[q,j] where i = p",
        r"\frac{\partial Z_{ij}}{\partial W_{pq}} = [i = p]\, A^{[l-1]}_{qj}",
        equations.dZ_dW,
    ),
    _equation(
        "7",
        "derivative of Z with respect to b",
        "∂Z[i,j]/∂b[p] = 1 where i = p",
        r"\frac{\partial Z_{ij}}{\partial b_p} = [i = p]",
        equations.dZ_db,
    ),
    _equation(
        "8",
        "derivative of Z with respect to A_prev",
        "∂Z[i,j]/∂A_prev[q,k] = W[i,q] where j = k",
        r"\frac{\partial Z_{ij}}{\partial A^{[l-1]}_{qk}} = [j = k]\, W_{iq}",
        equations.dZ_dA_prev,
    ),
    _equation(
        "9",
        "derivative of the activation",
        "g'[l] = ∂A[l]/∂Z[l]",
        r"g'^{[l]} = \frac{\partial A^{[l]}}{\partial Z^{[l]}}",
        equations.dA_dZ,
        equations.softmax_dA_dZ,
    ),
    _equation(
        "10a",
        "δ of layer L",
        "δ[L] = dA[L] ⊙ g'[L](Z[L])",
        r"\delta^{[L]} = dA^{[L]} \odot g'^{[L]}(Z^{[L]})",
        equations.delta,
        equations.softmax_delta,
    ),
    _equation(
        "10b",
        "dW of layer L",
        "dW[L] = (1/m) δ[L] A[L-1]ᵀ",
        r"dW^{[L]} = \frac{1}{m}\, \delta^{[L]} A^{[L-1]T}",
        equations.dW,
    ),
    _equation(
        "10c",
        "db of layer L",
        "db[L] = (1/m) Σ over columns of δ[L]",
        r"db^{[L]} = \frac{1}{m} \sum_{j=1}^m \delta^{[L]}_{\cdot j}",
        equations.db,
    ),
    _equation(
        "10d",
        "what layer L−1 needs",
        "dA[L-1] = W[L]ᵀ δ[L]",
        r"dA^{[L-1]} = W^{[L]T} \delta^{[L]}",
        equations.dA_prev,
    ),
    _equation(
        "11a",
        "δ of any layer",
        "δ[l] = dA[l] ⊙ g'[l](Z[l])",
        r"\delta^{[l]} = dA^{[l]} \odot g'^{[l]}(Z^{[l]})",
        equations.delta,
        equations.softmax_delta,
    ),
    _equation(
        "11b",
        "dW of any layer",
        "dW[l] = (1/m) δ[l] A[l-1]ᵀ",
        r"dW^{[l]} = \frac{1}{m}\, \delta^{[l]} A^{[l-1]T}",
        equations.dW,
    ),
    _equation(
        "11c",
        "db of any layer",
        "db[l] = (1/m) Σ over columns of δ[l]",
        r"db^{[l]} = \frac{1}{m} \sum_{j=1}^m \delta^{[l]}_{\cdot j}",
        equations.db,
    ),
    _equation(
        "11d",
        "what the layer before needs",
        "dA[l-1] = W[l]ᵀ δ[l]",
        r"dA^{[l-1]} = W^{[l]T} \delta^{[l]}",
        equations.dA_prev,
    ),
    _equation(
        "12",
        "all four, for any layer",
        "δ = dA ⊙ g'(Z);  dW = (1/m) δ A_prevᵀ;  db = (1/m) Σ δ;  dA_prev = Wᵀ δ",
        r"\delta = dA \odot g'(Z),\; dW = \frac{1}{m} \delta A_{prev}^T,\; "
        r"db = \frac{1}{m} \sum_j \delta_{\cdot j},\; dA_{prev} = W^T \delta",
        back_propagate,
    ),
)
"""The source's equations, in its order."""
