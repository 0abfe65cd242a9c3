"""A file of lists, written in a thread behind the one that makes them."""

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from recsys.export.files import FileTarget
from recsys.export.lists import SCHEMA


def lists(user):
    return pa.table([[user], ["i1"], [1], [0.5], ["v1"]], schema=SCHEMA)


def wrong():
    return pa.table({"user_id": ["u9"]})


@pytest.fixture
def target(tmp_path):
    return FileTarget(tmp_path / "lists.parquet")


def test_tables_are_written_in_the_order_they_came_in(target):
    users = [f"u{number}" for number in range(50)]
    with target.open("v1") as writer:
        for user in users:
            writer.write(lists(user))
    assert pa_parquet.read_table(target.path)["user_id"].to_pylist() == users


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_table_that_cannot_be_written_is_told_and_the_old_file_stays(target, after):
    """Also the very last one, which nothing follows."""
    target.path.write_bytes(b"old")
    with pytest.raises(ValueError, match="schema"), target.open("v1") as writer:
        writer.write(lists("u1"))
        writer.write(wrong())
        for _ in range(after):
            writer.write(lists("u2"))
    assert [each.name for each in target.path.parent.iterdir()] == [target.path.name]
    assert target.path.read_bytes() == b"old"


def test_an_error_of_the_caller_is_the_one_that_is_told(target):
    with pytest.raises(KeyError, match="mine"), target.open("v1") as writer:
        writer.write(lists("u1"))
        raise KeyError("mine")
    assert not list(target.path.parent.iterdir())
