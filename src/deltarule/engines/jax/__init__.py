"""The same equations, traced by JAX and compiled by XLA: for CPUs, GPUs and TPUs.

Nothing is derived here. :mod:`~deltarule.engines.step` is traced as it stands; a run of steps
becomes one compiled program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltarule.engines.plan import EngineOptions, Plan
from deltarule.errors import MissingExtraError, require
from deltarule.network import Parameters

if TYPE_CHECKING:
    from deltarule.engines.jax.runner import JaxRunner

OLDEST = (0, 10)
"""The oldest release of JAX that this engine is written for."""


def refusal(plan: Plan, options: EngineOptions) -> str | None:
    """Why this engine cannot run a plan; it can run every plan.

    Raises
    ------
    MissingExtraError
        Where JAX is not installed, or too old.
    """
    check_installed()
    if options.n_threads is not None:
        return (
            f"n_threads={options.n_threads}: XLA chooses its threads when a process begins, by the "
            "cores it may use; engine 'native' heeds the option"
        )
    return options.mixed_in(plan.dtype)


def start(plan: Plan, parameters: Parameters, options: EngineOptions) -> JaxRunner:
    """A runner of this engine."""
    check_installed()
    from deltarule.engines.jax.runner import JaxRunner

    return JaxRunner(plan, parameters, options)


def check_installed() -> None:
    """Refuse to continue without JAX, or with one too old.

    Raises
    ------
    MissingExtraError
        It names the extra that installs it.
    """
    jax = require("jax", "jax", "engine 'jax'")
    found = tuple(int(part) for part in jax.__version__.split(".")[:2])
    if found < OLDEST:
        raise MissingExtraError(
            f"engine 'jax' needs JAX {'.'.join(map(str, OLDEST))} or newer; version "
            f'{jax.__version__} is installed. Run: pip install --upgrade "deltarule[jax]"'
        )
