"""What a driver says when something fails, in a sentence."""

import re

_SERVER = re.compile(r"(?:ERROR|FATAL|PANIC):\s*([^\n]*)(?:\n(?:.*\n)*?HINT:\s*([^\n]*))?")
_PREFIX = re.compile(r"^(?:[A-Z_]+: )?(?:\[[\w .]+\] )?")
_SUFFIX = re.compile(r"\s*\.? ?(?:SQLSTATE: \w+)?\s*$")
_LONGEST = 500

_READ_ONLY = "25006"
_SERVER_WENT = ("57P01", "57P02", "57P03", "08006", "08003", "08000")


def failure(error: BaseException, *, seconds: int) -> str:
    """What happened, and what to do if that is known. `seconds`: after which a statement fails."""
    message, state = str(error), getattr(error, "sqlstate", None)
    told = _sentence(message)
    if "statement timeout" in message:
        return f"the statement took longer than statement_timeout ({seconds} s): {told}"
    if state == _READ_ONLY or any(sign in message for sign in _WROTE):
        return f"a source is only read, and nothing was changed: {told}; expected a SELECT"
    if state in _SERVER_WENT or any(sign in message for sign in _LOST):
        return f"the connection was lost: {told}"
    return told


def missing_table(error: BaseException) -> str | None:
    """The name of a table that a statement names and the database does not have; None if it failed otherwise."""
    found = _MISSING_TABLE.search(str(error))
    return found[1] if found else None


_WROTE = ("in a read-only transaction", "readonly database")
_MISSING_TABLE = re.compile(r"(?:relation \"|no such table: )([^\"\n]+?)(?:\" does not exist|\n|$)")
_LOST = ("server closed the connection", "terminating connection", "Connection reset", "SSL SYSCALL", "no COPY in")


def _sentence(message: str) -> str:
    """The first thing that the server said, with its hint; else the message without the driver's words around it."""
    if (said := _SERVER.search(message)) is not None:
        return f"{said[1].strip()}{f' ({said[2].strip()})' if said[2] else ''}"[:_LONGEST]
    text = message.partition("\nQuery was:")[0].partition("\nquery:")[0]
    return " ".join(_SUFFIX.sub("", _PREFIX.sub("", text)).split())[:_LONGEST] or "failed without a message"
