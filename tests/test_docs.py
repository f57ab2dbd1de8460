"""The pages: their examples run, their tables are the code's, every public name has its place."""

import doctest
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import deltarule
from deltarule.checks import EQUATIONS, KIND_EQUATIONS

from . import test_mutations

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def name_of(page):
    return page.relative_to(DOCS).as_posix()


def examples_of(page):
    """A page with everything but its ``pycon`` blocks blanked: line numbers stay."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside and line.startswith("```pycon")
            kept.append("")
        else:
            kept.append(line if inside else "")
    return "\n".join(kept) + "\n"


def tables():
    spec = importlib.util.spec_from_file_location("docs_tables", DOCS / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def modules():
    """Every public module or package at the top; a package's page shows what it exports."""
    names = [module.name for module in pkgutil.iter_modules(deltarule.__path__)]
    return [f"deltarule.{name}" for name in names if name not in ("cli", "__main__")]


def documented():
    """What the reference pages document: modules, and names beside them."""
    text = "\n".join(p.read_text(encoding="utf-8") for p in (DOCS / "api").glob("*.md"))
    names = re.findall(r"^ *\.\. auto(?:module|class|function|data):: (\S+)", text, re.MULTILINE)
    return set(names) | set(re.findall(r"^ *\.\. data:: (\S+)", text, re.MULTILINE))


# Where commands stand between the examples, tests/test_readme.py runs both.
@pytest.mark.parametrize("page", [p for p in PAGES if p.stem != "getting-started"], ids=name_of)
def test_a_pages_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(
        examples_of(page), {"__name__": "__main__"}, name_of(page), str(page), 0
    )
    written = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=written.append)
    assert not written, "".join(written)


def test_the_examples_are_found():
    text = examples_of(DOCS / "derivation" / "worked-example.md")
    assert text.count(">>> ") > 50
    assert "```" not in text


def test_a_wrong_number_on_a_page_is_noticed(tmp_path):
    page = DOCS / "derivation" / "worked-example.md"
    wrong = examples_of(page).replace("1.720095", "1.720096", 1)
    test = doctest.DocTestParser().get_doctest(wrong, {"__name__": "__main__"}, "x", "x", 0)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(test, out=lambda text: None).failed == 1


def test_a_stale_table_is_noticed():
    page = (DOCS / "derivation" / "activations.md").read_text(encoding="utf-8")
    assert tables().written(page.replace("`relu`", "`rule`")) == tables().written(page)


def test_a_missing_row_of_a_table_is_noticed_with_its_place(tmp_path, monkeypatch):
    module = tables()
    page = tmp_path / "notes.md"
    lines = (DOCS / "notes.md").read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(k for k, line in enumerate(lines) if line.startswith("| [10c]"))
    page.write_text("".join(lines[:at] + lines[at + 1 :]), encoding="utf-8")
    monkeypatch.setattr(module, "DOCS", tmp_path)
    monkeypatch.setattr(module, "addresses", tables().addresses)
    monkeypatch.setattr(module, "misprints", tables().misprints)
    assert module.stale() == [page]
    assert module.place(page) == f"docs/notes.md:{at + 1}"


def prose_of(page):
    """A page with its code blanked: line numbers stay."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"```.*?```", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)


def anchors_of(page):
    """The anchors that a code host gives a page's headings, and those of its equations."""
    text = prose_of(page)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = set(map(tables().slug, headings))
    return slugs | {f"eq-{number.lower()}" for number in re.findall(r"\\tag\{(\w+)\}", text)}


