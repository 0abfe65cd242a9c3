import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.arrow_values import array_of
from recsys.data.id_map import IdMap
from recsys.data.items import Items

CASES = [
    (pa.string(), ["a", None, "", "Zoë"]),
    (pa.large_string(), [None, "b"]),
    (pa.int64(), [1, None, -(2**63), 2**63 - 1]),
    (pa.float64(), [1.5, None, -0.0, 1e308]),
    (pa.bool_(), [True, None, False, True, True, False, True, False, None, True]),
    (pa.date32(), [date(2026, 11, 28), None, date(1900, 1, 1)]),
    (pa.timestamp("us"), [datetime(2026, 11, 28, 1, 2, 3, 456), None, datetime(1969, 12, 31, 23)]),
    (pa.list_(pa.string()), [["a", "b"], None, [], ["c"]]),
]


@pytest.mark.parametrize(("kind", "values"), CASES, ids=[str(kind) for kind, _ in CASES])
@pytest.mark.parametrize("n", [0, 2, None])
def test_it_is_what_pyarrow_makes(kind, values, n):
    found = array_of(values[:n], kind)
    found.validate(full=True)
    assert found.equals(pa.array(values[:n], kind))


def test_pandas_stays_away():
    code = (
        "import sys; import pyarrow as pa; from recsys.data.arrow_values import array_of;"
        "array_of(['a'], pa.string()); array_of([1.5], pa.float64()); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_time_with_a_zone_is_refused():
    with pytest.raises(TypeError):
        array_of([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us"))


def test_items_take_new_values_in_some_columns_and_share_the_others():
    ids = IdMap.of(["a", "b", "c"])[0]
    items = Items(ids, pa.table({"title": ["A", "B", None], "price": [1.0, 2.0, None], "n": [1, 2, 3]}))
    assert items.title(0) == "A"
    at = np.array([2, 0], np.int32)
    changed = items.with_values({"price": (at, array_of([9.5, None], pa.float64()))})
    assert changed.table.to_pydict() == {"title": ["A", "B", None], "price": [None, 2.0, 9.5], "n": [1, 2, 3]}
    assert items.table["price"].to_pylist() == [1.0, 2.0, None]
    again = changed.with_values({"title": (at[1:], array_of(["Ä"], pa.string()))})
    assert [again.title(position) for position in range(3)] == ["Ä", "B", None]
    assert changed.title(0) == "A"
    assert again.some(np.array([0, 2], np.int32)).table.to_pydict() == {
        "title": ["Ä", None],
        "price": [None, 9.5],
        "n": [1, 3],
    }
