"""Why Spark does not start, in one line: from the error that Python gets, and from what Java wrote to its stderr."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

_STDERR = 2
_MOST = 1 << 20

_TOLD = (
    r"Reason: (.+)",
    r'Exception in thread "main" (?:[\w$]+\.)+[\w$]+: (.+)',
    r'Exception in thread "main" (?:[\w$]+\.)+([\w$]+)',
    r"^(Invalid .+)",
    r"^Error: (?!A |Could not create the Java)(.+)",
)
"""How Java tells on its stderr why it ended, best first."""

_REMEDIES = (
    ("Java heap space|driver memory", "the driver lacks memory (compute.conf: spark.driver.memory)"),
    ("heap size", "the memory of the driver (compute.conf: spark.driver.memory)"),
    ("masters are unresponsive", "is the cluster up, and compute.master its address?"),
    ("Connection refused|UnknownHost", "is the cluster up, and compute.master its address?"),
    ("[Mm]aster URL|Master must", 'expected compute.master such as "local[2]", "spark://host:7077" or "yarn"'),
)

_NAMED_BY_JAVA = re.compile(r"^(?:: |Caused by: )(?:[\w$]+\.)+([\w$]+)(?:: (.*))?$")


@contextmanager
def java_errors() -> Iterator[IO[bytes]]:
    """While the block runs, a process that is started writes its stderr to the file that is yielded.

    Java keeps it: what it tells later, as that an executor is lost, comes to the driver as an exception anyway.
    """
    with tempfile.TemporaryFile() as told:
        before = os.dup(_STDERR)
        try:
            os.dup2(told.fileno(), _STDERR)
            yield told
        finally:
            os.dup2(before, _STDERR)
            os.close(before)


def why(error: BaseException, told: str = "") -> str:
    """What went wrong, in one line without the stack of Java, and what to do if that is known.

    `told`: what Java wrote to its stderr.
    """
    text = _told(told) or cause_of(error)
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text)), None)
    return text if remedy is None else f"{text}: {remedy}"


def read_all(told: IO[bytes]) -> str:
    """What was written to the file so far."""
    with suppress(OSError):
        told.seek(0)
        return told.read(_MOST).decode(errors="replace")
    return ""


def cause_of(error: BaseException, text: str | None = None) -> str:
    """The innermost cause that Java names, without its class; else the first line that says something.

    `text`: of the error, if not its own.
    """
    text = str(error) if text is None else text
    if causes := causes_in(text):
        kind, message = causes[-1]
        return (message or kind)[:500]
    lines = (line.strip() for line in text.splitlines())
    said = [line for line in lines if line and not line.startswith(("at ", "Traceback"))]
    return (said or [type(error).__name__])[0][:500]


def causes_in(text: str) -> list[tuple[str, str]]:
    """The errors that Java names in a text, the innermost last: class, without its package, and message."""
    found = (_NAMED_BY_JAVA.match(line.strip()) for line in text.splitlines())
    return [(each[1], each[2] or "") for each in found if each is not None]


def _told(told: str) -> str | None:
    for pattern in _TOLD:
        if found := re.search(pattern, told, re.MULTILINE):
            return found[1].strip()[:500]
    return None
