"""Templates to pages: text from data is escaped, its HTML and its control characters."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from deltarule.errors import require
from deltarule.system.markup import visible_lines


def rendered(template: str, **values: Any) -> str:
    """A template of this package filled in.

    Parameters
    ----------
    template : str
        A file of ``templates/``.
    **values
        What it needs, all of it: a name that is missing is an error.

    Raises
    ------
    MissingExtraError
        Where Jinja is not installed.
    """
    page: str = _environment().get_template(template).render(**values)
    return page


@lru_cache(maxsize=1)
def _environment() -> Any:
    jinja: Any = require("jinja2", "report", "a page")
    return jinja.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja.StrictUndefined,
        finalize=lambda value: visible_lines(value) if type(value) is str else value,
        loader=jinja.FunctionLoader(_source),
    )


def _source(name: str) -> str:
    return (files("deltarule.report") / "templates" / name).read_text(encoding="utf-8")
