"""Choices: readers open what they like, more often the higher it stands."""

import numpy as np
import pytest

from recsys.data.synthetic import Choices, World, attention, make_world

DURING = int(np.datetime64("2026-06-01", "s").astype(np.int64))


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(n_users=200, n_items=400, seed=3)


def test_a_reader_likes_the_first_genre_best_and_other_genres_least(world: World) -> None:
    choices, everything = Choices(world), np.arange(len(world.catalogue))
    single = world.catalogue.series < 0
    for user in range(50):
        season = int(world.tastes.season(np.array([user]), np.array([DURING]))[0][0])
        favourites = list(dict.fromkeys(world.tastes.favourites[user, season].tolist()))  # a narrow taste repeats
        appeal = choices.appeal(user, everything, DURING)
        mean = [appeal[single & (world.catalogue.genre == genre)].mean() for genre in favourites]
        others = single & ~np.isin(world.catalogue.genre, favourites)
        assert mean == sorted(mean, reverse=True)
        assert mean[-1] > 1.5 * appeal[others].mean()


def test_the_next_volume_of_a_series_that_is_read_appeals_most(world: World) -> None:
    user = 7
    season, over = (each[0] for each in world.tastes.season(np.array([user]), np.array([DURING])))
    series = int(world.tastes.following[user, season, 0])
    volumes = world.catalogue.series_items[series][: world.catalogue.series_length[series]]
    appeal = Choices(world).appeal(user, volumes, DURING)
    still_to_come = np.arange(1, len(volumes) + 1) >= over * len(volumes)
    assert still_to_come.any()
    assert (appeal[still_to_come] == appeal.max()).all()
    assert (appeal[~still_to_come] < appeal.max()).all()


def test_items_are_opened_as_often_as_attention_times_appeal_says(world: World) -> None:
    choices, rng, shown = Choices(world), np.random.default_rng(0), np.arange(20)
    made = [choices.choose(5, shown, DURING, rng) for _ in range(6_000)]
    opened = np.bincount([place - 1 for choice in made for place in choice.opened], minlength=20) / len(made)
    expected = attention(20) * choices.appeal(5, shown, DURING)
    np.testing.assert_allclose(opened, expected, atol=0.022)
    assert all(set(choice.bought) <= set(choice.opened) for choice in made)
    n_bought = sum(len(choice.bought) for choice in made)
    assert n_bought / sum(len(choice.opened) for choice in made) == pytest.approx(0.3, abs=0.03)
