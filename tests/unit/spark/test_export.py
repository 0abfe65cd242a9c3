"""Users are cut into tasks as batches of `recsys export` are, so that the same users are ranked together."""

from itertools import pairwise

import pytest

from recsys.export.lists import LISTED_AT_ONCE
from recsys.spark.export import MOST_USERS, cut_users


@pytest.mark.parametrize(
    ("trained", "folded", "cores"),
    [(0, 0, 1), (1, 0, 2), (0, 5, 2), (291, 7, 2), (5_000, 2_049, 1), (3_000_000, 10, 4)],
)
def test_every_user_is_in_one_task_and_batches_are_those_of_one_machine(
    trained: int, folded: int, cores: int
) -> None:
    bounds = cut_users(trained, folded, cores=cores)
    assert (bounds[0], bounds[-1]) == (0, trained + folded)
    assert all(start < stop <= start + MOST_USERS for start, stop in pairwise(bounds)) or trained + folded == 0
    begins = {*range(0, trained, LISTED_AT_ONCE), *range(trained, trained + folded, LISTED_AT_ONCE)}
    assert {*bounds[:-1]} - {0} <= begins
    assert trained in bounds or not folded


def test_each_core_gets_three_tasks_if_there_are_users_enough() -> None:
    assert len(cut_users(60 * LISTED_AT_ONCE, 0, cores=4)) - 1 == 12
    assert len(cut_users(600, 0, cores=64)) - 1 == 1
