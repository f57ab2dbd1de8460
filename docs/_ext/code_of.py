"""``{code-of} equations.dW``: a function's code as it runs, without its docstring.

A name within a class is written with dots: ``layers.dense.Dense.forward``. Several names,
separated by spaces, follow one another.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SOURCE = Path(__file__).parents[2] / "src" / "deltarule"


def split(name: str) -> tuple[Path, list[str]]:
    """The file of a dotted name, and the names within it."""
    parts = name.split(".")
    for taken in range(len(parts), 0, -1):
        file = SOURCE.joinpath(*parts[:taken]).with_suffix(".py")
        if file.is_file():
            return file, parts[taken:]
    raise LookupError(f"no module of deltarule in {name!r}")


def code_of(name: str) -> str:
    """The lines of a function or class, without its docstring.

    Raises
    ------
    LookupError
        Where there is no such module or name.
    """
    file, within = split(name)
    text = file.read_text(encoding="utf-8")
    node: Any = ast.parse(text)
    for part in within:
        found = [child for child in node.body if _is(child, part)]
        if not found:
            raise LookupError(f"{file.name} has no {'.'.join(within)}")
        node = found[0]
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(d.lineno for d in decorators)])
    drop: range = range(0)
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
        drop = range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
        if len(node.body) > 1:
            drop = range(drop.start, node.body[1].lineno - _decorated(node.body[1]))
    lines = text.splitlines()
    kept = [lines[i - 1] for i in range(first, (node.end_lineno or first) + 1) if i not in drop]
    return textwrap.dedent("\n".join(kept))


def _is(node: ast.AST, name: str) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name == name
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _decorated(node: Any) -> int:
    decorators = getattr(node, "decorator_list", [])
    return node.lineno - min([node.lineno, *(d.lineno for d in decorators)])


class CodeOf(SphinxDirective):
    """The directive."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The code as a block, with the file it stands in."""
        names = self.arguments[0].split()
        files = []
        for name in names:
            file, _ = split(name)
            self.env.note_dependency(str(file))
            shown = f"deltarule/{file.relative_to(SOURCE).as_posix()}"
            if shown not in files:
                files.append(shown)
        code = "\n\n".join(code_of(name) for name in names)
        block = nodes.literal_block(code, code, language="python")
        caption = nodes.caption("", "", nodes.literal("", ", ".join(files)))
        box = nodes.container("", caption, block, literal_block=True)
        box["classes"].append("literal-block-wrapper")
        self.set_source_info(block)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("code-of", CodeOf)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
