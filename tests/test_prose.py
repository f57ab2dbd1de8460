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


def test_words_are_named_by_file_and_line_with_what_to_write(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Good.\nA slanted column.\n")
    (tmp_path / "src" / "page.js").write_text("const text = `it goes on.`;\n")
    (tmp_path / "CHANGELOG.md").write_text("As it came.\n")
    assert prose.complaints(tmp_path) == [
        f"CHANGELOG.md:1: 'As it came'; write: {prose.instead('as it came')}",
        "docs/a.md:2: 'slanted'; write: oblique features",
        "src/page.js:1: 'goes on'; write: resumes, continues, restarts",
    ]


def test_the_project_has_none():
    assert prose.complaints() == []


def test_every_word_has_what_to_write_instead():
    assert all(prose.WORDS.values())
