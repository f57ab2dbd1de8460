"""Writes the tables in the pages from the rows in the code: ``python docs/tables.py``.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``. With ``--check``
nothing is written, and it fails where what stands there is not what it would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path

from deltarule import ACTIVATIONS, COSTS, OPTIMIZERS, SCHEDULES
from deltarule.checks import EQUATIONS

DOCS = Path(__file__).parent
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

SHAPES = {
    "constant": ("1", "the same always"),
    "inverse_scaling": (r"(k + 1)^{-power}", "step $k$; `power` is 0.5 by default"),
    "step": (r"factor^{\lfloor k / every \rfloor}", "without `every`, falls at each third"),
    "exponential": ("final^t", "down to `final` of the rate"),
    "cosine": (r"floor + (1 - floor) \frac{1 + \cos \pi t}{2}", "half a cosine down"),
    "cosine_restarts": (
        r"\frac{1 + \cos \pi u}{2}",
        "$u$ within a cycle; each `growth` times as long",
    ),
    "one_cycle": ("", "half a cosine up until `peak` of the run, half a cosine down"),
    "coslog": (r"\frac{1 - \cos(2 \pi \log_2(1 + 15 t))}{2}", "four waves, each longer"),
}

TESTS = {
    "1a": "test_equations.py::test_weighted_input_is_its_sum",
    "1b": "test_worked_example.py::test_forward",
    "2": "test_equations.py::test_cost_is_the_weighted_mean",
    **dict.fromkeys(("2a", "2b", "2c"), "test_tables.py::test_losses_by_hand"),
    **dict.fromkeys(("3a", "3b"), "test_worked_example.py::test_update"),
    **dict.fromkeys(
        ("4a", "4b", "4c", "4d", "6", "7", "8", "10a"),
        "test_equations.py::test_the_explicit_jacobians_contract_to_eq_10",
    ),
    "5a": "test_equations.py::test_eq_5a_is_eq_1_layer_by_layer",
    "5b": "test_equations.py::test_eq_5b_equals_dA0",
    "9": "test_tables.py::TestActivation::test_g_prime_is_the_derivative",
    "10b": "test_equations.py::test_dW_is_its_sum",
    "10c": "test_equations.py::test_db_is_its_sum",
    "10d": "test_equations.py::test_dA_prev_is_its_sum",
    **dict.fromkeys(("11a", "11b", "11c", "11d"), "test_worked_example.py::test_backward"),
    "12": "test_gradients.py::test_dW_and_db_agree_with_central_differences",
}
"""The first test to read of each equation."""


def math(tex: str) -> str:
    """A formula within a table, where a bar would end the cell."""
    tex = re.sub(r"\|([^|]*)\|", r"\\lvert \1 \\rvert", tex)
    return f"${tex.strip()}$" if tex else ""


def interval(text: object) -> str:
    """An interval, with the sign for infinity."""
    return math(str(text).replace("inf", r"\infty"))


def activations() -> Iterator[tuple[str, ...]]:
    yield "name", "$g(z)$", "$g'(z)$"
    for name in ACTIVATIONS:
        row = ACTIVATIONS(name)
        yield f"`{row.name}`", math(row.formula), math(row.formula_prime)


def ranges() -> Iterator[tuple[str, ...]]:
    yield "name", "values in", "kink at", "weights"
    for name in ACTIVATIONS:
        row = ACTIVATIONS(name)
        kinks = ", ".join(f"{kink:g}" for kink in row.kinks) or "none"
        yield f"`{row.name}`", interval(row.range), kinks, f"`{row.initializer}`"


def costs() -> Iterator[tuple[str, ...]]:
    yield "name", "loss", "$dA$", "outputs", "targets", "fused with"
    for name in COSTS:
        row = COSTS(name)
        targets = interval(row.targets) + (", sum 1" if row.distribution else "")
        fused = ", ".join(f"`{other}`" for other in row.fused) or "none"
        formulas = math(row.formula), math(row.formula_dA)
        yield f"`{row.name}`", *formulas, interval(row.outputs), targets, fused


def optimizers() -> Iterator[tuple[str, ...]]:
    yield "name", "class", "state", "settings and their defaults"
    for name in OPTIMIZERS:
        row = OPTIMIZERS(name)
        settings = ", ".join(f"`{f.name}={getattr(row, f.name)!r}`" for f in fields(row))
        state = ", ".join(f"${slot}$" for slot in row.slots) or "none"
        yield f"`{name}`", f"`{type(row).__name__}`", state, settings


def schedules() -> Iterator[tuple[str, ...]]:
    yield "name", "class", "share of the rate", "in words", "settings"
    for name in SCHEDULES:
        row = SCHEDULES(name)
        shape, words = SHAPES.get(name, ("", ""))
        settings = ", ".join(
            f"`{f.name}={getattr(row, f.name)!r}`" for f in fields(row) if f.name != "rate"
        )
        yield f"`{name}`", f"`{type(row).__name__}`", math(shape), words, settings or "none"


def addresses() -> dict[str, str]:
    """Where each numbered equation stands, as seen from a page at the top."""
    return {
        number: f"{page.relative_to(DOCS).as_posix()}#eq-{number.lower()}"
        for page in sorted(DOCS.glob("derivation/*.md"))
        for number in re.findall(r"\\tag\{(\w+)\}", page.read_text(encoding="utf-8"))
    }


def misprints(number: str) -> str:
    """Links to what the errata say of an equation: a bare 5 there means 5a and 5b."""
    page = (DOCS / "errata.md").read_text(encoding="utf-8")
    names = {slug(text): text.partition(": ")[2] for text in re.findall(r"(?m)^## (.+)$", page)}
    about = rf"\b({number}|{number.rstrip('abcd')})\b"
    found = re.findall(r"(?m)^\| \[(\d[^]]*)\]\(#(\S+)\)", page)
    return "; ".join(f"[{names[at]}](errata.md#{at})" for of, at in found if re.search(about, of))


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def equations() -> Iterator[tuple[str, ...]]:
    yield "Eq.", "name", "formula"
    at = addresses()
    for row in EQUATIONS:
        yield f"[{row.number}]({at[row.number]})", row.title, math(row.tex)


def notes() -> Iterator[tuple[str, ...]]:
    yield "Eq.", "name", "code", "test", "misprint"
    at = addresses()
    for row in EQUATIONS:
        code = [f"{f.__module__.removeprefix('deltarule.')}.{f.__name__}" for f in row.functions]
        names = ", ".join(f"`{name}`" for name in code)
        test = f"`tests/{TESTS[row.number]}`"
        yield f"[{row.number}]({at[row.number]})", row.title, names, test, misprints(row.number)


TABLES: dict[str, Callable[[], Iterator[tuple[str, ...]]]] = {
    "activations": activations,
    "ranges": ranges,
    "costs": costs,
    "optimizers": optimizers,
    "schedules": schedules,
    "equations": equations,
    "notes": notes,
}


def written(page: str) -> str:
    """A page's text with its tables as they should be."""

    def table(found: re.Match[str]) -> str:
        head, *rows = TABLES[found.group(2)]()
        lines = [head, ("---",) * len(head), *rows]
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{found.group(1)}\n{text}\n\n{found.group(3)}"

    return _TABLE.sub(table, page)


def stale() -> list[Path]:
    """The pages whose tables are not those of the code."""
    pages = sorted(DOCS.rglob("*.md"))
    return [page for page in pages if written(text := page.read_text(encoding="utf-8")) != text]


def place(page: Path) -> str:
    """Where a stale page first differs from what it should be: ``file:line``."""
    text = page.read_text(encoding="utf-8")
    lines = zip_longest(text.splitlines(), written(text).splitlines())
    differing = next(k for k, (old, new) in enumerate(lines, 1) if old != new)
    return f"docs/{page.relative_to(DOCS).as_posix()}:{differing}"


if __name__ == "__main__":
    pages = stale()
    if pages and "--check" in sys.argv[1:]:
        sys.exit(
            "\n".join(
                f"{at}: not the table of the code; run: make docs" for at in map(place, pages)
            )
        )
    for page in pages:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"wrote the tables of {page.relative_to(DOCS)}")
