"""Delimiter and quotes of a text, and what it needs before it can be parsed with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import islice

from deltarule.data.layout.records import Record, lines_of, records

Fixes = tuple[tuple[bytes, bytes], ...]
"""Regular expressions and replacements."""

DELIMITERS = ("\t", ";", "|", ",")
"""What separates cells, where several would do the first of them; else blanks may."""

RARE_DELIMITERS = ("^", "~", ":")
"""What separates cells where none of the others is found, and the header has it as well."""

_ROWS = 1000
_CLOCK = re.compile(r"\d{1,2}(:\d{2}){1,2}.*")
_RULER = rb"(?m)^[ \t|+:]*[-=]{3,}[-=|+: \t]*(?=\r?$)"  # below a printed header
_TOP = 40  # lines, among which the first ruler is
_QUOTED_LINE = re.compile(r'"(?:[^"]|"")*" *')
_AROUND_LINES = (rb'(?m)^"|" *(?=\r?$)', b""), (rb'""', b'"')
_OUTER_BLANKS = (rb"(?m)^[ \t]+|[ \t\r]+$", b"")


def quote_of(head: str) -> str:
    """The mark that cells begin with: double, else single; none where it only means inches."""
    edge = "|".join(re.escape(character) for character in DELIMITERS)
    if '"' in head:
        return '"' if re.search(rf'(?:^|{edge}) *"', head, re.MULTILINE) else ""
    wrapped = rf"(?:^|{edge}) *'[^'\n]*' *(?:$|{edge})"
    return "'" if "'" in head and re.search(wrapped, head, re.MULTILINE) else '"'


def delimiter_of(head: str, quote: str, cut: Callable[[str], list[Record]]) -> str:
    """The character that cuts most lines into the same number of cells, more than one.

    If none does, that between two quoted cells of the first line; else blanks, or a rare one.
    """
    best, found = 0.5, ""
    for candidate in filter(head.__contains__, DELIMITERS):
        counts = Counter(len(record.cells) for record in cut(candidate))
        usual, often = counts.most_common(1)[0] if counts else (1, 0)
        if usual > 1 and often / counts.total() > best:
            best, found = often / counts.total(), candidate
    first = head.lstrip("\n").partition("\n")[0].replace(" ", "")
    between = (each for each in DELIMITERS if quote and f"{quote}{each}{quote}" in first)
    if found := found or next(between, ""):
        return found
    widths = Counter(len(line.split()) for line in head.splitlines()[:_ROWS] if line.strip())
    if widths and len(widths) == 1 and 1 not in widths:
        return " "
    for candidate in filter(head.__contains__, RARE_DELIMITERS):
        rows = [record.cells for record in cut(candidate)]
        same = len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)
        if same and len(rows) > 1 and not _CLOCK.fullmatch(candidate.join(rows[-1])):
            return candidate
    return ","


def first_fixes(head: str, quote: str | None) -> tuple[Fixes, tuple[str, ...]]:
    """What a text needs before its delimiter shows, and notes of it."""
    fixes: list[tuple[bytes, bytes]] = []
    notes, lines = [], head.split("\n", _ROWS)[:_ROWS]
    if re.search(_RULER.decode(), "\n".join(lines[:_TOP])):
        fixes.append((_RULER, b""))
    if quote in (None, '"') and _are_quoted_whole([line for line in lines if line.strip()]):
        fixes += _AROUND_LINES
        notes.append("each line is quoted as a whole; the cells are what the quotes hold")
    return tuple(fixes), tuple(notes)


def _are_quoted_whole(lines: list[str]) -> bool:
    """Whether lines are rows that have quotes around them; the first may have none at all."""
    if len(lines) < 2 or not all(map(_QUOTED_LINE.fullmatch, lines[1:])):
        return False
    if '"' in lines[0] and not _QUOTED_LINE.fullmatch(lines[0]):
        return False
    text = fixed("\n".join(lines), _AROUND_LINES)
    names = text.partition("\n")[0]
    for delimiter in DELIMITERS:
        if delimiter in names and delimiter + " " not in names:
            widths = {len(row.cells) for row in first_rows(text, delimiter, '"')}
            if len(widths) == 1:
                return True
    return False


def fixed(text: str, fixes: Fixes) -> str:
    """A text with its fixes."""
    for pattern, new in fixes:
        text = re.sub(pattern.decode(), new.decode(), text)
    return text


def fixes_for(head: str, ends: str, delimiter: str, quote: str) -> Fixes:
    """What a text needs before it can be parsed with a delimiter and a quote."""
    fixes: list[tuple[bytes, bytes]] = []
    if ends == "\r" and "\n" in head:
        fixes.append((rb"\r", b"\n"))
    cut, mark = re.escape(delimiter), re.escape(quote)
    if delimiter == " " and re.search(r"  |\t|^ | $", head, re.MULTILINE):
        fixes += [_OUTER_BLANKS, (rb"[ \t]+", b"\t")]
    elif delimiter == "," and delimiter not in head and _is_aligned(head):
        fixes += [_OUTER_BLANKS, (rb"[ \t]{2,}", b"\t")]
    elif delimiter == ":" and "::" in head and "\t" not in head:
        fixes.append((rb"::", b"\t"))
    elif quote:
        if f"\\{quote}" in head and re.search(rf"\\{mark}[^{cut}\n]", head):
            fixes.append((rf"\\{mark}".encode(), (quote * 2).encode()))
        begun = rf"[^{mark}{cut}\r\n]|{mark}(?:[{cut}\r\n]|$)|{mark}{mark}[^{cut}\r\n]"
        blanks = rf"{cut} +(?={mark}(?:{begun}))"  # not before a doubled quote within a cell
        if f" {quote}" in head and re.search(blanks, head):
            fixes.append((blanks.encode(), delimiter.encode()))
    return tuple(fixes)


def _is_aligned(head: str) -> bool:
    """Whether two blanks or more cut all lines into the same number of cells."""
    lines = [line.strip() for line in head.split("\n")[:_ROWS] if line.strip()]
    widths = {len(re.split(r"[ \t]{2,}", line)) for line in lines}
    return len(lines) > 1 and len(widths) == 1 and 1 not in widths


def first_rows(text: str, delimiter: str, quote: str) -> list[Record]:
    """The first rows of a text that are not blank."""
    found = records(lines_of(text), delimiter, quote)
    return list(islice((record for record in found if not record.is_blank), _ROWS))
