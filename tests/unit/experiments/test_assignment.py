"""Which arm a user is in: the same everywhere and always."""

import subprocess
import sys
from hashlib import blake2b

import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.experiments.assignment import arm_of, place_of

USERS = [f"user-{at}" for at in range(20_000)]


def test_a_place_is_the_one_that_the_specification_gives() -> None:
    digest = blake2b("Zoë".encode(), digest_size=8, key=b"summer").digest()
    assert place_of("Zoë", salt="summer") == (int.from_bytes(digest, "big") >> 11) / 2**53
    assert place_of("Zoë", salt="summer") == 0.08911406776935271  # as on every machine, for ever


def test_another_process_with_other_hash_seeds_agrees() -> None:
    code = "from recsys.experiments.assignment import place_of; print(place_of('ada', salt='s'))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert float(told.stdout) == place_of("ada", salt="s")


def test_places_are_spread_evenly_and_independently_of_other_salts() -> None:
    one, other = (np.array([place_of(user, salt=salt) for user in USERS]) for salt in ("one", "other"))
    counts = np.histogram2d(one, other, bins=4, range=[(0, 1), (0, 1)])[0]
    expected = len(USERS) / 16
    assert float(((counts - expected) ** 2 / expected).sum()) < 50  # chi-squared, 15 degrees: p = 1e-5


def test_changing_the_share_moves_only_users_into_the_arm_that_grows() -> None:
    small, large = ([arm_of(user, salt="s", share=share) for user in USERS] for share in (0.1, 0.3))
    moved = [(before, after) for before, after in zip(small, large, strict=True) if before != after]
    assert set(moved) == {("control", "treatment")}
    assert len(moved) / len(USERS) == pytest.approx(0.2, abs=0.02)
    assert small.count("treatment") / len(USERS) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("salt", ["", "s" * 65])
def test_a_salt_that_cannot_be_a_key_is_refused(salt: str) -> None:
    with pytest.raises(ConfigError, match=r"salt: .* expected 1 to 64"):
        place_of("ada", salt=salt)
