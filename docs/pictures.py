"""Draws ``docs/figures/step.svg``, the worked example's step, from its numbers.

``python docs/pictures.py`` writes it; ``--check`` fails if the file is stale.
``--pages`` takes screenshots of the pages of docs/getting-started.md instead, with Chromium:
``docs/images/report.png`` and ``why.png``.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import outputs

from deltarule import explain
from deltarule.checks import worked_example

HERE = Path(__file__).parent
FIGURE = HERE / "figures" / "step.svg"

WIDTH, HEIGHT = 960, 560
LEFT, STEP = 24, 256  # of the columns of units
BOX, TALL, GAP, MIDDLE = 144, 46, 12, 240  # of the units
FORWARD, BACKWARD, UPDATE = "#1a9287", "#c94fa6", "#cc6d10"  # legible on white and on black
MARKED = (0, 1)  # the entry of W[3] whose update is spelled out

CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--hide-scrollbars"),
)
PAGES = {"report": "1180,1400", "why": "1180,1060"}  # and the size of its window

HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" \
viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, \
sans-serif" font-size="14" fill="currentColor">
  <style>
    svg {{ color: #1f2328; }}
    .page {{ fill: #ffffff; }}
    @media (prefers-color-scheme: dark) {{ svg {{ color: #e6edf3; }} .page {{ fill: #0d1117; }} }}
  </style>
  <title>One training step of the network 5-4-3-1: every activation and every error</title>
  <rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="none"/>"""


def figure() -> str:
    """The SVG: A and δ of every unit for both examples, and the update of one weight."""
    network, parameters, X, Y, _ = worked_example()
    step, following = explain.trace(network, parameters, X, Y, steps=2).steps
    last = len(network.layers)
    names = [
        "inputs",
        *(f"layer {l}, {each.activation.name}" for l, each in enumerate(network.layers, 1)),
    ]
    parts = [HEAD]
    parts += _arrow(28, True, "forward   Eq. 1a: Z = W A + b   Eq. 1b: A = g(Z)", FORWARD)
    for layer, (A_prev, A) in enumerate(pairwise(step.A), 1):
        for (i, j), weight in np.ndenumerate(step.before[layer - 1]["W"]):
            ends = (_top(j, len(A_prev)) + TALL / 2, _top(i, len(A)) + TALL / 2)
            parts += _edge(layer, *ends, weight, (layer, i, j) == (last, *MARKED))
    for layer, A in enumerate(step.A):
        parts += _text(
            LEFT + STEP * layer + BOX / 2, 70, names[layer], anchor="middle", opacity=0.75
        )
        for unit, values in enumerate(A):
            x, y = LEFT + STEP * layer, _top(unit, len(A))
            parts += _box(x, y)
            parts += _line(x, y + (19 if layer else 28), "A", values, FORWARD)
            if layer:
                parts += _line(x, y + 38, "δ", step.delta[layer - 1][unit], BACKWARD)
    x, y = LEFT + STEP * last, _top(0, 1)
    parts += _line(x, y - 22, "Y", Y[:, 0])
    parts += _text(x + BOX / 2, y + 76, f"Eq. 2: C = {step.cost:.3f}", anchor="middle", weight=600)
    legend = "two examples in each box; weights: solid 1, dashed −1, no line 0"
    parts += _text(WIDTH - LEFT, 396, legend, anchor="end", size=13, opacity=0.75)
    backward = "backward   Eq. 11a: δ = dA ⊙ g′(Z)   Eq. 11d: dA of the layer before = Wᵀ δ"
    parts += _arrow(424, False, backward, BACKWARD)
    parts += _one_weight(step, following.cost)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _one_weight(step: explain.TracedStep, cost_after: float) -> Iterator[str]:
    """Three cards: the marked weight's derivative, its update, the cost after the step."""
    i, j = MARKED
    deltas, activations = step.delta[-1][i], step.A[-2][j]
    products = " + ".join(
        f"{_bracketed(delta)} · {_short(a)}" for delta, a in zip(deltas, activations, strict=True)
    )
    before, after = (float(side[-1]["W"][i, j]) for side in (step.before, step.after))
    derivative = float(step.gradients[-1]["W"][i, j])
    changed = f"{_short(before)} − {step.learning_rate:g} · {_bracketed(derivative)}"
    cards = (
        ("Eq. 11b: dW = δ Aᵀ / m", f"({products}) / {step.m:g} = {_short(derivative)}"),
        ("Eq. 3a: W ← W − α dW", f"{changed} = {_short(after)}"),
        ("Eq. 2: C after the step", f"{step.cost:.3f} → {cost_after:.3f}"),
    )
    x = float(LEFT)
    for (heading, numbers), width in zip(cards, (356, 290, 242), strict=True):
        yield (
            f'<rect x="{x:g}" y="462" width="{width}" height="74" rx="6" fill="{UPDATE}" '
            f'fill-opacity=".08" stroke="{UPDATE}" stroke-opacity=".6"/>'
        )
        yield from _text(x + 14, 489, heading, UPDATE, weight=600)
        yield from _text(x + 14, 518, numbers, size=15)
        x += width + 12


