"""Private words in what people read: none is allowed.

Fails with file, line and what to write instead. Checked are the files beside this folder (README,
CONTRIBUTING and others), the pages, the scripts of HTML pages, and every string of the package:
help, messages and docstrings.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_SOURCES = (".py", ".js", ".html")
WORDS = {
    r"told (from|apart|of)": "inferred from, distinguished, informed",
    r"tells? (the|from|which|whether|apart|what|how)": "infers, reports, says",
    r"unless given": "default: …",
    r"by itself": "automatically",
    r"of (one's|your|its|their) own": "custom, separate, each with a different …",
    r"so many": "number of, maximum number of",
    r"as (it|they) came": "raw, unprocessed",
    r"judg(e|es|ed|ing)": "evaluate, evaluation",
    r"begins? anew|goes on|gone on|carried on|go on": "resumes, continues, restarts",
    r"a (model|network|layer|thread|process|row|key|unit|step|column) a \w+": "one … per …",
    r"rows a step": "rows per step",
    r"overrul\w+": "override",
    r"brings? nothing": "has no effect",
    r"slant(s|ed)": "oblique features",
    r"how full": "piecewise-linear encoding",
    r"spared|left alone": "excluded, unchanged",
    r"at (its|their) word": "taken literally",
    r"worst rows": "largest errors",
    r"whole or not at all": "atomically",
    r"entry by entry": "element-wise",
    r"asked? for by name": "requested explicitly",
    r"(?<!there )(is|are) no (?!hidden|longer|better|more|less|larger|worse|fewer)\w+": "is not …",
    r"(are|is|was|were|been) told(?! from| apart| of)": "is reported, is passed, is named",
    r"(?-i:[a-z]*(?:initial|normal|regular|standard|optim)is(?!t|m|c)[a-z]+|colours?)": "American",
    r"anew": "again",
    r"beats (mean|majority class)": "beats the mean, beats the majority class",
    r"(opened|open) in a browser": "Open it in a browser.",
    r"stands? (above|below|under|beside)": "is above, is below, is under",
    r"derivatives? of \S+ by": "derivative of … with respect to …",
}
PATTERN = re.compile("|".join(rf"(?<![\w`-])(?:{word})(?![\w`])" for word in WORDS), re.IGNORECASE)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Each text of a file and the line it begins in: of a page what is not code."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
        return
    fenced = False
    for number, line in enumerate(content.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if not fenced:
            yield number, line if path.suffix == ".js" else re.sub(r"`[^`]*`", "", line)


def hits(path: Path) -> Iterator[tuple[int, str]]:
    """Line and word of every private word of a file."""
    for first, text in texts(path):
        for found in PATTERN.finditer(text):
            yield first + text.count("\n", 0, found.start()), found[0].replace("\n", " ")


def complaints(root: Path = ROOT) -> list[str]:
    """Every private word of what people read, by file and line, and what to write instead."""
    pages = [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]
    pages += (path for path in sorted((root / "src").rglob("*")) if path.suffix in _SOURCES)
    return [
        f"{path.relative_to(root).as_posix()}:{line}: {word!r}; write: {instead(word)}"
        for path in pages
        for line, word in hits(path)
    ]


def instead(word: str) -> str:
    """What to write in place of a private word."""
    return next(text for own, text in WORDS.items() if re.fullmatch(own, word, re.IGNORECASE))


if __name__ == "__main__":
    sys.exit("\n".join(complaints()) or None)
