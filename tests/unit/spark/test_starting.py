"""Why Spark does not start: what real starts told, in one line, without the stack of Java."""

import subprocess
import sys

import pytest

from recsys.config import ComputeConfig
from recsys.spark.starting import java_errors, read_all, why

_STACK = "\n\tat org.apache.spark.SparkContext.<init>(SparkContext.scala:632)\n\tat java.base/java.lang.Thread.run\n"
_CALLED = "An error occurred while calling None.org.apache.spark.api.java.JavaSparkContext.\n: "


@pytest.mark.parametrize(
    ("error", "told", "said"),
    [
        (
            f"{_CALLED}org.apache.spark.SparkException: Could not parse Master URL: 'local[x]'{_STACK}",
            "",
            "Could not parse Master URL: 'local[x]': expected compute.master such as",
        ),
        (
            f"{_CALLED}io.fabric8.KubernetesClientException: An error has occurred.{_STACK}"
            f"Caused by: java.net.ConnectException: Connection refused{_STACK}",
            "",
            "Connection refused: is the cluster up, and compute.master its address?",
        ),
        (
            f"{_CALLED}java.lang.IllegalStateException: SparkContext has been shutdown{_STACK}",
            "22:15:22 ERROR StandaloneSchedulerBackend: Application has been killed. Reason: All masters are "
            "unresponsive! Giving up.\n",
            "All masters are unresponsive! Giving up.: is the cluster up",
        ),
        (
            "[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.",
            "Invalid maximum heap size: -Xmxabc\nError: Could not create the Java Virtual Machine.\n",
            "Invalid maximum heap size: -Xmxabc: the memory of the driver (compute.conf: spark.driver.memory)",
        ),
        (
            "[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.",
            f'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space{_STACK}',
            "Java heap space: the driver lacks memory (compute.conf: spark.driver.memory)",
        ),
        ("[JAVA_GATEWAY_EXITED] Java gateway process exited.", "", "[JAVA_GATEWAY_EXITED] Java gateway process"),
        (f"{_CALLED}java.lang.NullPointerException{_STACK}", "", "NullPointerException"),
        ("", "", "ValueError"),
    ],
)
def test_the_reason_is_one_line(error: str, told: str, said: str) -> None:
    found = why(ValueError(error), told)
    assert found.startswith(said)
    assert "\n" not in found
    assert "\tat " not in found


def test_what_a_started_process_writes_is_taken_and_stderr_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with java_errors() as told:
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('Invalid heap')"], check=True)
        assert read_all(told) == "Invalid heap"
    sys.stderr.write("as before")
    assert capfd.readouterr().err == "as before"


def test_a_setting_that_is_none_of_spark_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got the setting 'executor.memory', expected names that begin with"):
        ComputeConfig(engine="spark", conf={"executor": {"memory": "2g"}})
