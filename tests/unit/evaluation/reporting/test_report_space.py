"""The part of the report about the space of the item vectors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.reporting.pages import render_html, render_markdown
from recsys.space.clusters import Cluster, NamingTerm
from recsys.space.directions import Direction, End, TermAlong
from recsys.space.items_read import ShownItem
from recsys.space.reading import SpaceReading

BAD = "<i>|*bad*"


def _reading(n_clusters: int, *, named: bool = True) -> SpaceReading:
    terms = (NamingTerm(f"genre: {BAD}", 9, 0.9, 3.0),) if named else ()
    items = (ShownItem("b1", f"Title {BAD}"), ShownItem("b2", None))
    clusters = tuple(Cluster(f"c{at}", 10, 0.1, 0.8, terms, items) for at in range(n_clusters))
    end = End(items, (TermAlong("genre: sea", 0.5),))
    return SpaceReading(120, 100, clusters, (Direction("direction 1", 0.1, end, end),))


@pytest.fixture
def report(split_of: Any, listed: Any, built: Any) -> Any:
    split = split_of([[0, 1], [0], [0, 2], [0, 1]], [[2, 3], [1], [3]], 4)
    evaluation = evaluate(
        listed("als", [[2, 3], [1, 2], [1]]), split, cutoffs=(1, 2), item_vectors=np.eye(4, dtype=np.float32)
    )
    return built([evaluation], metric="ndcg@2", evaluate=EvaluateConfig(cutoffs=(1, 2), bootstrap=30))


@pytest.fixture
def pages_with(report: Any) -> Any:
    def made(reading: SpaceReading) -> tuple[str, str]:
        changed = replace(report, details=replace(report.details, space=reading))
        return render_html(changed), render_markdown(changed)

    return made


def test_clusters_and_directions_are_shown_and_escaped(pages_with: Any) -> None:
    html, markdown = pages_with(_reading(3))
    assert html.count("genre: &lt;i&gt;|*bad* (90 %, lift 3.0)") == 3
    assert BAD not in html
    assert markdown.count(r"genre: \<i\>\|\*bad\* (90 %, lift 3.0)") == 3
    assert "genre: sea (0.50)" in html
    assert "the 100 with the most users" in html


def test_the_ten_largest_clusters_come_first(pages_with: Any) -> None:
    html, _ = pages_with(_reading(13))
    assert "3 smaller clusters" in html
    assert "smaller clusters" not in pages_with(_reading(10))[0]


def test_clusters_without_names_are_not_listed(pages_with: Any) -> None:
    for page in pages_with(_reading(4, named=False)):
        assert "No cluster has anything in common" in page
        assert "b2" not in page


def test_a_report_without_a_space_has_no_such_section(report: Any) -> None:
    assert "## Space" not in render_markdown(report)
