"""The README's examples, as they stand there."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_it_opens_with_what_this_is_for_then_the_two_commands():
    opening = README[: README.index("## In Python")]
    assert (
        opening.index("back propagation") < opening.index("make demo") < opening.index("make test")
    )


def test_the_python_example(capsys):
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) == 5
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert "Result(64-64-10, 30 epochs" in capsys.readouterr().out
    found = names["result"].predict(names["X"] / 16).argmax(axis=1)
    assert (found == names["y"]).mean() > 0.95


def commands():
    return [
        line[2:] for block in blocks("console") for line in block.splitlines() if line[0] == "$"
    ]


def test_the_commands(tmp_path, monkeypatch):
    """Every command shown, in order, in one folder."""
    from typer.testing import CliRunner

    from deltarule.cli import app

    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    shown = commands()
    assert any("--target" in command for command in shown)
    for command in shown:
        program, *arguments = shlex.split(command)
        assert program == "deltarule"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, f"{command}\n{done.output}"
    assert len((tmp_path / "rents.csv").read_text().splitlines()) == 301


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_every_link_leads_somewhere(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("target", re.findall(r"\bmake (\w+)", README))
def test_every_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
