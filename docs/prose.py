"""Private words in what people read: counted by file, against a baseline that may only shrink.

``--check`` fails with file and line where a file has more of them than the baseline allows, and
where it has fewer: then ``python docs/prose.py`` writes the smaller baseline. Checked are the
README, the pages, and every string of the package: help, messages and docstrings.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BASELINE = ROOT / "docs" / "prose.json"
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
    r"derivatives? of \S+ by": "derivative of … with respect to …",
}
PATTERN = re.compile("|".join(rf"(?<![\w`-])(?:{word})(?![\w`])" for word in WORDS), re.IGNORECASE)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Each text of a file and the line it begins in: of a page what is no code."""
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
            yield number, re.sub(r"`[^`]*`", "", line)


def hits(path: Path) -> Iterator[tuple[int, str]]:
    """Line and word of every private word of a file."""
    for first, text in texts(path):
        for found in PATTERN.finditer(text):
            yield first + text.count("\n", 0, found.start()), found[0].replace("\n", " ")


def counted(root: Path = ROOT) -> dict[str, list[tuple[int, str]]]:
    """The private words of each file that people read, by its name."""
    pages = [page for page in sorted(root.glob("*.md")) if page.name != "CHANGELOG.md"]
    pages += sorted((root / "docs").rglob("*.md"))
    paths = [*pages, *sorted((root / "src").rglob("*.py"))]
    found = {path.relative_to(root).as_posix(): list(hits(path)) for path in paths}
    return {name: words for name, words in found.items() if words}


def complaints(found: dict[str, list[tuple[int, str]]], allowed: dict[str, int]) -> list[str]:
    """What differs from a baseline, by file and line."""
    lines = []
    for name in sorted(found.keys() | allowed.keys()):
        words, most = found.get(name, []), allowed.get(name, 0)
        if len(words) > most:
            lines += [f"{name}:{line}: {word!r} is a private word" for line, word in words]
            lines.append(f"{name}: {len(words)} private words; expected at most {most}")
        elif len(words) < most:
            lines.append(f"{name}: {len(words)} private words, fewer than {most}; run: make docs")
    return lines


def main() -> None:
    """Write the baseline, or compare with it."""
    found = counted()
    if "--check" in sys.argv:
        wrong = complaints(found, json.loads(BASELINE.read_text()))
        if wrong:
            sys.exit("\n".join(wrong))
        return
    counts = {name: len(words) for name, words in found.items()}
    BASELINE.write_text(json.dumps(counts, indent=1) + "\n")
    print(f"{sum(counts.values())} private words in {len(counts)} files")


if __name__ == "__main__":
    main()
