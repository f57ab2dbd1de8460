"""The model as a page: one HTML file that predicts, offline, and that Python reads as the model.

It carries the model file's bytes; its script takes the parameters from there. Two digests guard
it: of the whole file, which Python checks, and of all that is shown or computed with, which the
script checks.
"""

from __future__ import annotations

import hashlib
import html
import json
import os

from deltarule.errors import SettingError
from deltarule.explain.page import ENGINE_SCRIPTS
from deltarule.model_page.facts import facts
from deltarule.modelfile import Model, model_bytes
from deltarule.system.markup import asset, filled
from deltarule.system.storage import model_element, sealed, write_whole

_SCRIPTS = (
    *("file.js", "reading.js", "columns.js", "predicting.js", "why.js"),
    *("dom.js", "descent.js", "unit.js", "table.js", "form.js", "results.js", "many.js", "page.js"),
)


def model_page(model: Model) -> bytes:
    """The page of a model, as the bytes of an HTML file.

    Parameters
    ----------
    model : Model
        Of a table.

    Returns
    -------
    bytes
        A page that asks nothing of any network; ``load`` and ``predict`` read it as the model.

    Raises
    ------
    SettingError
        For a model of arrays, a custom layer, or a custom activation that cannot be traced.

    Examples
    --------
    >>> import deltarule as dr
    >>> X = {"area": [50.0, 60.0, 80.0] * 8, "town": ["A", "B", "A"] * 8}
    >>> fitted = dr.TabularRegressor(epochs=1, n_ensemble=1).fit(X, X["area"])
    >>> b"<title>Predict target</title>" in model_page(fitted.model_)
    True
    """
    if model.preprocessing is None or model.targets is None:
        raise SettingError(
            "export: a page needs a model of a table; this one takes arrays. Train it with "
            "deltarule train, or export it to ONNX or C."
        )
    parts = {
        "style": _asset("page.css"),
        "shell": _asset("shell.html"),
        "facts": _as_text(facts(model)),
        "program": "\n".join(
            [
                *(_asset(name, "deltarule.explain") for name in ENGINE_SCRIPTS),
                *map(_asset, _SCRIPTS),
            ]
        ),
    }
    element = model_element(model_bytes(model))
    content = element.partition(">")[2].rpartition("<")[0]
    shown = [parts["style"], parts["shell"], parts["facts"], content, parts["program"]]
    texts = {
        "digest": hashlib.sha256("\n".join(shown).encode()).hexdigest(),
        "title": html.escape(f"Predict {' and '.join(model.targets.names)}"),
        "model": element,
        **parts,
    }
    order = ("digest", "title", "style", "shell", "facts", "model", "program")
    return sealed(filled(_asset("page.html"), {name: texts[name] for name in order}))


def save_model_page(path: str | os.PathLike[str], model: Model) -> None:
    """Write the page of a model to a file, atomically.

    Parameters
    ----------
    path : path
        The file, which is replaced.
    model : Model
        As of :func:`model_page`.

    Raises
    ------
    SettingError
        As :func:`model_page`.
    FileError
        Where the file cannot be written.
    """
    write_whole(path, model_page(model))


def _asset(name: str, package: str = "deltarule.model_page") -> str:
    return asset(package, name)


def _as_text(values: object) -> str:
    """JSON that no text of the data can end."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
