"""Redaction: what errors of Spark say, without the values of rows that they quote.

A cast that fails quotes what it was given (`CAST_INVALID_INPUT`), and a Python function may quote anything. The whole
text is logged at the level DEBUG. Parameters of messages and SQLSTATE: error-conditions.json of Spark.
"""

import logging
import re
from pathlib import PurePath
from typing import Any

from recsys.spark.starting import cause_of, causes_in

logger = logging.getLogger(__name__)

_OF_ROWS = ("2", "3", "4", "P")
"""First signs of the SQLSTATE of errors that a value may cause: of data, constraints, functions and expressions."""
_NO_VALUE = re.compile(r"(?:Type|Config|Policy|Name)$|^(?:config|parameter|func|alternative|suggestion)$")
"""Parameters of messages that hold names and advice, never a value."""

_QUERY = "\n== "
"""What follows is the query, with the place."""

_PYTHON = re.compile(
    r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)[^\n]*\n(?: [^\n]*\n)*(?P<kind>[\w.]+)(?P<said>[^\n]*)'
)
_OF_PROGRAMS = re.compile(
    r"(?:^|\.)(?:(?:Import|ModuleNotFound|Attribute|Name|OS|Permission|FileNotFound|PySparkRuntime)Error)$"
)
"""Python's errors that tell of modules, attributes and files."""

_CONDITION = re.compile(r"^\[([A-Z][A-Z0-9_.]+)\] ")
_STATE = re.compile(r"SQLSTATE: (\w{5})")
_OF_TEXTS = re.compile(r"NumberFormat|DateTime|Pars|Malformed|Json|Record|Decod|Charset|Arithmetic")
"""Java's errors, by class, that quote what was read."""

_WITHHELD = "; the rest may quote a row, and is told by the logger {} at the level DEBUG"


def one_line(error: Exception) -> str:
    """What an error of Spark says that tells most, without the values of rows."""
    logger.debug("Spark said: %s", error)
    if (found := _PYTHON.search(str(error))) is not None:
        return _of_python(found)
    return cause_of(error, without_values(error)) if _has_parameters(error) else _of_java(error)


def without_values(error: Exception) -> str:
    """The text of an error; in one that a row may cause, the name of each value stands in its place."""
    text = str(error)
    if not _has_parameters(error) or _PYTHON.search(text):
        return text
    try:
        quoted = _quoted(error)
    except Exception:  # of py4j: Java, which knows them, has ended meanwhile
        return type(error).__name__
    for name in sorted(quoted, key=lambda each: -len(quoted[each])):
        text = text.replace(quoted[name], f"<{name}>")
    return text.partition(_QUERY)[0]


def _has_parameters(error: Exception) -> bool:
    """Whether pyspark knows what of its text is a parameter of the message."""
    return hasattr(error, "getMessageParameters")


def _quoted(error: Any) -> dict[str, str]:
    """Values in the text of an error of pyspark, by their names in its message."""
    from pyspark.errors import AnalysisException

    state = error.getSqlState()
    if isinstance(error, AnalysisException) or (state and not state.startswith(_OF_ROWS)):
        return {}  # raised before a row is read, or of the cluster
    given = (error.getMessageParameters() or {}).items()
    return {name: str(value) for name, value in given if str(value) and not _NO_VALUE.search(name)}


def _of_python(found: re.Match[str]) -> str:
    """The first error of a traceback: its kind and place, and what it said if that cannot be of a row."""
    place = f"{PurePath(found['file']).name}, line {found['line']}"
    if _OF_PROGRAMS.search(found["kind"]):
        return f"{found['kind']}{found['said']} ({place})"[:500]
    return f"{found['kind']} in a task ({place}){_WITHHELD.format(__name__)}"


def _of_java(error: Exception) -> str:
    """The innermost cause that Java names; of one that may quote a row, its condition or its class."""
    causes = causes_in(str(error))
    for _, said in reversed(causes):
        state = _STATE.search(said)
        if (found := _CONDITION.match(said)) and (state is None or state[1].startswith(_OF_ROWS)):
            return f"{found[1]}{_WITHHELD.format(__name__)}"
    if causes and _OF_TEXTS.search(causes[-1][0]):
        return f"{causes[-1][0]}{_WITHHELD.format(__name__)}"
    return cause_of(error)
