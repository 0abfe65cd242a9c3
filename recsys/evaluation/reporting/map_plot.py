"""The map of the items as inline SVG: dots in groups, and a few names."""

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from recsys.data.arrays import Floats
from recsys.evaluation.reporting.plots import GRID, INK, PAPER, SERIES, drawn
from recsys.space.map_view import OTHERS, MapGroup, MapName, MapView

_DOT = 2.6
"""Points."""

_HEIGHT = 350


def map_plot(view: MapView) -> str:
    """The map, with a legend of the groups."""

    def draw(axes: Axes) -> None:
        for group, colour in zip(view.groups, _colours(view.groups), strict=True):
            axes.add_patch(_dots(group.places, colour))
        _frame(axes, np.concatenate([group.places for group in view.groups]))
        _legend(axes, view.groups)
        for name in view.names:
            _write(axes, name)

    text = f"Map of {view.n_items:,} items, coloured by {view.coloured_by}"
    return _short(drawn(draw, height=_HEIGHT, name="map", text=text))


def _colours(groups: Sequence[MapGroup]) -> list[str]:
    """The colours of the page, and a weak one for the items that have none of the values."""
    series = iter(SERIES)
    return [GRID if group.name == OTHERS else next(series) for group in groups]


def _dots(places: Floats, colour: str) -> PathPatch:
    """Every item as a line of no length with round ends: a tenth of the size of a drawn circle."""
    corners = np.repeat(places, 2, axis=0)
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], np.uint8), len(places))
    path = Path(corners, codes)
    path.should_simplify = False
    return PathPatch(path, edgecolor=colour, facecolor="none", linewidth=_DOT, capstyle="round")


def _frame(axes: Axes, places: Floats) -> None:
    """All dots, without axes: neither direction has a meaning of its own."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = 0.04 * np.maximum(high - low, 1e-6)
    axes.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
    axes.set_axis_off()


def _legend(axes: Axes, groups: Sequence[MapGroup]) -> None:
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=5, color=colour, label=group.name)
        for group, colour in zip(groups, _colours(groups), strict=True)
    ]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, handletextpad=0.2)


def _write(axes: Axes, name: MapName) -> None:
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.75}
    axes.text(name.x, name.y, name.text, ha="center", va="center", fontsize=8, color=INK, bbox=box)


def _short(svg: str) -> str:
    """Dots as "M x y h0", with one decimal."""

    def dot(found: re.Match[str]) -> str:
        return f"M{float(found[1]):.1f} {float(found[2]):.1f}h0"

    return re.sub(r"M (-?[\d.]+) (-?[\d.]+) L \1 \2 ?", dot, svg)
