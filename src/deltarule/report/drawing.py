"""Figures of matplotlib: axes to draw on, and figures as SVG that belongs to a page.

matplotlib is imported when something is drawn, never before. A page's figure has its text as
text and its colors by name, so that it follows the page from light to dark.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from deltarule.errors import require
from deltarule.system.markup import visible_lines

INK, MUTED, LINE = "#24292f", "#6b7480", "#cfd6dd"
"""Text; lesser text and guides; grid: on a page, the page's own."""

COLOURS = (
    *("#3b7dd8", "#d9731a", "#2c9c69", "#c44e88", "#8667d0"),
    *("#b08a1e", "#2899a8", "#d2504f", "#7a8b2f", "#8a6d5c"),
)
"""Of curves, legible on light and on dark."""

_MORE = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK KR"),
    *("Source Han Sans", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback"),
    *("IPAGothic", "IPAexGothic", "TakaoGothic", "NanumGothic", "UnDotum"),
    *("Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Yu Gothic", "Microsoft YaHei", "Microsoft JhengHei", "Malgun Gothic", "Segoe UI Symbol"),
    *("Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Symbols", "Noto Emoji"),
)
"""Fonts with the letters of many languages, one of which most systems have."""

_NAMES = {INK: "ink", MUTED: "muted", LINE: "line"}
_STYLE = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "text.parse_math": False,  # a column may be called "$x"
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
}


def matplotlib(module: str = "") -> Any:
    """A module of matplotlib.

    Raises
    ------
    MissingExtraError
        Where it is not installed.
    """
    return require(f"matplotlib{module}", "report", "a plot")


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Within it, matplotlib draws in this package's style."""
    families = list(dict.fromkeys([*matplotlib().rcParams["font.family"], *_further_fonts()]))
    with matplotlib().rc_context({**_STYLE, "font.family": families}):
        yield


@lru_cache(maxsize=1)
def _further_fonts() -> list[str]:
    """Installed fonts with letters that the user's own may lack."""
    installed = set(matplotlib(".font_manager").fontManager.get_font_names())
    return [name for name in _MORE if name in installed]


def axes_of(ax: Any, *, size: tuple[float, float] = (5.0, 3.3)) -> Any:
    """The axes to draw on: the caller's, or those of a new figure, shown where figures are."""
    if ax is not None:
        return ax
    return matplotlib(".pyplot").subplots(figsize=size)[1]


def figure(width: float = 5.0, height: float = 3.3, **layout: Any) -> tuple[Any, Any]:
    """A figure that no window or notebook knows of, and its axes."""
    with style():
        made = matplotlib(".figure").Figure(figsize=(width, height))
        return made, made.subplots(**layout)


def svg(drawn: Any, name: str) -> str:
    """A figure as an SVG element for a page.

    Parameters
    ----------
    drawn : matplotlib.figure.Figure
    name : str
        Different for each figure of a page: its parts are called by it.
    """
    matplotlib(".backends.backend_svg")
    file = io.StringIO()
    with style(), matplotlib().rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # the page's text is drawn by the browser, which has further fonts
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = visible_lines(file.getvalue())
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    for colour, variable in _NAMES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text
