"""The work of a night follows its sizes."""

import pytest

from recsys.models.factors.als import AlsConfig
from recsys.tuning.work import fit_work, night_work

SHAPE, ENTRIES = (2_000, 1_000), 50_000


def _night(**settings):
    return night_work(SHAPE, ENTRIES, AlsConfig(**{"factors": 16, "auto": False, "neighbours": 0, **settings}))


def test_a_night_fits_twice():
    model = AlsConfig(factors=16, iterations=3)
    assert _night(iterations=3) == pytest.approx(2 * fit_work(SHAPE, ENTRIES, model, iterations=3))


def test_the_choice_of_settings_is_a_share_of_these_fits():
    assert _night(auto=True, auto_share=0.5) == pytest.approx(1.5 * _night())


def test_neighbours_are_learned_for_each_item_and_no_more_than_there_are_items():
    assert _night(neighbours=100) - _night() == pytest.approx(8 * (_night(neighbours=50) - _night()))
    assert night_work((50, 20), 100, AlsConfig(auto=False, neighbours=100)) == pytest.approx(
        night_work((50, 20), 100, AlsConfig(auto=False, neighbours=20))
    )
