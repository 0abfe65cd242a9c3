"""Failures: what Spark and its tasks raise becomes one line of ours."""

import pytest

from recsys.errors import ComputeError, DataError
from recsys.spark.failures import carried, named_failures


@pytest.mark.parametrize(
    "broken", [ConnectionRefusedError(111, "Connection refused"), ConnectionResetError("Connection reset")]
)
def test_a_java_that_has_ended_is_named(broken: Exception) -> None:
    named = pytest.raises(ComputeError, match=r"Spark failed while events were counted: Java, .* has ended$")
    with named, named_failures("while events were counted"):
        raise broken


def test_an_error_that_is_not_of_spark_stays_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), named_failures("while events were counted"):
        raise ZeroDivisionError


def test_an_error_of_a_task_arrives_as_it_was(spark) -> None:
    @carried
    def work(batches):
        raise DataError("events.csv: row 7: no user")
        yield from batches

    with pytest.raises(DataError, match=r"^events\.csv: row 7: no user$"), named_failures("while events were read"):
        spark.range(1).mapInArrow(work, "id long").collect()
