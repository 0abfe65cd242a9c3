"""The work of a night follows its sizes."""

import pytest

from recsys.models.factors.als import AlsConfig
from recsys.models.neighbours.learning_users import MOST_STEPS
from recsys.tuning.work import fit_work, neighbours_work, night_work

SHAPE, ENTRIES = (2_000, 1_000), 50_000


def _night(**settings):
    model = AlsConfig(**{"factors": 16, "auto": False, "neighbours": 0, **settings})
    return night_work(SHAPE, ENTRIES, model, steps=0.0)


def test_a_night_fits_twice():
    model = AlsConfig(factors=16, iterations=3)
    assert _night(iterations=3) == pytest.approx(2 * fit_work(SHAPE, ENTRIES, model, iterations=3))


def test_the_choice_of_settings_is_a_share_of_these_fits():
    assert _night(auto=True, auto_share=0.5) == pytest.approx(1.5 * _night())


def test_neighbours_are_learned_for_each_item_and_no_more_than_there_are_items():
    assert _night(neighbours=100) - _night() == pytest.approx(8 * (_night(neighbours=50) - _night()))
    hundred, twenty = (night_work((50, 20), 100, AlsConfig(auto=False, neighbours=n), steps=1e3) for n in (100, 20))
    assert hundred == pytest.approx(twenty)


def test_what_is_read_for_neighbours_is_bounded_as_the_regression_bounds_it():
    model, without = AlsConfig(neighbours=50), AlsConfig(neighbours=0)
    least, half, most, more = (
        neighbours_work(1000, model, steps=steps) for steps in (0.0, MOST_STEPS / 2, MOST_STEPS, 9 * MOST_STEPS)
    )
    assert most - half == pytest.approx(half - least)
    assert more == most > half > least > 0
    assert neighbours_work(1000, without, steps=MOST_STEPS) == 0
