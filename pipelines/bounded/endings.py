"""How a job ended that was watched: what is said, what is removed, and the exit code."""

import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import RecsysError
from recsys.plain_files import read_plain

UNEXPECTED, ENDED = 1, 6
"""Exit codes: of an error that nobody expected, and of a job that its limits, a signal or a crash ended."""

INTERRUPTED = 130

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_WHILE_INTERRUPTED = (INTERRUPTED, -signal.SIGINT)
_CURSOR_ON = "\x1b[?25h"


class JobEndedError(RecsysError):
    """The job was ended by its limits, by a signal, or by a crash of a native library."""


@dataclass(frozen=True)
class Ending:
    """`code`: of the child, negative for a signal. `told`: what it had told. `breach`: the limit that it left.

    `forwarded`: the last signal that came to the parent, and went on to the child.
    """

    code: int
    told: dict[str, Any]
    breach: str | None = None
    forwarded: int | None = None


def is_abnormal(ending: Ending) -> bool:
    """Whether the child could not end as it does by itself, so that it may have left something."""
    was_asked = ending.forwarded == signal.SIGINT and ending.code in _WHILE_INTERRUPTED
    return ending.breach is not None or (
        (ending.code < 0 or ending.code in (UNEXPECTED, ENDED, INTERRUPTED)) and not was_asked
    )


def reason_of(ending: Ending) -> str:
    """Why the job ended, in words."""
    if ending.breach is not None:
        return ending.breach
    if ending.code == ENDED:
        return "the system refused memory or threads (above)" + _addresses()
    if ending.code == UNEXPECTED:
        return "an unexpected error (above)" + _addresses()
    if ending.code == INTERRUPTED or -ending.code == signal.SIGINT:
        return "interrupted, but not by Ctrl-C: a native library that cannot start its threads does so" + _addresses()
    number = signal.Signals(-ending.code)
    if number in _CRASHES:
        return f"a native library crashed ({number.name})" + _addresses()
    if number == signal.SIGKILL:
        return "killed (SIGKILL): by the system because memory ran out, or by hand"
    return f"stopped by {number.name}"


def _addresses() -> str:
    """A limit that makes native libraries fail in many ways."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return "" if soft == resource.RLIM_INFINITY else f"; only {soft / 2**20:,.0f} MiB of addresses (ulimit -v)"


def exit_code_of(ending: Ending) -> int:
    """The exit code to end with."""
    if not is_abnormal(ending):
        return INTERRUPTED if ending.code < 0 else ending.code
    if ending.breach is None and ending.forwarded is not None and ending.code == -ending.forwarded:
        return 128 + ending.forwarded
    return UNEXPECTED if ending.code == UNEXPECTED and ending.breach is None else ENDED


def named(store: Path) -> str:
    """What a store's pointer says, as it stands; "nothing" if it has none."""
    try:
        return read_plain(store / "CURRENT", most=64).decode("ascii", "replace").strip() or "nothing"
    except OSError:
        return "nothing"


def sentence_of(ending: Ending) -> str:
    """What is said about an abnormal end: when, why, and what serves."""
    told = ending.told
    during = f" during {told['step']}" if "step" in told else " before its first step"
    at = f" ({told['stage']})" if told.get("stage") else ""
    parts = [f"the job ended{during}{at}: {reason_of(ending)}"]
    if "address" in told:  # what the mirror says may never have reached the object store
        parts.append(f"`recsys models --store {told['address']}` shows what serves")
    elif "store" in told:
        before, now = told.get("serving"), named(Path(told["store"]))
        parts.append(f"{now} serves, as before" if now == before else f"{now} serves: it was published before that")
    return "; ".join(parts)


def tell_ending(ending: Ending) -> int:
    """Say how the job ended if it did not say so itself, remove what it left; the exit code.

    Does not return if the child handed over: this process becomes what it said.
    """
    if ending.code == 0 and (command := ending.told.get("then")):
        sys.stdout.flush()
        os.execv(command[0], command)
    if is_abnormal(ending):
        _clear(ending.told)
        _say(ending)
    elif ending.code < 0:
        _notice_interrupted(ending.told)
    return exit_code_of(ending)


def _clear(told: dict[str, Any]) -> None:
    from pipelines.steps.leftovers import remove_leftovers

    remove_leftovers(*(Path(told[key]) if key in told else None for key in ("workspace", "store")))
    for path in told.get("unfinished", ()):
        Path(path).unlink(missing_ok=True)
    if "parts" in told:
        from recsys.export.parts import remove_unlinked

        remove_unlinked(Path(told["parts"]))


def _say(ending: Ending) -> None:
    rendering = _rendering(ending.told)
    if sys.stderr.isatty():
        sys.stderr.write(_CURSOR_ON)  # which the progress of a killed child has hidden
    rendering.problem(JobEndedError(sentence_of(ending)))


def _notice_interrupted(told: dict[str, Any]) -> None:
    _rendering(told).interrupted()


def _rendering(told: dict[str, Any]) -> Any:
    """The console, which the parent imports only if it has something to say."""
    from pipelines.commands import log, rendering

    log.configure("json" if told.get("json") else None)
    return rendering
