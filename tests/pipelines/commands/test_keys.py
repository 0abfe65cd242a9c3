"""`recsys keys`: a key is shown once, and nowhere else."""

import json
import re

import pytest

from pipelines.cli import main
from recsys.api_keys.key_file import read_keys
from recsys.api_keys.key_text import hash_of


def run(capsys, *arguments):
    """Exit code, standard output and standard error of `recsys keys ...`."""
    with pytest.raises(SystemExit) as ended:
        main(["keys", *arguments])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_a_key_is_printed_once_alone_and_its_hash_is_kept(tmp_path, capsys):
    file = tmp_path / "keys.toml"
    limits = ("--rate", "100/second", "--expires", "2099-01-31", "--stores", "shop,blog")
    code, out, err = run(capsys, "new", "--name", "shop", "--scopes", "read,events", "--file", str(file), *limits)
    assert code == 0
    key = out.strip()
    assert re.fullmatch(r"recsys_[0-9A-Za-z]{49}", key)
    assert key not in err + file.read_text()
    (record,) = read_keys(file)
    assert (record.name, record.hash, record.scopes) == ("shop", hash_of(key), ("read", "events"))
    assert (record.rate, record.stores, str(record.expires)) == ("100/second", ("shop", "blog"), "2099-01-31")
    code, out, _ = run(capsys, "list", "--file", str(file), "--json")
    (shown,) = json.loads(out)["keys"]
    assert (code, shown["name"], shown["expired"]) == (0, "shop", False)
    assert record.hash not in out
    code, out, _ = run(capsys, "list", "--file", str(file))
    assert out == "shop: read, events; stores shop, blog; 100/second; until 2099-01-31\n"
    assert run(capsys, "revoke", "shop", "--file", str(file))[0] == 0
    assert read_keys(file) == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scopes", "root"], "--scopes: got 'root'; Input should be 'read'"),
        (["--scopes", "read", "--rate", "fast"], "--rate: got 'fast'; expected a number and a time"),
        (["--scopes", "read", "--expires", "soon"], "--expires: got 'soon'; expected a day"),
    ],
)
def test_a_wrong_option_is_2_and_makes_no_file(options, message, tmp_path, capsys):
    file = tmp_path / "keys.toml"
    code, out, err = run(capsys, "new", "--name", "shop", "--file", str(file), *options)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert not file.exists()
