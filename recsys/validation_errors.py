"""What pydantic says of a file or a record, as one line that repeats nothing of what is in it."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_SHOWN = 3
"""Problems that are told of one document."""


def explained(error: ValidationError) -> str:
    """The first problems: where each is, and what was expected there. No value is shown, as it may be an id."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(map(_explained, problems[:_SHOWN])) + more


def _explained(problem: ErrorDetails) -> str:
    where = ".".join(map(str, problem["loc"]))
    text = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{where}: {text}" if where else text
