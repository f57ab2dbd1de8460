"""The server of the guide, called as a web server calls it."""

import asyncio
import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deltarule.tabular.estimators import TabularRegressor

PAGE = Path(__file__).parents[1] / "docs" / "serving.md"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The application of the page, and the model behind it."""
    path = tmp_path_factory.mktemp("served") / "flats.safetensors"
    days = [date(2020, 1, 1 + i % 28) for i in range(60)]
    flats = pl.DataFrame({"area": np.arange(60.0), "town": ["Oslo", "Rome"] * 30, "built": days})
    model = TabularRegressor(epochs=1, random_state=0, n_ensemble=1).fit(flats, np.arange(60.0))
    model.save(path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL", str(path))
        exec(compile(code, "server.py", "exec"), names)
    return names["app"], model


def posted(app, *parts):
    """The status and the JSON of an answer to a request whose body comes in parts."""
    messages = [
        {"type": "http.request", "body": part, "more_body": k < len(parts) - 1}
        for k, part in enumerate(parts)
    ]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "POST", "path": "/"}, receive, send))
    start, body = sent
    assert start["headers"] == [(b"content-type", b"application/json")]
    return start["status"], json.loads(body["body"])


def test_a_row_is_answered_with_its_prediction(served):
    app, model = served
    row = {"area": 50, "town": "Oslo", "built": "2015-06-01"}
    status, answer = posted(app, json.dumps(row).encode())
    assert status == 200
    assert answer == {"prediction": model.predict([row])[0]}
    assert posted(app, b'{"area": 50, "town": "Os', b'lo", "built": "2015-06-01"}') == (200, answer)


def test_what_is_no_row_is_answered_with_what_is_wrong(served):
    app, _ = served
    for body, told in {
        b'{"area": 50, "town": "Oslo"}': "the row lacks the column: 'built'.",
        b'{"area": "wide", "town": "Oslo", "built": null}': "column 'area' holds text ('wide')",
        b"[1, 2]": "row: expected a mapping of column names to cells",
        b"area=50": "Expecting value",
        b"\xff": "can't decode byte",
    }.items():
        status, answer = posted(app, body)
        assert status == 422
        assert told in answer["error"]


def test_the_beginning_and_the_end_of_a_server_need_nothing(served):
    asyncio.run(served[0]({"type": "lifespan"}, None, None))
