"""What the log says of a fault: where and of what type, without values, which may be ids of people or keys."""

import errno
import os
import traceback
from collections.abc import Iterator


def fault_text(error: BaseException) -> str:
    """The stack of `error` and of those that led to it, with their types; of a system error also its name."""
    return "\n".join("\n".join(_lines(each)) for each in reversed([*_chain(error)]))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error`, and what led to it, the latest first."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, OSError) and error.errno is not None:
        name += f": {errno.errorcode.get(error.errno, error.errno)} {os.strerror(error.errno)}"
    yield name
