"""Failures: errors of tasks and of the cluster as errors of this library, without a Java stack trace."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn

import recsys.errors
from recsys.errors import ComputeError, RecsysError, StorageError
from recsys.spark.redaction import one_line, without_values

_MARK = "recsys-error:"
_RAISED = f"{RuntimeError.__name__}: {_MARK}"
"""In the traceback of a task: not in a value that an error quotes."""

_CAUSES = (
    ("OutOfMemoryError", "Java ran out of memory; give it more (spark.driver.memory, spark.executor.memory)"),
    (
        "No space left on device|Disk quota exceeded",
        "the disk of an executor is full (compute.scratch, or spark.local.dir for what Spark shuffles)",
    ),
    (
        "Failed to create (?:local|a temp)|Failed to get a temp directory|Cannot create (?:temp )?dir",
        "the disk of an executor cannot be written (spark.local.dir)",
    ),
    (
        r"(?m)^[\w.]*MemoryError\b",
        "a task ran out of memory; set compute.block_entries lower, or give executors more",
    ),
    (r"Python worker exited unexpectedly", "a task's Python process was killed, probably for want of memory"),
    (r"ModuleNotFoundError: No module named '?(\w+)", "executors do not have the module {0}; install recsys on them"),
    (
        r"(?:FAILED_READ_FILE|Could not read footer)[^\n]*? file:? (?:file:/*)?(/\S+?)[.:,;]*(?:\s|$)",
        "{0} is damaged; run the step that wrote it again",
    ),
    (
        r"has failed the maximum allowable number of times|FetchFailed",
        "executors were lost one after the other, and with them what they had shuffled",
    ),
    (r"ExecutorLostFailure|SparkContext was shut down|SparkContext has been shutdown", "the executors were lost"),
    (
        r"Connection refused|Connection reset|Answer from Java side is empty|Error while (?:sending|receiving)"
        r"|An error occurred while calling [\w.$]+\Z",  # py4j: the connection broke before the answer
        "Java, in which the session runs, has ended",
    ),
)
"""What a text of Spark's errors means, first that is found."""


def carried(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A function of a task, whose RecsysError reaches the driver as it is (`named_failures`)."""

    @wraps(work)
    def carrying(*args: Any, **options: Any) -> Iterator[Any]:
        try:
            yield from work(*args, **options)
        except RecsysError as error:
            _carry(error)

    return carrying


def _carry(error: RecsysError) -> NoReturn:
    raise RuntimeError(_MARK + json.dumps([type(error).__name__, str(error)])) from None


@contextmanager
def named_failures(doing: str) -> Iterator[None]:
    """Raise what a task raised as a RecsysError, and what Spark raises as a ComputeError that says `doing` what."""
    try:
        yield
    except RecsysError:
        raise
    except Exception as error:
        if not is_of_spark(error):
            raise
        raise named(error, doing) from None


def named(error: Exception, doing: str) -> RecsysError:
    """The error of this library that an error of Spark carries or stands for; it quotes no value of a row."""
    text = without_values(error)
    if (at := text.find(_RAISED)) >= 0:
        name, message = json.JSONDecoder().raw_decode(text, at + len(_RAISED))[0]
        kind = getattr(recsys.errors, name, RecsysError)
        return kind(message) if issubclass(kind, RecsysError) else RecsysError(message)
    for pattern, meaning in _CAUSES:
        if found := re.search(pattern, text):
            kind = StorageError if "disk" in meaning else ComputeError
            return kind(f"Spark failed {doing}: {meaning.format(*found.groups())}")
    return ComputeError(f"Spark failed {doing}: {one_line(error)}")


def is_of_spark(error: Exception) -> bool:
    """Whether Spark raised it; a connection that breaks is the one to Java."""
    return isinstance(error, ConnectionError) or type(error).__module__.split(".")[0] in ("pyspark", "py4j")
