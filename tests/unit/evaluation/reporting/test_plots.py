import re

import numpy as np
import pytest

from recsys.evaluation.comparison import Estimate
from recsys.evaluation.reporting.plots import MARKERS, SERIES, curve_plot, interval_plot, scatter_plot, slice_plot

ENTRIES = {
    "als": Estimate(0.4, 0.3, 0.5),
    "popular": Estimate(0.1, 0.05, 0.2),
    "knn": Estimate(0.25),
}
NAMED = {"name": "here", "text": "what is <seen>"}


def _marks(plot, series):
    """x and y of the marks drawn in the colour of a series."""
    found = re.findall(rf'<use href="#[^"]*" x="([\d.]+)" y="([\d.]+)" style="fill: var\(--series-{series}\)', plot)
    return np.array(found, float)


def _spans(plot, series):
    """First and last point of the lines drawn in the colour of a series."""
    found = re.findall(rf'd="M ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+) "[^>]*stroke: var\(--series-{series}\)', plot)
    return np.array(found, float)


def test_points_stand_where_their_figures_are_and_lines_reach_over_the_interval():
    plot = interval_plot(ENTRIES, metric="ndcg@20", **NAMED)
    x = [_marks(plot, series)[0][0] for series in range(3)]
    unit = (x[0] - x[1]) / 0.3
    assert x[2] == pytest.approx(x[1] + 0.15 * unit, abs=0.01)
    for series, name in enumerate(("als", "popular")):
        start, _, stop, _ = _spans(plot, series)[0]
        assert [start, stop] == pytest.approx(
            [x[series] + (bound - ENTRIES[name].mean) * unit for bound in (ENTRIES[name].low, ENTRIES[name].high)],
            abs=0.01,
        )
    assert len(_spans(plot, 2)) == 0
    assert all(f">{name}</text>" in plot for name in ENTRIES)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_zero_of_a_difference_is_always_in_view(sign):
    entry = Estimate(0.4 * sign, min(0.3 * sign, 0.5 * sign), max(0.3 * sign, 0.5 * sign))
    plot = interval_plot({"a minus b": entry}, metric="difference", **NAMED)
    assert re.search(r">0\.0+</text>", plot)


def test_scatter_has_one_axis_for_each_figure():
    plot = scatter_plot({"a": (0.2, Estimate(0.1)), "b": (0.4, Estimate(0.3)), "c": (0.3, Estimate(0.2))},
                        x_label="coverage@20", y_label="ndcg@20", **NAMED)  # fmt: skip
    a, b, c = (_marks(plot, series)[0] for series in range(3))
    assert a[0] < c[0] < b[0]
    assert a[1] > c[1] > b[1]
    assert c == pytest.approx((a + b) / 2, abs=0.01)
    assert ">coverage@20</text>" in plot
    assert ">ndcg@20</text>" in plot


def test_slices_leave_out_what_does_not_exist_and_models_stand_side_by_side():
    models = {"als": [Estimate(0.2), Estimate(0.4)], "knn": [Estimate(0.1), Estimate()]}
    plot = slice_plot(["head", "tail"], models, x_label="x", y_label="y", **NAMED)
    als, knn = _marks(plot, 0), _marks(plot, 1)
    assert (len(als), len(knn)) == (2 + 1, 1 + 1)  # the last one is the legend's
    assert als[0][0] < knn[0][0]
    assert ">head</text>" in plot


def test_the_training_curve_has_a_point_an_iteration():
    plot = curve_plot([3.0, 2.0, 1.5], x_label="iteration", y_label="loss", **NAMED)
    marks = _marks(plot, 0)
    assert len(marks) == 3
    assert (np.diff(marks[:, 1]) > 0).all()


def test_everything_a_figure_holds_belongs_to_the_page():
    plot = slice_plot(["a"], {"m": [Estimate(1, 0.5, 1.5)]}, x_label="x", y_label="y", **NAMED)
    assert plot.startswith("<svg viewBox=")
    assert 'aria-label="what is &lt;seen&gt;"' in plot
    assert all(name.startswith("here-") for name in re.findall(r'\bid="([^"]*)"', plot))
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', plot)) <= set(re.findall(r'\bid="([^"]*)"', plot))
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]*)", plot))
    assert colours <= {"none", "currentColor", *(f"var(--{name})" for name in ("muted", "line", "paper", "series-0"))}
    for foreign in ("http", "font-family", "<style", "<metadata", "xlink", "#0"):
        assert foreign not in plot


def test_text_is_text_whatever_it_holds():
    plot = interval_plot({"$x_1$ <b>": Estimate(1)}, metric="m", **NAMED)
    assert "$x_1$ &lt;b&gt;</text>" in plot


def test_the_same_figures_give_the_same_drawing():
    assert interval_plot(ENTRIES, metric="m", **NAMED) == interval_plot(ENTRIES, metric="m", **NAMED)


def test_every_series_has_a_colour_and_a_mark_of_its_own():
    assert len(set(SERIES)) == len(set(MARKERS)) == len(SERIES) == len(MARKERS)
