"""Vocabulary: blocks merged as one dictionary_encode of everything would."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest import vocabulary
from recsys.data.ingest.vocabulary import Vocabulary

BLOCKS = st.lists(st.lists(st.sampled_from(["a", "b", "é", "z9", "z10", ""]), max_size=6), max_size=6)


@pytest.mark.parametrize("settle_from", [0, 3, 1000])
def test_codes_stand_for_the_ids_that_were_added(settle_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_SETTLE_FROM", settle_from)

    @settings(max_examples=40, deadline=None)
    @given(BLOCKS)
    def check(blocks: list[list[str]]) -> None:
        grown = Vocabulary()
        for block in blocks:
            grown.add(pa.array(block, pa.binary()).dictionary_encode())
        ids, codes = grown.finish()
        rows = [row for block in blocks for row in block]
        assert ids.to_pylist() == sorted(set(rows), key=str.encode)
        assert [ids[int(code)].as_py() for code in codes] == rows

    check()


def test_ids_that_no_row_uses_are_left_out_even_if_they_are_no_text() -> None:
    grown = Vocabulary()
    grown.add(pa.DictionaryArray.from_arrays(pa.array([1], pa.int32()), pa.array([b"\xff", b"ok"])))
    ids, codes = grown.finish()
    assert ids.to_pylist() == ["ok"]
    assert codes.tolist() == [0]
