"""Every equation beside central differences: the source's numbers, our code, how far apart.

``deltarule equations --check`` prints what :func:`check_all` finds; :func:`check_gradients` asks
the same for your network, data and parameters.
"""

from deltarule.checks.cases import TOLERANCE, Checked, check_all
from deltarule.checks.catalogue import EQUATIONS, Equation
from deltarule.checks.differences import central_difference, check_gradients, relative_error
from deltarule.checks.kinds import KIND_EQUATIONS
from deltarule.checks.worked import WorkedExample, worked_example

__all__ = [
    "EQUATIONS",
    "KIND_EQUATIONS",
    "TOLERANCE",
    "Checked",
    "Equation",
    "WorkedExample",
    "central_difference",
    "check_all",
    "check_gradients",
    "relative_error",
    "worked_example",
]
