"""The report's plots. An entry is what the report's tree holds of a figure: "mean", and "low" and "high" if known."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from recsys.evaluation.reporting.svg import MARKERS, MUTED, PAPER, SERIES, drawn

Entry = Mapping[str, Any]

_GROUND = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}

_DODGE = 0.13
"""Between the models at one place of the x axis, so that their intervals do not cover each other."""


def interval_plot(entries: Mapping[str, Entry], *, metric: str, name: str, text: str, first_series: int = 0) -> str:
    """A row for each entry, its mean a point and its interval a line; a line at zero where it lies within."""

    def draw(axes: Axes) -> None:
        for row, entry in enumerate(entries.values()):
            _span(axes, entry, row, series=row + first_series, level=True)
            axes.plot(entry["mean"], row, **_look(row + first_series))
        axes.set(ylim=(len(entries) - 0.6, -0.75), yticks=[], xlabel=metric)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
        _include_zero(axes)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        for row, (label, entry) in enumerate(entries.items()):
            _name_above(axes, label, entry["mean"], row)

    return drawn(draw, height=52 + 44 * len(entries), name=name, text=text)


def _name_above(axes: Axes, label: str, x: float, row: int) -> None:
    """The name over its mark, on the side where there is room."""
    low, high = axes.get_xlim()
    share = (x - low) / (high - low)
    side = "left" if share < 1 / 3 else "right" if share > 2 / 3 else "center"
    shift = {"left": -4, "center": 0, "right": 4}[side]
    axes.annotate(label, (x, row), (shift, 9), textcoords="offset points", ha=side, bbox=_GROUND)


def _include_zero(axes: Axes) -> None:
    """Distances from zero are what is compared, so zero is on the axis; beyond it only where figures are."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0), max(high, 0))
    if low < 0:
        axes.axvline(0, color=MUTED, linewidth=1)


def scatter_plot(
    points: Mapping[str, tuple[float, Entry]], *, x_label: str, y_label: str, name: str, text: str
) -> str:
    """Each model by a share on the x axis and an entry on the y axis."""

    def draw(axes: Axes) -> None:
        right = max(x for x, _ in points.values()) or 1
        for series, (label, (x, entry)) in enumerate(points.items()):
            _span(axes, entry, x, series=series)
            axes.plot(x, entry["mean"], linestyle="", label=label, **_look(series))
        axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.04 * right, 1.12 * right))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
        axes.grid()
        _legend(axes)

    return drawn(draw, height=270, name=name, text=text)


def slice_plot(
    slices: Sequence[str],
    models: Mapping[str, Sequence[Entry]],
    *,
    x_label: str,
    y_label: str,
    name: str,
    text: str,
) -> str:
    """Every model's entries over the slices. No line joins them: slices are of very different size."""

    def draw(axes: Axes) -> None:
        for series, (label, entries) in enumerate(models.items()):
            shift = (series - (len(models) - 1) / 2) * _DODGE
            known = [(at + shift, entry) for at, entry in enumerate(entries) if entry.get("mean") is not None]
            for x, entry in known:
                _span(axes, entry, x, series=series)
            axes.plot(
                [x for x, _ in known],
                [entry["mean"] for _, entry in known],
                linestyle="",
                label=label,
                **_look(series),
            )
        axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.5, len(slices) - 0.5))
        axes.set_xticks(range(len(slices)), slices)
        axes.set_ylim(0, None)
        axes.grid(axis="y")
        _legend(axes)

    return drawn(draw, height=270, name=name, text=text)


def curve_plot(values: Sequence[float], *, x_label: str, y_label: str, name: str, text: str) -> str:
    """Values of the steps 1, 2, 3 ..."""

    def draw(axes: Axes) -> None:
        axes.plot(range(1, len(values) + 1), values, **_look(0))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y")

    return drawn(draw, height=210, name=name, text=text)


def _legend(axes: Axes) -> None:
    """Above the drawing: names beside the marks of models that are close would cover each other."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, columnspacing=1.2, handlelength=1.4)


def _look(series: int) -> Any:
    """How a series is drawn: its colour and its mark."""
    return {"color": SERIES[series % len(SERIES)], "marker": MARKERS[series % len(MARKERS)], "clip_on": False}


def _span(axes: Axes, entry: Entry, at: float, *, series: int, level: bool = False) -> None:
    """The interval of `entry`, upright or level, `at` a place of the other axis; nothing where there is none."""
    if entry.get("low") is not None:
        bounds, place = (entry["low"], entry["high"]), (at, at)
        along, across = (bounds, place) if level else (place, bounds)
        axes.plot(along, across, color=SERIES[series % len(SERIES)], linewidth=2, solid_capstyle="butt")
