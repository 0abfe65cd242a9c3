"""Columns: found by their exact names, or an error that helps."""

import pytest

from recsys.config import LogSchema
from recsys.data.ingest.source import Columns
from recsys.errors import DataError

COLUMNS = Columns.of(LogSchema(user="Customer ID", item="StockCode", value="Quantity"))


def test_only_the_columns_that_the_configuration_names_are_read() -> None:
    assert COLUMNS.names == {"user": "Customer ID", "item": "StockCode", "value": "Quantity"}
    assert COLUMNS.places("log.csv", ["StockCode", "x", "Quantity", "Customer ID"]) == {
        "user": 3,
        "item": 0,
        "value": 2,
    }


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (["customer id", "StockCode", "Quantity"], "no column 'Customer ID' (log.user); did you mean 'customer id'?"),
        (["Customer ID", "sku", "Quantity"], "no column 'StockCode' (log.item); columns found: 'Customer ID', 'sku'"),
        (["Customer ID", "StockCode", "Quantity", "Quantity"], "more than one column 'Quantity' (log.value)"),
    ],
)
def test_a_missing_column_is_named_with_its_key_and_the_nearest(found: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        COLUMNS.places("log.csv", found)
    assert str(caught.value).startswith("log.csv: ")
    assert message in str(caught.value)


def test_a_message_stays_short_whatever_the_header_holds() -> None:
    with pytest.raises(DataError) as caught:
        COLUMNS.places("log.csv", [f"{'x' * 1000}{number}" for number in range(1000)])
    assert len(str(caught.value)) < 4000
