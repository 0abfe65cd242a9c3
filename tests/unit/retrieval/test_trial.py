"""Cells whose answers are known: one direction per cell."""

import numpy as np
import pytest

from recsys.retrieval.allowance import Allowance, exact_work
from recsys.retrieval.families.cells import QUICK, Cells, count_cells, learn_cells
from recsys.retrieval.families.faiss_structures import padded_factors
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.measurement import Sample, answered
from recsys.retrieval.trial import least_visits

GROUPS = 128


def catalogue(per_group):
    """Directions that are orthogonal, and `per_group` items near each."""
    rng = np.random.default_rng(1)
    items = np.repeat(np.eye(GROUPS), per_group, axis=0) + 0.01 * rng.random((GROUPS * per_group, GROUPS))
    return FlatIndex((items / np.linalg.norm(items, axis=1, keepdims=True)).astype(np.float32))


@pytest.fixture(scope="module")
def cells():
    """One cell per direction."""
    centres = np.zeros((GROUPS, padded_factors(GROUPS)), np.float32)
    centres[:, :GROUPS] = np.eye(GROUPS)
    return Cells(centres, 1.001)


@pytest.fixture(scope="module")
def queries():
    """Each likes one group best, then another."""
    return (2 * np.eye(GROUPS) + np.roll(np.eye(GROUPS), 5, axis=1)).astype(np.float32)


def test_each_item_lies_in_the_cell_of_its_direction(cells):
    assert cells.of(catalogue(3).vectors).tolist() == np.repeat(np.arange(GROUPS), 3).tolist()


@pytest.mark.parametrize(("per_group", "needed"), [(60, 2), (200, 1)])
def test_a_hundred_take_as_many_cells_as_hold_them(per_group, needed, cells, queries):
    exact = catalogue(per_group)
    visits = least_visits(cells, exact, answered(Sample(queries), exact), target=0.99, seed=1)
    assert (visits.n_cells, visits.probes) == (GROUPS, needed)
    assert visits.items == pytest.approx(needed * per_group, rel=0.1)


def test_queries_that_exact_search_answers_need_no_cells(cells, queries):
    """Of 640 items a hundred are more than 1/64."""
    exact = catalogue(5)
    assert least_visits(cells, exact, answered(Sample(queries), exact), target=0.99, seed=1).probes == 1


def test_learned_cells_are_as_long_as_the_longest_item_and_start_where_they_are_told():
    exact = catalogue(8)
    learned = learn_cells(exact.vectors, seed=1, effort=QUICK)
    assert len(learned) == count_cells(exact.n_items)
    np.testing.assert_allclose(np.linalg.norm(learned.centres, axis=1), learned.radius, rtol=1e-5)
    again = learn_cells(exact.vectors, seed=1, effort=QUICK, start=learned)
    assert (again.of(exact.vectors) == learned.of(exact.vectors)).mean() > 0.5


def test_an_allowance_is_never_overspent():
    allowance = Allowance(10.0)
    assert allowance.take(6.0)
    assert not allowance.take(6.0)
    assert allowance.take(4.0)
    assert allowance.spent == 10.0


def test_exact_search_takes_work_for_each_score():
    assert exact_work(3, (1000, 64)) == pytest.approx(3 * 1000 * (64 * 0.033 + 4))
