"""What the shape of the code measures; ``make check`` prints it.

Terms:

- *Parameter types*: classes of ``cli``, ``tabular``, ``training`` and ``engines.plan`` that carry
  training options between the command line and the plan. A class counts where two of its annotated
  fields are named as fields of :class:`deltarule.tabular.Settings`, or one is annotated with a
  class that counts, or it is derived from one; runners, events, results and states of a run come
  after the plan, and options of other commands do not lead to it.
- *Long functions*: more than 60 lines of body, without signature and docstring.
- *Large modules*: more than 400 lines, all told.
- *Code*: lines of ``cli``, ``estimators``, ``tabular`` and ``training`` without blanks, comments
  and docstrings.
- *Encodings*: how often one default training, with baselines, turns its training rows into
  numbers.
- *Cycles*: groups of modules that import each other, imports for type checking included.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grimp
import numpy as np

from deltarule import baselines, tabular
from deltarule.data import built_in
from deltarule.preprocessing import Preprocessing

_ROOT = Path(__file__).parents[1] / "src" / "deltarule"
_PACKAGES = ("cli", "estimators", "tabular", "training")
_OTHER_COMMANDS = ("explain", "export", "predict", "worksheet")
_MOST_BODY, _MOST_LINES = 60, 400


def _modules(*packages: str) -> list[Path]:
    folders = [_ROOT / name for name in packages] or [_ROOT]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def _parameter_types() -> list[str]:
    options = {each.name for each in dataclasses.fields(tabular.Settings)}
    annotated: dict[str, dict[str, str]] = {}
    others = {
        _ROOT / "cli" / f"{name}.py" for name in ("explain", "export", "predict", "worksheet")
    }
    paths = {*_modules("cli", "tabular", "training"), _ROOT / "engines" / "plan.py"} - others
    for path in sorted(paths):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                annotated[node.name] = {
                    f"base {n}": ast.unparse(b) for n, b in enumerate(node.bases)
                }
                annotated[node.name] |= {
                    part.target.id: ast.unparse(part.annotation)
                    for part in node.body
                    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
                }
    after = {"Result", "Fitted", "Trained", "Trial", "Average", "Runner", "RunnerMetric"}
    after |= {name for name in annotated if name.endswith(("State", "Ended", "Started", "ed"))}
    annotated = {name: own for name, own in annotated.items() if name not in after}
    found = {name for name, own in annotated.items() if len(options & own.keys()) > 1}
    while True:
        more = {
            name
            for name, own in annotated.items()
            for annotation in own.values()
            if set(re.findall(r"\w+", annotation)) & found
        }
        if more <= found:
            return sorted(found)
        found |= more


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return 0 if not first else (function.end_lineno or 0) - first[0].lineno + 1


def _long_functions() -> list[str]:
    return [
        f"{path.relative_to(_ROOT)}: {node.name} ({_body(node)})"
        for path in _modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _body(node) > _MOST_BODY
    ]


def _large_modules() -> list[str]:
    counts = {path: len(path.read_text().splitlines()) for path in _modules()}
    return [
        f"{path.relative_to(_ROOT)} ({count})"
        for path, count in counts.items()
        if count > _MOST_LINES
    ]


def _docstring_lines(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield from range(value.lineno, (value.end_lineno or value.lineno) + 1)


def _code(path: Path) -> int:
    text = path.read_text()
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in ignored and token.string
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - set(_docstring_lines(ast.parse(text))))


def _encodings() -> int:
    frame, target = built_in("iris")
    settings = tabular.Settings(epochs=2)
    whole = tabular.table(frame, tabular.Roles((target,)))
    parts = tabular.split(whole, settings)
    problem = tabular.problem(whole, settings, parts[0], frame[parts[1]])
    counted: list[int] = []
    real = Preprocessing.transform

    def transform(self: Any, table: Any) -> Any:
        counted.append(len(table))
        return real(self, table)

    with patch.object(Preprocessing, "transform", transform), np.errstate(all="ignore"):
        tabular.chosen(problem, settings)
        tabular.fit(problem, settings)
        tabular.baselines(problem, settings)
    assert baselines.BASELINES
    return counted.count(len(problem.train))


def _cycles() -> list[list[str]]:
    graph = grimp.build_graph("deltarule", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    reached = {module: graph.find_upstream_modules(module) for module in imports}
    cyclic = {m for m, direct in imports.items() if any(m in reached[d] for d in direct)}
    groups = {frozenset({m} | {o for o in reached[m] & cyclic if m in reached[o]}) for m in cyclic}
    return [sorted(group) for group in groups]


def main() -> None:
    """Print each measure, and what it counts."""
    lines = sum(_code(path) for path in _modules(*_PACKAGES))
    for name, found in (
        ("parameter types", _parameter_types()),
        ("long functions", _long_functions()),
        ("large modules", _large_modules()),
        ("cycles", [" and ".join(group) for group in _cycles()]),
    ):
        print(f"{name}: {len(found)}" + (f": {', '.join(found)}" if found else ""))
    print(f"code: {lines:,} lines in {', '.join(_PACKAGES)}")
    print(f"encodings of the training rows: {_encodings()}")


if __name__ == "__main__":
    main()
