"""Threads: results in the order of the tasks, never more at work than there is room for."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from recsys.map_ordered import map_ordered


def finish_after(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number


def test_results_come_in_order_whoever_is_first() -> None:
    delays = [0.02, 0.0, 0.01, 0.0, 0.0]
    assert list(map_ordered(partial(finish_after, delay, at) for at, delay in enumerate(delays))) == [0, 1, 2, 3, 4]


def test_tasks_are_taken_only_as_results_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    taken: list[int] = []

    def tasks() -> Iterator[Callable[[], int]]:
        for number in range(50):
            taken.append(threading.get_ident())
            yield partial(finish_after, 0, number)

    results = map_ordered(tasks())
    next(results)
    assert len(taken) == 3
    assert set(taken) == {threading.get_ident()}
    results.close()  # type: ignore[attr-defined]
    assert len(taken) == 3


def test_an_error_comes_out_in_its_place() -> None:
    results = map_ordered([partial(finish_after, 0, 1), partial(int, "x"), partial(finish_after, 0, 3)])
    assert next(results) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)
