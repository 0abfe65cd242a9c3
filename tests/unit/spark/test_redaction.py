"""Discretion: no value of a row is in what an error of Spark is told as; what it is about is."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from recsys.errors import ComputeError
from recsys.spark.catalogue_table import _without_traces
from recsys.spark.failures import named_failures

_VALUE = "zoë\nor MemoryError 943124"
_PARTS = ("zoë", "MemoryError", "943124", "out of memory")


@pytest.fixture(scope="module")
def table(spark) -> Iterator[str]:
    """A view of one row, whose values must not be told."""
    spark.createDataFrame([(_VALUE, 943_124)], "x string, n long").createOrReplaceTempView("told")
    spark.udf.register("as_number", int, "int")
    spark.udf.register("attribute", lambda text: text.nothing, "int")
    yield "told"
    spark.catalog.dropTempView("told")


def _told(spark: Any, expression: str) -> str:
    with (
        pytest.raises(ComputeError) as raised,
        _without_traces(),
        named_failures("while rows were read"),
    ):
        spark.sql(f"SELECT {expression} FROM told").toArrow()
    return str(raised.value)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "CAST(x AS INT)",
            '[CAST_INVALID_INPUT] The value <expression> of the type "STRING" cannot be cast to "INT"',
        ),
        ("to_timestamp(x, 'yyyy')", "[CANNOT_PARSE_TIMESTAMP] <message>. Use `try_to_timestamp`"),
        (
            "CAST(n * 1000000 AS INT)",
            '[CAST_OVERFLOW] The value <value> of the type "BIGINT" cannot be cast to "INT"',
        ),
        ("array(1)[n]", "[INVALID_ARRAY_INDEX] The index <indexValue> is out of bounds"),
        ("raise_error(x)", "[USER_RAISED_EXCEPTION] <errorMessage>"),
        ("map_from_arrays(array(x, x), array(1, 2))", "[DUPLICATED_MAP_KEY] Duplicate map key <key> was found"),
        (
            "to_number(x, '999')",
            '[INVALID_FORMAT.MISMATCH_INPUT] The format is invalid: <format>. The input "STRING" ',
        ),
        ("from_csv(x, 'a INT', map('mode', 'FAILFAST'))", "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION; the rest"),
        ("as_number(x)", "ValueError in a task ("),
    ],
)
def test_no_value_of_a_row_is_told(spark, table: str, expression: str, said: str) -> None:
    told = _told(spark, expression)
    assert told.startswith(f"Spark failed while rows were read: {said}")
    assert not [part for part in _PARTS if part in told] and "\n" not in told


def test_what_a_program_lacks_is_told(spark, table: str) -> None:
    assert "AttributeError: 'str' object has no attribute 'nothing' (test_redaction.py, line " in _told(
        spark, "attribute(x)"
    )


def test_the_whole_text_is_logged_for_those_who_look(spark, table: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "recsys.spark.redaction"):
        _told(spark, "CAST(x AS INT)")
    assert "zoë" in caplog.text


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            "java.lang.NumberFormatException: For input string: zoë",
            r"NumberFormatException; the rest may quote a row",
        ),
        ("org.apache.spark.SparkException: [MERGE_X] zoë. SQLSTATE: 23K01", r"MERGE_X; the rest may quote a row"),
        ("org.apache.spark.SparkException: [TASK_WRITE_FAILED] to /w. SQLSTATE: 58030", r"to /w\. SQLSTATE: 58030$"),
    ],
)
def test_of_java_only_what_is_of_no_row_is_told(cause: str, said: str) -> None:
    py4j = pytest.importorskip("py4j.protocol")
    with pytest.raises(ComputeError, match=said) as raised, named_failures("while rows were read"):
        raise py4j.Py4JError(f"An error occurred while calling o5.x.\n: a.b.JobAborted: aborted\nCaused by: {cause}")
    assert "zoë" not in str(raised.value)
