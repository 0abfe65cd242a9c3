import re

import numpy as np

from recsys.evaluation.reporting.map_plot import map_plot
from recsys.space.map_view import OTHERS, MapGroup, MapName, MapView


def _view(n: int) -> MapView:
    places = np.random.default_rng(0).uniform(-1, 1, (n, 2)).astype(np.float32)
    groups = (MapGroup(OTHERS, places[: n // 2]), MapGroup("<space>", places[n // 2 :]))
    return MapView("PCA", "genre & <b>", groups, (MapName("a <b> name", 0.1, 0.2),))


def test_every_item_is_one_dot() -> None:
    assert len(re.findall(r"M[\d.]+ [\d.]+h0", map_plot(_view(700)))) == 700


def test_three_thousand_dots_are_a_small_part_of_the_page() -> None:
    assert len(map_plot(_view(3_000))) < 70_000


def test_foreign_text_is_escaped_and_colours_are_those_of_the_page() -> None:
    svg = map_plot(_view(10))
    assert "<b>" not in svg
    assert "<space>" not in svg
    assert "a &lt;b&gt; name" in svg
    assert "var(--series-0)" in svg
    assert "var(--line)" in svg
