import threading

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.threads import in_threads, in_threads_as_taken


def blas_threads():
    """Of numpy's BLAS; that of another library may be loaded at any time."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return {library.num_threads for library in libraries if "numpy" in library.filepath}


def this_thread(_):
    return threading.current_thread().name


@pytest.fixture
def two_threads():
    with threadpool_limits(2, "blas"):
        yield


def test_results_stand_in_the_order_of_the_starts_whoever_ends_first(two_threads):
    second_done = threading.Event()

    def work(start):
        if start == 0:
            assert second_done.wait(10)
        second_done.set()
        return start * 10

    assert in_threads(work, range(0, 5)) == [0, 10, 20, 30, 40]


def test_blas_has_one_thread_meanwhile_and_its_own_again_after(two_threads):
    assert in_threads(lambda _: blas_threads(), range(3)) == [{1}] * 3
    assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda start: 1 // start, range(3))
    assert blas_threads() == {2}


def test_a_call_within_a_call_works_in_the_thread_it_is_made_from(two_threads):
    nested = in_threads(lambda start: (this_thread(start), in_threads(this_thread, range(3))), range(2))
    assert all(inner == [outer] * 3 != [this_thread(0)] * 3 for outer, inner in nested)


def test_where_blas_is_held_to_one_thread_the_caller_works_alone():
    with threadpool_limits(1, "blas"):
        assert in_threads(this_thread, range(20)) == [this_thread(0)] * 20


def test_results_come_as_they_are_taken_and_blas_is_given_back(two_threads):
    begun = []
    results = in_threads_as_taken(lambda start: (begun.append(start), blas_threads(), this_thread(start)), range(99))
    first = next(results)
    assert first[1] == {1}
    assert first[2] != this_thread(0)
    assert len(begun) < 20
    results.close()
    assert blas_threads() == {2}
    assert list(in_threads_as_taken(lambda start: start * 2, range(9))) == list(range(0, 18, 2))


def test_results_as_taken_come_from_the_caller_where_blas_is_held_to_one_thread():
    with threadpool_limits(1, "blas"):
        assert list(in_threads_as_taken(this_thread, range(20))) == [this_thread(0)] * 20


def test_searches_at_the_same_time_answer_alike(two_threads, rng, answers):
    items, queries = (rng.integers(-4, 5, (rows, 6)).astype(np.float32) for rows in (40, 60))
    search = ExactSearch(items, scores_per_block=400)
    whole = answers(search.search(queries, 5))
    found = [None] * 4
    threads = [
        threading.Thread(target=lambda at=at: found.__setitem__(at, answers(search.search(queries, 5))))
        for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [whole] * 4
    assert blas_threads() == {2}
