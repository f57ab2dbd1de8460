"""The reference: every public name describes its parameters and results, with an example."""

import inspect
import re

import pytest

import deltarule

SECTION = re.compile(r"^(\w+)\n-{3,}$", re.MULTILINE)
NAMES = [
    name
    for name in deltarule.__all__
    if inspect.isclass(getattr(deltarule, name)) or inspect.isfunction(getattr(deltarule, name))
]


def sections(text):
    """The sections of a NumPy docstring, by title."""
    _, *parts = SECTION.split(inspect.cleandoc(text or ""))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def described(section):
    """The names of a section with what is said about each; of several names, about all."""
    found, names = {}, []
    for line in filter(str.strip, section.splitlines()):
        if line[0].isspace():
            for name in names:
                found[name] += line
        else:
            names = [name.strip().lstrip("*") for name in line.partition(" : ")[0].split(",")]
            found.update(dict.fromkeys(names, ""))
    return found


def complaints(obj):
    """What the docstring of a class or function lacks."""
    of = sections(obj.__doc__)
    texts = described(of.get("Attributes", "")) | described(of.get("Parameters", ""))
    is_error = inspect.isclass(obj) and issubclass(obj, BaseException)
    if not is_error and not getattr(obj, "_is_protocol", False):
        names = inspect.signature(obj).parameters
        variadic = ("args", "kwargs")
        public = [name for name in names if not name.startswith("_") and name not in variadic]
        yield from (f"{name} is not described" for name in public if name not in texts)
        surplus = described(of.get("Parameters", "")).keys() - names.keys()
        yield from (f"{name} is not a parameter" for name in sorted(surplus))
    yield from (f"{name} has a type alone" for name, text in texts.items() if not text)
    if ">>> " not in of.get("Examples", ""):
        yield "no example"
    returns = inspect.isfunction(obj) and obj.__annotations__.get("return") not in (None, "None")
    if returns and not {"Returns", "Yields"} & of.keys():
        yield "what it returns is not described"


def place(obj):
    """File and line, for a failure."""
    source = inspect.unwrap(obj)
    return f"{inspect.getsourcefile(source)}:{inspect.getsourcelines(source)[1]}"


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_described(name):
    obj = getattr(deltarule, name)
    found = list(complaints(obj))
    assert not found, f"{place(obj)}: {name}: {'; '.join(found)}"


def test_what_is_missing_is_named():
    def wrong(a: int, b: int) -> int:
        """Add.

        Parameters
        ----------
        a : int
            The first.
        c : int
        """
        return a + b

    assert list(complaints(wrong)) == [
        "b is not described",
        "c is not a parameter",
        "c has a type alone",
        "no example",
        "what it returns is not described",
    ]
