"""The pages: their examples run, their tables are the code's, every public name has its place."""

import doctest
import importlib
import inspect
import pkgutil
import re
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


def anchors_of(page):
    """The anchors that a code host gives a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_pages_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target) if target else page
        assert file.exists(), f"{name_of(page)}: {target}"
        assert not anchor or anchor in anchors_of(file), f"{name_of(page)}: {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_tests_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for file, test in re.findall(r"tests/(test_\w+\.py)(?:::(\w+))?", text):
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
    if inspect.isclass(value) or inspect.isfunction(value):
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
