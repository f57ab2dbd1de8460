"""The compiled engine: a plan on the core of ``native/``, an epoch or a single call at a time."""

from __future__ import annotations

from deltarule.engines.native.core import (
    INSTRUCTION_SETS,
    Capabilities,
    capabilities,
    fma_peak,
    matrix_units,
    missing,
)
from deltarule.engines.native.plain import (
    ACTIVATION_ROWS,
    COST_ROWS,
    KIND_ROWS,
    OPTIMIZER_ROWS,
    uncovered,
)
from deltarule.engines.native.runner import NativeRunner, threads_wanted
from deltarule.engines.plan import EngineOptions, Plan
from deltarule.network import Parameters
from deltarule.system.threads import cores

__all__ = [
    "ACTIVATION_ROWS",
    "COST_ROWS",
    "INSTRUCTION_SETS",
    "KIND_ROWS",
    "OPTIMIZER_ROWS",
    "Capabilities",
    "NativeRunner",
    "capabilities",
    "cores",
    "fma_peak",
    "matrix_units",
    "refusal",
    "start",
    "threads_wanted",
]


def refusal(plan: Plan, options: EngineOptions) -> str | None:
    """Why this engine cannot run a plan: a missing core, or a row that it cannot run, by name."""
    return options.beyond_cpu or options.mixed_in(plan.dtype) or missing() or uncovered(plan)


def start(plan: Plan, parameters: Parameters, options: EngineOptions) -> NativeRunner:
    """A runner of this engine, on the CPU."""
    return NativeRunner(plan, parameters, options)
