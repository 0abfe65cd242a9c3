"""Failures: what Spark and its tasks raise becomes one line of ours."""

import pytest

from recsys.errors import ComputeError, DataError, StorageError
from recsys.spark.failures import carried, named_failures


@pytest.mark.parametrize(
    "broken", [ConnectionRefusedError(111, "Connection refused"), ConnectionResetError("Connection reset")]
)
def test_a_java_that_has_ended_is_named(broken: Exception) -> None:
    named = pytest.raises(ComputeError, match=r"Spark failed while events were counted: Java, .* has ended$")
    with named, named_failures("while events were counted"):
        raise broken


@pytest.mark.parametrize("told", ["An error occurred while calling o935.getResult", "Error while receiving"])
def test_a_java_that_ends_while_it_is_asked_is_named(told: str) -> None:
    py4j = pytest.importorskip("py4j.protocol")
    with pytest.raises(ComputeError, match=r"Java, .* has ended$"), named_failures("while events were counted"):
        raise py4j.Py4JError(told)


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


_LOST = (
    "Job aborted due to stage failure: ResultStage 7 has failed the maximum allowable number of times: 4. "
    "Most recent failure reason: org.apache.spark.shuffle.FetchFailedException: Failed to connect to host/10.0.0.7\n"
    "Caused by: java.net.ConnectException: Connection refused"
)
_CALLED = (
    "An error occurred while calling o55.parquet.\n: org.apache.spark.SparkException: Job aborted.\n"
    "\tat org.apache.spark.scheduler.DAGScheduler.abort(DAGScheduler.scala:1)\n"
    "Caused by: java.lang.IllegalStateException: the block manager is gone\n\tat java.base/Thread.run(Thread.java:1)"
)


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        (_LOST, ComputeError, r"executors were lost one after the other"),
        (_CALLED, ComputeError, r"the block manager is gone$"),
        ("java.io.IOException: No space left on device", StorageError, r"disk of an executor is full \(compute\.scr"),
        (
            "java.io.IOException: Failed to create local dir in /small/blockmgr-1/2f",
            StorageError,
            r"cannot be written \(spark\.local\.dir\)$",
        ),
        (
            "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///w/blocks/part-00001.parquet. "
            "SQLSTATE: KD001",
            ComputeError,
            r"trained: /w/blocks/part-00001\.parquet is damaged; run the step",
        ),
    ],
)
def test_what_spark_tells_is_one_line_with_what_to_do(told: str, kind: type[Exception], said: str) -> None:
    py4j = pytest.importorskip("py4j.protocol")
    with pytest.raises(kind, match=said) as found, named_failures("while the model was trained"):
        raise py4j.Py4JError(told)
    assert "\n" not in str(found.value)
