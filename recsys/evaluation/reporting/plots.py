"""Plots as inline SVG with the colours and fonts of the page.

Matplotlib knows only fixed colours, so plots are drawn in stand-in colours that are then replaced by the page's CSS
variables: one drawing follows light mode, dark mode and print.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from recsys.evaluation.comparison import Estimate

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
SERIES = tuple(f"#0500{number:02x}" for number in range(6))
"""Stand-in colours: text, weak text, weak lines, background; SERIES: one per series."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""One marker per series, so that colour is never the only difference."""

_CSS = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)
}

_POINTS_PER_INCH = 72
_WIDTH = 360
"""Points. A phone is about as many CSS pixels wide, so text keeps about its size there."""

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

_LABEL_BOX = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}

_MODEL_OFFSET = 0.13
"""Distance between the models at one place of the x axis, so that their intervals do not overlap."""


def interval_plot(
    entries: Mapping[str, Estimate], *, metric: str, name: str, text: str, first_series: int = 0
) -> str:
    """One row per entry: the mean as a point, the interval as a line. If values are negative, a line marks zero."""

    def draw(axes: Axes) -> None:
        for row, entry in enumerate(entries.values()):
            _span(axes, entry, row, series=row + first_series, level=True)
            axes.plot(_mean(entry), row, **_style(row + first_series))
        axes.set(ylim=(len(entries) - 0.6, -0.75), yticks=[], xlabel=metric)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
        _include_zero(axes)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        for row, (label, entry) in enumerate(entries.items()):
            _name_above(axes, label, _mean(entry), row)

    return drawn(draw, height=52 + 44 * len(entries), name=name, text=text)


def _name_above(axes: Axes, label: str, x: float, row: int) -> None:
    """Write the name over its point, to the side that has room."""
    low, high = axes.get_xlim()
    share = (x - low) / (high - low)
    side = "left" if share < 1 / 3 else "right" if share > 2 / 3 else "center"
    shift = {"left": -4, "center": 0, "right": 4}[side]
    axes.annotate(label, (x, row), (shift, 9), textcoords="offset points", ha=side, bbox=_LABEL_BOX)


def _include_zero(axes: Axes) -> None:
    """Extend the axis to zero, because distances from zero are compared."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0), max(high, 0))
    if low < 0:
        axes.axvline(0, color=MUTED, linewidth=1)


def scatter_plot(
    points: Mapping[str, tuple[float, Estimate]], *, x_label: str, y_label: str, name: str, text: str
) -> str:
    """One point per model: a share on the x axis, an estimate on the y axis."""

    def draw(axes: Axes) -> None:
        right = max(x for x, _ in points.values()) or 1
        for series, (label, (x, entry)) in enumerate(points.items()):
            _span(axes, entry, x, series=series)
            axes.plot(x, _mean(entry), linestyle="", label=label, **_style(series))
        axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.04 * right, 1.12 * right))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
        axes.grid()
        _legend(axes)

    return drawn(draw, height=270, name=name, text=text)


def slice_plot(
    slices: Sequence[str],
    models: Mapping[str, Sequence[Estimate]],
    *,
    x_label: str,
    y_label: str,
    name: str,
    text: str,
) -> str:
    """Every model's estimates by slice. No line joins them, because slices differ in size."""

    def draw(axes: Axes) -> None:
        for series, (label, entries) in enumerate(models.items()):
            shift = (series - (len(models) - 1) / 2) * _MODEL_OFFSET
            known = [(at + shift, entry) for at, entry in enumerate(entries) if entry.mean is not None]
            for x, entry in known:
                _span(axes, entry, x, series=series)
            axes.plot(
                [x for x, _ in known],
                [_mean(entry) for _, entry in known],
                linestyle="",
                label=label,
                **_style(series),
            )
        axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.5, len(slices) - 0.5))
        axes.set_xticks(range(len(slices)), slices)
        axes.set_ylim(0, None)
        axes.grid(axis="y")
        _legend(axes)

    return drawn(draw, height=270, name=name, text=text)


def curve_plot(
    values: Sequence[float], *, x_label: str, y_label: str, name: str, text: str, steps: Sequence[int] | None = None
) -> str:
    """One value per step as a line; the steps are 1, 2, 3 ... by default."""

    def draw(axes: Axes) -> None:
        axes.plot(steps or range(1, len(values) + 1), values, **_style(0))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y")

    return drawn(draw, height=210, name=name, text=text)


def path_plot(
    points: Sequence[tuple[str, float, float]], *, marked: int, x_label: str, y_label: str, name: str, text: str
) -> str:
    """Points (label, x, y) joined by a line in their order; the one at `marked` is larger and stands out."""

    def draw(axes: Axes) -> None:
        axes.plot([x for _, x, _ in points], [y for _, _, y in points], **_style(0))
        _, x, y = points[marked]
        axes.plot(x, y, markersize=11, linestyle="", **_style(1))
        for at, (label, x, y) in enumerate(points):
            above = 12 if at == marked else 9
            axes.annotate(label, (x, y), xytext=(0, above), textcoords="offset points", ha="center", fontsize=9)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.margins(0.08, 0.16)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid()

    return drawn(draw, height=240, name=name, text=text)


def _legend(axes: Axes) -> None:
    """Put the legend above the plot: names next to the points of similar models would overlap."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, columnspacing=1.2, handlelength=1.4)


def _mean(entry: Estimate) -> float:
    return float("nan") if entry.mean is None else entry.mean


def _style(series: int) -> Any:
    """The colour and marker of a series."""
    return {"color": SERIES[series % len(SERIES)], "marker": MARKERS[series % len(MARKERS)], "clip_on": False}


def _span(axes: Axes, entry: Estimate, at: float, *, series: int, level: bool = False) -> None:
    """Draw the interval of `entry`, if it has one, upright or `level`, at `at` on the other axis."""
    if entry.low is not None and entry.high is not None:
        bounds, place = (entry.low, entry.high), (at, at)
        along, across = (bounds, place) if level else (place, bounds)
        axes.plot(along, across, color=SERIES[series % len(SERIES)], linewidth=2, solid_capstyle="butt")


def drawn(draw: Callable[[Any], None], *, height: int, name: str, text: str) -> str:
    """What `draw` draws on empty axes, as an <svg> element `height` points tall that fills the width of its parent.

    `name`: unique on the page, prefix of every id within. `text`: what it shows, for screen readers.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH), layout="constrained")
        axes, out = figure.subplots(), StringIO()
        draw(axes)
        for background in (figure.patch, axes.patch):
            background.set_visible(False)
        canvas: Any = FigureCanvasSVG(figure)
        # `savefig` would draw everything twice, the first time only for the layout.
        canvas.print_svg(out, metadata=dict.fromkeys(_METADATA))
    return _inline(out.getvalue(), name, text)


_METADATA = ("Creator", "Date", "Format", "Type")


def _inline(document: str, name: str, text: str) -> str:
    """The <svg> element of a document, without parts that a page does not need."""
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
