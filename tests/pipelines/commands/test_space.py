import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def store(finished: Any) -> Path:
    return finished[0].publish.store


def test_the_reading_is_one_document(recsys: Any, store: Path) -> None:
    tree = json.loads(recsys("space", "--store", store, "--json").stdout)
    assert set(tree) == {"model_version", "n_items", "n_read", "clusters", "directions"}
    assert sum(each["n_items"] for each in tree["clusters"]) == tree["n_read"]


def test_the_number_of_clusters_may_be_set(recsys: Any, store: Path) -> None:
    assert len(json.loads(recsys("space", "--store", store, "--clusters", "3", "--json").stdout)["clusters"]) == 3


def test_people_read_names_and_titles(recsys: Any, store: Path) -> None:
    shown = recsys("space", "--store", store).stdout
    assert "genre: " in shown
    assert "direction 1" in shown


def test_a_direction_is_between_two_items(recsys: Any, store: Path) -> None:
    tree = json.loads(recsys("space", "--store", store, "--json").stdout)
    ends = [tree["clusters"][at]["examples"][0]["item_id"] for at in (0, 1)]
    found = json.loads(recsys("space", "--store", store, "--direction", *ends, "--json").stdout)
    assert len(found["directions"]) == 1
    assert "clusters" not in found
    assert "variance" in recsys("space", "--store", store, "--direction", *ends).stdout


def test_dimensions_have_bytes_and_recall(recsys: Any, store: Path) -> None:
    tree = json.loads(recsys("space", "--store", store, "--dimensions", "--json").stdout)
    assert tree["factors"] == 8
    assert tree["stored"][0] == {"type": "float32", "bytes_per_vector": 32, "recall": 1.0}
    assert "bytes per user or item" in recsys("space", "--store", store, "--dimensions").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--direction", "b000001", "nope"), "not in the catalogue"),
        (("--dimensions", "--clusters", "3"), "at most one of"),
    ],
)
def test_what_cannot_be_read_is_an_error(recsys: Any, store: Path, options: tuple[str, ...], message: str) -> None:
    ended = recsys("space", "--store", store, *options)
    assert ended.returncode == 2
    assert message in ended.stderr
