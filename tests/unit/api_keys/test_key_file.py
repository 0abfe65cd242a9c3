import os

import pytest

from recsys.api_keys.editing import add_key, remove_key
from recsys.api_keys.key_file import parse_keys, read_keys, too_open
from recsys.api_keys.key_text import hash_of, new_key
from recsys.api_keys.records import KeyRecord
from recsys.errors import ConfigError

KEY = "recsys_" + "k" * 49  # one that each process of the tests has
SHA = hash_of(KEY)
ONE = f'[[key]]\nname = "shop"\nhash = "{SHA}"\nscopes = ["read"]\n'


def record(name="shop"):
    return KeyRecord.model_validate({"name": name, "hash": hash_of(new_key()), "scopes": ["read", "events"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("[[key]", "is not TOML"),
        (f'[[key]]\nname = "{KEY}', "is not TOML"),
        ("[[keys]]\n", "keys: Extra inputs"),
        (ONE.replace("read", "root"), "key.0.scopes.0: Input should be 'read'"),
        (ONE.replace(SHA, KEY), "key.0.hash: String should match"),
        (ONE + f'{KEY} = "x"\n', "key.0.recsys_...: Extra inputs"),
        (ONE + ONE.replace(SHA, hash_of("x")), "key.1.name: is that of key.0"),
        (ONE + ONE.replace("shop", "blog"), "key.1.hash: is that of key.0"),
        (ONE + "expires = 2027-01-31T10:00:00\n", "key.0.expires"),
        (ONE + 'rate = "many"\n', "key.0.rate: expected a number and a time"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_field_and_holds_no_key(text, message):
    with pytest.raises(ConfigError) as refused:
        parse_keys(text, where="keys.toml")
    assert str(refused.value).startswith("keys.toml: ")
    assert message in str(refused.value)
    assert KEY not in str(refused.value)


def test_a_file_without_keys_has_none():
    assert parse_keys("# all revoked\n", where="f") == ()


def test_what_was_added_is_read_and_what_was_removed_is_not(tmp_path):
    path = tmp_path / "keys.toml"
    shop, blog = record("shop"), record("blog")
    add_key(path, shop)
    add_key(path, blog)
    path.write_text("# of mine\n" + path.read_text() + "# of the blog\n")
    assert read_keys(path) == (shop, blog)
    remove_key(path, "shop")
    assert read_keys(path) == (blog,)
    assert "# of mine\n" in path.read_text()
    assert "# of the blog\n" in path.read_text()
    remove_key(path, "blog")
    assert read_keys(path) == ()
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.toml"]


def test_a_file_is_for_its_owner_alone_and_a_link_stays_one(tmp_path):
    link = tmp_path / "keys.toml"
    link.symlink_to(tmp_path / "real.toml")
    before = os.umask(0)
    try:
        add_key(link, record())
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert too_open(link) is None
    (tmp_path / "real.toml").chmod(0o640)
    assert "0640, so that others may read; expected 0600" in too_open(link)
    (tmp_path / "real.toml").chmod(0o620)
    assert "may write" in too_open(link)


def test_names_are_taken_once_and_unknown_ones_are_told(tmp_path):
    path = tmp_path / "keys.toml"
    add_key(path, record("shop"))
    before = path.read_text()
    with pytest.raises(ConfigError, match="has a key named 'shop'"):
        add_key(path, record("shop"))
    with pytest.raises(ConfigError, match="has no key named 'blog'; its keys are shop"):
        remove_key(path, "blog")
    assert path.read_text() == before


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "bytes"])
def test_what_is_no_file_of_keys(make, tmp_path):
    path = tmp_path / "keys.toml"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    elif make == "bytes":
        path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"keys\.toml: "):
        read_keys(path)


def test_a_key_in_the_place_of_its_file_is_not_repeated(tmp_path):
    with pytest.raises(ConfigError) as refused:
        read_keys(tmp_path / KEY)
    assert KEY not in str(refused.value)
