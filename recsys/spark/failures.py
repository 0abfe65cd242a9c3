"""Failures: errors of tasks and of the cluster as errors of this library, without a Java stack trace."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn

import recsys.errors
from recsys.errors import ComputeError, RecsysError, StorageError
from recsys.spark.starting import cause_of

_MARK = "recsys-error:"

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
    ("MemoryError", "a task ran out of memory; set compute.block_entries lower, or give executors more"),
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
        r"Connection refused|Connection reset|Answer from Java side is empty",
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
    """The error of this library that an error of Spark carries or stands for."""
    text = str(error)
    if (at := text.find(_MARK)) >= 0:
        name, message = json.JSONDecoder().raw_decode(text, at + len(_MARK))[0]
        kind = getattr(recsys.errors, name, RecsysError)
        return kind(message) if issubclass(kind, RecsysError) else RecsysError(message)
    for pattern, meaning in _CAUSES:
        if found := re.search(pattern, text):
            kind = StorageError if "disk" in meaning else ComputeError
            return kind(f"Spark failed {doing}: {meaning.format(*found.groups())}")
    return ComputeError(f"Spark failed {doing}: {_cause(error)}")


def is_of_spark(error: Exception) -> bool:
    """Whether Spark raised it; a connection that breaks is the one to Java."""
    return isinstance(error, ConnectionError) or type(error).__module__.split(".")[0] in ("pyspark", "py4j")


def _cause(error: Exception) -> str:
    """The line that says most: the last error of a Python traceback, or the innermost of Java."""
    lines = [line.strip() for line in str(error).splitlines()]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
    return raised[0][:500] if raised else cause_of(error)
