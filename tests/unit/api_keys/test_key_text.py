import re

import pytest

from recsys.api_keys.key_text import hash_of, is_made_key, new_key, without_keys


def test_keys_are_of_one_shape_and_never_twice_the_same():
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(re.fullmatch(r"recsys_[0-9A-Za-z]{49}", key) and is_made_key(key) for key in keys)


def test_every_digit_of_a_key_takes_many_values():
    """256 bits: each of the 42 last digits is as good as any."""
    keys = [new_key() for _ in range(500)]
    assert all(len({key[at] for key in keys}) > 50 for at in range(len("recsys_") + 1, len("recsys_") + 43))


@pytest.mark.parametrize("at", [7, 20, 49, 55])
def test_a_key_with_another_character_has_another_checksum(at):
    key = new_key()
    other = key[:at] + ("a" if key[at] != "a" else "b") + key[at + 1 :]
    assert not is_made_key(other)


@pytest.mark.parametrize("text", ["", "recsys_", "correct horse battery", "recsys_" + "é" * 49, "x" * 10_000])
def test_what_nobody_made_is_no_key(text):
    assert not is_made_key(text)


def test_a_hash_is_sha256_of_the_whole_key():
    assert hash_of("abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_keys_in_a_text_are_replaced():
    key = new_key()
    assert without_keys(f"no file {key}, none") == "no file recsys_..., none"
