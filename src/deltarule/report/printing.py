"""Pages as PDF: printed by a browser that is installed, without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deltarule.errors import FileError

_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge"),
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
"""Where installers put browsers that are not on the PATH."""

_LONGEST = 300  # seconds


def is_pdf(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name asks for PDF.

    Examples
    --------
    >>> is_pdf("flats.pdf"), is_pdf("flats.html")
    (True, False)
    """
    return Path(path).suffix.lower() == ".pdf"


def check_printable(path: str | os.PathLike[str]) -> None:
    """Refuse the name of a PDF where no page can be printed: found out with an empty one.

    Raises
    ------
    FileError
        Where no browser is found, or the one that is does not print.
    """
    if is_pdf(path):
        printed(path, "<!doctype html><title>empty</title>")


def printed(path: str | os.PathLike[str], page: str) -> bytes:
    """A page as the bytes of a PDF, with what is folded opened.

    Parameters
    ----------
    path : path
        The file's name, for messages.
    page : str
        HTML that needs no other file.

    Raises
    ------
    FileError
        As :func:`check_printable`.
    """
    browser = _browser(path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source, target = folder / "page.html", folder / "page.pdf"
        source.write_text(page.replace("<details ", "<details open "), encoding="utf-8")
        switches = ["headless", "disable-gpu", "no-first-run", "no-pdf-header-footer"]
        switches += [f"user-data-dir={folder / 'profile'}", f"print-to-pdf={target}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            switches.append("no-sandbox")  # for root there is none
        said = _said_by([browser, *(f"--{switch}" for switch in switches), source.as_uri()])
        if not target.is_file():
            raise FileError(
                f"{path}: {Path(browser).name} printed no PDF{said}. Name a file.html, and print "
                "that from a browser."
            )
        return target.read_bytes()


def _browser(path: str | os.PathLike[str]) -> str:
    for name in (*_NAMES, *_PLACES):
        if found := shutil.which(name):
            return found
    raise FileError(
        f"{path}: a PDF needs a browser to print it; expected Chromium, Chrome or Edge, found "
        "none. Install one, or name a file.html, and print that from any browser."
    )


def _said_by(command: list[str]) -> str:
    """Run a program; the last line of what it complains of, for a message."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f": {error}"
    lines = done.stderr.strip().splitlines()
    return f": {lines[-1]}" if lines and done.returncode else ""