def _top(unit: int, units: int) -> float:
    """The upper edge of a unit's box, the column of them in the middle."""
    return MIDDLE - (units * TALL + (units - 1) * GAP) / 2 + unit * (TALL + GAP)


def _short(value: float) -> str:
    """At most three decimals, with a minus sign of its own width."""
    return f"{value + 0.0:.3f}".rstrip("0").rstrip(".").replace("-", "−")


def _bracketed(value: float) -> str:
    return f"({_short(value)})" if value < 0 else _short(value)


def _text(
    x: float,
    y: float,
    text: str,
    color: str = "currentColor",
    anchor: str = "start",
    weight: int = 400,
    size: int = 14,
    opacity: float = 1,
) -> Iterator[str]:
    yield (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{color}" '
        f'fill-opacity="{opacity:g}" text-anchor="{anchor}" xml:space="preserve">'
        f"{escape(text)}</text>"
    )


def _line(
    x: float, y: float, name: str, values: np.ndarray, color: str = "currentColor"
) -> Iterator[str]:
    """A name, and beside it the numbers of both examples."""
    yield from _text(x + 10, y, name, color, weight=600)
    for example, value in enumerate(values):
        zero = 1 if round(float(value), 3) else 0.45
        yield from _text(x + 78 + 56 * example, y, _short(value), anchor="end", opacity=zero)


def _box(x: float, y: float) -> Iterator[str]:
    yield (
        f'<rect x="{x:g}" y="{y:g}" width="{BOX}" height="{TALL}" rx="6" fill="currentColor" '
        'fill-opacity=".05" stroke="currentColor" stroke-opacity=".45"/>'
    )


def _edge(layer: int, y1: float, y2: float, weight: float, marked: bool) -> Iterator[str]:
    """A line for a weight: dashed below zero, none at zero."""
    if not weight:
        return
    x1, x2 = LEFT + STEP * (layer - 1) + BOX, LEFT + STEP * layer
    dashes = ' stroke-dasharray="5 4"' if weight < 0 else ""
    stroke = (UPDATE, 3, 1) if marked else ("currentColor", 1.3, 0.4)
    yield (
        f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" fill="none" stroke="{stroke[0]}" '
        f'stroke-width="{stroke[1]}" stroke-opacity="{stroke[2]}"{dashes}/>'
    )
    if marked:
        text = f"W = {_short(weight)}"
        yield from _text((x1 + x2) / 2, (y1 + y2) / 2 - 9, text, UPDATE, "middle", 600)


def _arrow(y: float, rightwards: bool, text: str, color: str) -> Iterator[str]:
    """A labelled arrow over the whole width."""
    start, end, back = (LEFT, WIDTH - LEFT, -9) if rightwards else (WIDTH - LEFT, LEFT, 9)
    yield (
        f'<path d="M{start} {y + 14:g}H{end}m{back} -5l{-back} 5l{back} 5" fill="none" '
        f'stroke="{color}" stroke-width="2"/>'
    )
    yield from _text(WIDTH / 2, y + 4, text, color, "middle", 600)


def capture_pages() -> None:
    """Run the getting-started page in an empty folder, and take screenshots of what it wrote."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for difference in outputs.ran(HERE / "getting-started.md"):
            sys.exit(f"docs/getting-started.md:{difference}")
        for name, size in PAGES.items():
            options = [f"--user-data-dir={folder}/profile", f"--window-size={size}"]
            picture = f"--screenshot={HERE / 'images' / f'{name}.png'}"
            page = Path(f"{name}.html").absolute().as_uri()
            subprocess.run([*CHROMIUM, *options, picture, page], check=True, capture_output=True)


if __name__ == "__main__":
    if "--pages" in sys.argv[1:]:
        capture_pages()
    elif "--check" not in sys.argv[1:]:
        FIGURE.write_text(figure(), encoding="utf-8")
    elif FIGURE.read_text(encoding="utf-8") != figure():
        sys.exit(f"{FIGURE} is stale; to draw it again, run: make docs")