def broken_links(page):
    """Links of a page that lead nowhere: ``file:line: target``."""
    text, found = prose_of(page), []
    for link in re.finditer(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text):
        target, anchor = link.groups()
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target) if target else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            line = text[: link.start()].count("\n") + 1
            found.append(f"{page}:{line}: {target}#{anchor}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_pages_links_lead_somewhere(page):
    assert not broken_links(page)


def test_a_broken_anchor_is_noticed_with_its_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n$$ x = 1 \\tag{10c} $$\n\n[right](#eq-10c), [wrong](#eq-10e)\n")
    assert broken_links(page) == [f"{page}:5: #eq-10e"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A small site with the pages' own extensions: what the build said, a page, the search."""
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("Sphinx is not installed; the build of the pages checks it too")
    folder, out = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("html")
    (folder / "index.md").write_text(SITE, encoding="utf-8")
    (folder / "conf.py").write_text(
        'extensions = ["myst_parser", "equations", "mathml"]\n'
        'html_math_renderer, myst_enable_extensions = "mathml", ["dollarmath"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", str(folder), str(out)],
        env={**os.environ, "PYTHONPATH": str(DOCS / "_ext")},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    search = (out / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(search.removeprefix("Search.setIndex(").removesuffix(")"))
    return done.stderr, (out / "index.html").read_text(encoding="utf-8"), index


SITE = r"""# A page

$$
dA_{prev} = W^T \delta \tag{10d}
$$

$$
db = b \tag{10c}
$$

$$
x = y \tag{10c}
$$

[right](#eq-10d), [wrong](index.md#eq-10e)
"""


def test_an_equation_has_an_address_and_a_link_sign(site):
    assert '<div class="equation" id="eq-10d">' in site[1]
    assert 'href="#eq-10d" title="Permanent link to Eq. 10d"' in site[1]


def test_the_search_lists_an_equation_before_any_page(site):
    found = {name: (first, at) for _, _, first, at, name in site[2]["objects"][""]}
    assert found == {"10c": (0, "eq-10c"), "10d": (0, "eq-10d")}  # 0 is the highest


def test_a_broken_anchor_and_a_number_given_twice_are_warned_of_with_their_place(site):
    warnings = re.findall(r"index\.md:(\d+): WARNING: (.*)", site[0])
    assert [line for line, _ in warnings] == ["11", "15"]
    assert "equation 10c is already on page index" in warnings[0][1]
    assert "eq-10e" in warnings[1][1]


def test_a_word_or_a_derivative_is_one_upright_symbol(site):
    for symbol in ("dA", "db", "prev"):
        assert f'<mi mathvariant="normal">{symbol}</mi>' in site[1]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_tests_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for file, test in re.findall(r"tests/(test_\w+\.py)(?:::Test\w+)?(?:::(\w+))?", text):
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^\s*def {test}\(", source, re.MULTILINE), test
    mutations = {mutation.name for mutation in test_mutations.MUTATIONS}
    for line in re.findall(r"`MUTATION\[(.+?)\]`", text):
        assert line in mutations or line == "…", line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_a_page_shows_exists(page):
    spec = importlib.util.spec_from_file_location("docs_code_of", DOCS / "_ext" / "code_of.py")
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("Sphinx is not installed; the build of the pages checks it too")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    blocks = re.findall(r"^```\{code-of\} (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    for name in " ".join(blocks).split():
        assert '"""' not in module.code_of(name), name


def test_the_derivation_mentions_every_equation():
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "derivation").glob("*.md")]
    tags = re.findall(r"\\tag\{(\w+)\}", "\n".join(pages))
    assert len(tags) == len(set(tags)), "an equation's number stands twice"
    numbers = {equation.number for equation in EQUATIONS + KIND_EQUATIONS}
    assert set(tags) == numbers
    index = (DOCS / "derivation" / "index.md").read_text(encoding="utf-8")
    assert numbers <= set(re.findall(r"\b(\d+[a-d]?|[A-Z]\d)\b", index))


@pytest.mark.parametrize("name", deltarule.__all__)
def test_a_public_name_is_documented(name):
    value = getattr(deltarule, name)
    index = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    assert f"`{name}`" in index, "docs/api/index.md lists every public name"
    if name == "__version__":
        return
    if inspect.ismodule(value):
        assert value.__name__ in documented()
    elif inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__, "no docstring"
        homes = {value.__module__, value.__module__.rpartition(".")[0]} - {"deltarule"}
        assert homes & documented(), "on no page of docs/api"
    else:
        homes = [other for other in modules() if hasattr(importlib.import_module(other), name)]
        assert any(f"{home}.{name}" in documented() or _has_text(home, name) for home in homes)


def _has_text(home, name):
    """Whether a string beneath a module's assignment says what the name holds."""
    source = inspect.getsource(importlib.import_module(home))
    return bool(re.search(rf'^{name}\b.*?\n"""', source, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", modules())
def test_a_public_module_is_on_a_page_and_says_what_it_is(name):
    module = importlib.import_module(name)
    assert module.__doc__, "no docstring"
    assert name in documented(), f"{name} is on no page of docs/api"
    own = {
        key: value
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith(name)
    }
    assert not [key for key, value in own.items() if not value.__doc__]
