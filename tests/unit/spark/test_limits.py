"""What one version and one block hold: each refusal, by a small limit in place of 2^31 - 1 and 2^28."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.config import LogSchema
from recsys.data.ingest.readers import read_batches
from recsys.data.ingest.table_source import TableSource
from recsys.data.matrix import Csr
from recsys.errors import DataError
from recsys.spark.accepted_rows import AcceptedRows, ReadPieces
from recsys.spark.coding import code_rows
from recsys.spark.id_parts import IdParts
from recsys.spark.limits import check_entries, check_item_ids, check_users
from recsys.spark.row_blocks import RowBlock
from recsys.spark.row_parts import RowParts


def rows(lengths: list[int], n_columns: int = 9) -> Csr:
    indices = np.concatenate([np.arange(each) for each in lengths]).astype(np.int32)
    indptr = np.append(0, np.cumsum(lengths)).astype(np.int32)
    return Csr((np.ones(len(indices), np.float32), indices, indptr), shape=(len(lengths), n_columns))


def test_the_users_of_a_log(spark, tmp_path):
    """Counted over all parts of the shuffle, and named before anything is written into the workspace."""
    accepted = AcceptedRows(tmp_path / "accepted", 10)
    table = TableSource(pa.table({"user": [f"u{at % 5}" for at in range(40)], "item": ["a", "b"] * 20}))
    report = accepted.write(0, read_batches(table, LogSchema()))
    read = ReadPieces((report.n_accepted,), ())
    options = {"deduplicate": False, "excluded": pa.array([], pa.string()), "block_entries": 1_000}
    with pytest.raises(DataError, match=r"the log has 5 users, and a version holds up to 4; .*split it by region"):
        code_rows(spark, accepted, read, scratch=tmp_path / "coded", most_users=4, **options)


def test_exactly_as_many_users_as_there_may_be():
    check_users(4, most=4)
    with pytest.raises(DataError, match="2,147,483,648 users, and a version holds up to 2,147,483,647"):
        check_users(2**31)


@pytest.mark.parametrize(("most", "refused"), [(6, False), (5, True)])
def test_ids_are_counted_in_bytes_over_all_parts(tmp_path, most, refused):
    parts = IdParts(tmp_path / "ids")
    parts.write(0, pa.array(["ab", "ac"]))
    parts.write(1, pa.array(["b", "d"]))
    if not refused:
        parts.join(tmp_path / "users.arrow", what="users", most=most)
        return
    with pytest.raises(DataError, match=r"ids of users .* 4 ids with 6 bytes so far; .*prepare\.min_user_items"):
        parts.join(tmp_path / "users.arrow", what="users", most=most)
    assert not (tmp_path / "users.arrow").exists(), "no half of it"


def test_the_items_of_a_log():
    ids = pa.chunked_array([pa.array([b"aaaa", b"b"]), pa.array([b"c"])])
    check_item_ids(ids, most=20)
    for most in (2, 5):  # three items; six bytes
        with pytest.raises(DataError, match=f"the log has 3 items, .* up to {most} of either"):
            check_item_ids(ids, most=most)


def test_the_pairs_of_a_matrix(tmp_path):
    parts = RowParts(tmp_path / "rows", tmp_path / "users")
    parts.write(0, np.arange(2), RowBlock(0, 0, rows([2, 1])))
    parts.join_rows(tmp_path / "whole", (2, 9), 3, most=3)
    with pytest.raises(DataError, match=r"3 entries, and a version holds up to 2; leave out events"):
        parts.join_rows(tmp_path / "refused", (2, 9), 3, most=2)
    assert not list(tmp_path.glob("refused*")), "refused before an array is written"
    with pytest.raises(DataError, match="2,147,483,648 entries"):
        check_entries(2**31)


def test_the_pairs_of_a_block():
    RowBlock(0, 0, rows([2, 1])).to_batch(most_entries=4)
    with pytest.raises(
        DataError, match=r"rows 7 to 8 have 3 entries in one block, expected less than 3; set compute"
    ):
        RowBlock(0, 7, rows([2, 1])).to_batch(most_entries=3)


def test_one_row_that_is_longer_than_a_block():
    """Smaller blocks do not help, so the message says what does."""
    with pytest.raises(DataError, match=r"row 7, one user or one item, has 3 entries, .*\(items\.exclude\)"):
        RowBlock(0, 7, rows([3])).to_batch(most_entries=3)
