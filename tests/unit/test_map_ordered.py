"""Threads: results in the order of the tasks, never more at work than there is room for."""

import os
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from recsys.map_ordered import map_blas, map_ordered, one_blas_thread
from recsys.retrieval.exact import ExactSearch


def finish_after(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number


def test_results_come_in_order_whoever_is_first() -> None:
    delays = [0.02, 0.0, 0.01, 0.0, 0.0]
    assert list(map_ordered(lambda at: finish_after(delays[at], at), range(5))) == [0, 1, 2, 3, 4]


def test_tasks_are_taken_only_as_results_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            taken.append(threading.get_ident())
            yield number

    results = map_ordered(str, numbers())
    next(results)
    assert len(taken) == 3
    assert set(taken) == {threading.get_ident()}
    results.close()  # type: ignore[attr-defined]
    assert len(taken) == 3


def test_an_error_comes_out_in_its_place() -> None:
    results = map_ordered(int, ["1", "x", "3"])
    assert next(results) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)


def test_as_many_as_asked_for_wait_ahead() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    results = map_ordered(str, numbers(), threads=2, ahead=10)
    next(results)
    assert len(taken) == 12
    assert list(results) == [str(number) for number in range(1, 50)]


def blas_threads() -> set[int]:
    """Of numpy's BLAS; that of another library may be loaded at any time."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return {library.num_threads for library in libraries if "numpy" in library.filepath}


def this_thread(_: int) -> str:
    return threading.current_thread().name


@pytest.fixture
def two_threads() -> Iterator[None]:
    with threadpool_limits(2, "blas"):
        yield


@pytest.mark.usefixtures("two_threads")
def test_blas_has_one_thread_meanwhile_and_gets_the_others_back() -> None:
    assert list(map_blas(lambda _: blas_threads(), range(3))) == [{1}] * 3
    assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError):
        list(map_blas(lambda start: 1 // start, range(3)))
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_a_call_within_a_call_works_in_the_thread_it_is_made_from() -> None:
    nested = map_blas(lambda start: (this_thread(start), list(map_blas(this_thread, range(3)))), range(2))
    assert all(inner == [outer] * 3 != [this_thread(0)] * 3 for outer, inner in nested)


@pytest.mark.usefixtures("two_threads")
def test_one_item_is_worked_on_in_the_caller_with_all_threads_of_blas() -> None:
    assert list(map_blas(lambda start: (this_thread(start), blas_threads()), [7])) == [(this_thread(0), {2})]


def test_if_blas_is_held_to_one_thread_the_caller_works_alone() -> None:
    with threadpool_limits(1, "blas"):
        assert list(map_blas(this_thread, range(20))) == [this_thread(0)] * 20


@pytest.mark.usefixtures("two_threads")
def test_results_come_as_they_are_taken_and_blas_is_given_back() -> None:
    begun: list[int] = []
    results = map_blas(lambda start: (begun.append(start), blas_threads(), this_thread(start)), range(99))
    first = next(results)
    assert first[1] == {1}
    assert first[2] != this_thread(0)
    assert len(begun) < 20
    results.close()  # type: ignore[attr-defined]
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_searches_at_the_same_time_answer_alike() -> None:
    rng = np.random.default_rng(7)
    items, queries = (rng.integers(-4, 5, (rows, 6)).astype(np.float32) for rows in (40, 60))
    search = ExactSearch(items, scores_per_block=400)
    whole = search.search(queries, 5).indices.tolist()
    found: list[object] = [None] * 4

    def ask(at: int) -> None:
        found[at] = search.search(queries, 5).indices.tolist()

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [whole] * 4
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_blas_has_one_thread_from_the_first_holder_to_the_last() -> None:
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    assert list(map_blas(this_thread, range(3))) == [threading.current_thread().name] * 3
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == {2}
