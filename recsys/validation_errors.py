"""What pydantic says of a file or a record, as one line that repeats nothing of what is in it."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_SHOWN = 3
"""Problems that are told of one document."""


def explained(error: ValidationError) -> str:
    """The first problems: where each is, and what was expected there. No value is shown, as it may be an id."""
    problems = problems_of(error)
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(map(_explained, problems[:_SHOWN])) + more


def problems_of(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong. A list is not also called too short because the wrong values in it are left out."""
    problems = error.errors()
    return [
        problem for problem in problems if not (problem["type"] == "too_short" and _has_within(problem, problems))
    ]


def _has_within(outer: ErrorDetails, problems: list[ErrorDetails]) -> bool:
    depth = len(outer["loc"])
    return any(len(problem["loc"]) > depth and problem["loc"][:depth] == outer["loc"] for problem in problems)


def _explained(problem: ErrorDetails) -> str:
    where = ".".join(map(str, problem["loc"]))
    text = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{where}: {text}" if where else text
