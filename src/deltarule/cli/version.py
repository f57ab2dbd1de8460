"""``deltarule --version``: what is installed, and what each engine can do here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import typer

from deltarule.cli.terminal import Terminal
from deltarule.engines import native
from deltarule.errors import SettingError

PACKAGES = (
    "scikit-learn",
    "polars",
    "narwhals",
    "fastexcel",
    "chardet",
    "jax",
    "onnx",
    "matplotlib",
)
"""What the extras bring, a package each."""


def print_version(wanted: bool) -> None:
    """Print the version and end, where it is asked for."""
    if not wanted:
        return
    terminal = Terminal()
    terminal.say(
        f"deltarule {version('deltarule')} (Python {platform.python_version()}, NumPy "
        f"{np.__version__}, {platform.system()} {platform.machine()})"
    )
    terminal.pairs(
        [
            ("engine native", _native()),
            ("engine reference", "NumPy; float32, float64"),
            ("engine jax", _jax()),
            ("packages", _packages()),
        ]
    )
    raise typer.Exit


def _native() -> str:
    """The instruction set in use, the others, and how many cores there are."""
    try:
        isa, available, _ = native.capabilities()
    except SettingError as error:
        return str(error)
    others = [other for other in available if other != isa]
    also = f" (DELTARULE_ISA chooses: {', '.join(others)})" if others else ""
    units = {"amx": " on AMX", "avx512-bf16": " on AVX512-BF16"}.get(native.matrix_units(), "")
    return f"{isa}{also}, {native.cores()} cores; float32, float64, mixed with bfloat16{units}"


def _jax() -> str:
    """Whether JAX is there; which devices it finds is known only once it runs."""
    found = _release("jax")
    if found is None:
        return 'not installed: pip install "deltarule[jax]"'
    return f"JAX {found}, on a CPU, GPU or TPU; float32, float64"


def _packages() -> str:
    """The extras' packages, with what is missing."""
    found = {name: _release(name) for name in PACKAGES}
    return ", ".join(f"{name} {release or 'not installed'}" for name, release in found.items())


def _release(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
