"""Figures as SVG that belongs to the page around it: its colours, its fonts, nothing from elsewhere.

Matplotlib knows fixed colours only, so plots are drawn in stand-ins, and these become the page's CSS variables:
one drawing follows light mode, dark mode and print.
"""

import html
import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
SERIES = tuple(f"#0500{number:02x}" for number in range(6))
"""Stand-ins for the page's colours: text, weak text, weak lines, the ground, and the series in their order."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""One for each of SERIES, so that colour is never the only sign."""

_CSS = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)
}

_POINTS_PER_INCH = 72
_WIDTH = 360
"""Points; a phone shows about as many CSS pixels, so text stays near its size there."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "recsys",
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.6,
    "lines.markersize": 6.5,
}


def drawn(draw: Callable[[Any], None], *, height: int, name: str, text: str) -> str:
    """What `draw` makes of an empty pair of axes, as an <svg> element `height` points tall that fills its place.

    `name`: unique on the page; goes before every id within. `text`: what it shows, for those who cannot see it.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    return _inline(out.getvalue(), name, text)


_METADATA = ("Creator", "Date", "Format", "Type")


def _inline(document: str, name: str, text: str) -> str:
    """The <svg> element of a document, without what is of no use inside a page."""
    svg = document[document.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', svg)
    svg = svg[svg.index(">") + 1 :]
    for pattern, replacement in {
        r"(?s)<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->": "",
        r"xlink:href": "href",
        r'\bid="': f'id="{name}-',
        r'(href="#|url\(#)': rf"\g<1>{name}-",
        r"font-family: [^;\"]*; ": "",
        r"\s+": " ",
        **_CSS,
    }.items():
        svg = re.sub(pattern, replacement, svg)
    return f'<svg {box[0] if box else ""} role="img" aria-label="{html.escape(text)}">{svg.rstrip()}'
