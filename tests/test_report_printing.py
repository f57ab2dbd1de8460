"""A report as a PDF: printed where a browser is, refused before the training where none is."""

import pytest

import deltarule as dr
from deltarule.cli import main
from deltarule.report import printing
from deltarule.report.compose import Report

from .test_cli import QUICK, fails, write_flats

PRINTS = """#!/bin/sh
for option; do
  case "$option" in --print-to-pdf=*) target="${option#--print-to-pdf=}" ;; esac
  source="${option#file://}"
done
(echo %PDF; cat "$source") > "$target"
"""
FAILS = "#!/bin/sh\necho first >&2\necho 'no display' >&2\nexit 1\n"


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """A function that makes a text the only browser there is."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setattr(printing, "_NAMES", (str(folder / "chromium"),))
    monkeypatch.setattr(printing, "_PLACES", ())

    def installed(text):
        (folder / "chromium").write_text(text)
        (folder / "chromium").chmod(0o755)

    return installed


def test_a_pdf_is_printed_with_all_that_is_folded(browser, tmp_path):
    browser(PRINTS)
    page = Report('<details id="x">all of it</details>', ())
    page.save(tmp_path / "r.PDF")
    assert (tmp_path / "r.PDF").read_bytes().startswith(b"%PDF")
    assert b'<details open id="x">all of it' in (tmp_path / "r.PDF").read_bytes()
    page.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_bytes() == page.html.encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "expected Chromium, Chrome or Edge, found none. Install one, or name a file.html"),
        (FAILS, "chromium printed no PDF: no display. Name a file.html"),
        ("not a program", "printed no PDF: "),
    ],
)
def test_what_cannot_be_printed_is_refused_before_training(
    text, message, browser, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv")
    if text is not None:
        browser(text)
    arguments = ["train", "flats.csv", "--target", "rent", "--out", "m", *QUICK]
    assert message in fails(capsys, *arguments, "--report", "r.pdf")
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "r.pdf").exists()
    with pytest.raises(dr.FileError, match="PDF"):
        Report("<p>", ()).save("r.pdf")


def test_the_command_line_writes_a_pdf(browser, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    browser(PRINTS)
    write_flats(tmp_path / "flats.csv")
    assert main(["train", "flats.csv", "--target", "rent", *QUICK, "--report", "r.pdf"]) == 0
    assert "Report: r.pdf" in capsys.readouterr().out
    content = (tmp_path / "r.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"rent from flats.csv" in content
