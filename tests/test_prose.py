"""The check of words in what people read."""

import importlib.util
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "docs" / "prose.py"
spec = importlib.util.spec_from_file_location("prose", SOURCE)
prose = importlib.util.module_from_spec(spec)
spec.loader.exec_module(prose)

PAGE = """Columns are told from the rows.
`unless given` is code.

```
judged by this
```
One model per key; a model a key.
"""


def test_a_private_word_is_found_with_its_line_but_not_in_code(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert list(prose.hits(page)) == [(1, "told from"), (7, "a model a key")]


def test_strings_of_the_package_are_read_and_names_are_not(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('judged = "as it came"\n\n\ndef judge():\n    """Two.\n\n    So many."""\n')
    assert list(prose.hits(module)) == [(1, "as it came"), (7, "So many")]


def test_a_new_word_and_a_baseline_that_could_shrink_are_named_by_file_and_line():
    found = {"a.md": [(3, "judged"), (9, "slanted")], "b.md": [(1, "by itself")]}
    assert prose.complaints(found, {"a.md": 1, "b.md": 1}) == [
        "a.md:3: 'judged' is a private word",
        "a.md:9: 'slanted' is a private word",
        "a.md: 2 private words; expected at most 1",
    ]
    assert prose.complaints({}, {"b.md": 1}) == [
        "b.md: 0 private words, fewer than 1; run: make docs"
    ]


def test_every_word_has_what_to_write_instead():
    assert all(prose.WORDS.values())
