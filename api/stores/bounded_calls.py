"""Calls that may hang, on a disk that has gone away, in a thread that nobody has to wait for."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from recsys.errors import ArtifactError

_Result = TypeVar("_Result")


class BoundedCalls:
    """Makes one call at a time, and gives it up after `seconds`; its thread keeps no process from ending.

    While a call that was given up still hangs, no other is made, so that threads do not pile up.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._given_up: Thread | None = None

    def make(self, call: Callable[[], _Result], doing: str) -> _Result:
        """The result of `call`. Raises what it raises, or ArtifactError, with `doing`, if it takes too long."""
        if self._given_up is not None and self._given_up.is_alive():
            raise ArtifactError("the disk has not answered since the last look at the store was given up")
        results: list[_Result] = []
        errors: list[BaseException] = []
        thread = Thread(target=_keep, args=(call, results, errors), daemon=True)
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            self._given_up = thread
            raise ArtifactError(f"{doing} took longer than {self._seconds:g} seconds, and was given up")
        if errors:
            raise errors[0]
        return results[0]


def _keep(call: Callable[[], _Result], results: list[_Result], errors: list[BaseException]) -> None:
    try:
        results.append(call())
    except BaseException as error:  # raised again by whoever waits
        errors.append(error)
