"""Collections of garbage are rare while requests are answered."""

import gc
from collections.abc import Iterator

import pytest

from api.process.garbage import NEW_OBJECTS, rarely_collected


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Of each collection, what it found."""
    found = list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            found.append(info["collected"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def test_a_service_collects_rarely_and_leaves_out_what_was_loaded(collections: list[int]) -> None:
    before = gc.get_threshold()
    with rarely_collected():
        assert gc.get_freeze_count() > 0
        objects = [[] for _ in range(NEW_OBJECTS // 2)]
        assert collections == []
        objects += [[] for _ in range(NEW_OBJECTS)]
        assert len(collections) == 1
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
