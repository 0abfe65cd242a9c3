"""What was asked for last, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Anything that says how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes."""


Value = TypeVar("Value", bound=Sized)

_BYTES_OF_AN_ENTRY = 1024
"""What an entry takes beside its value: its key, the objects around its arrays."""


class Recent(Generic[Value]):
    """Values by name, the latest that fit into `max_bytes` together; any number of threads may share it.

    A value is made outside the lock: two threads that want the same at once both make it, and nobody waits.
    """

    def __init__(self, max_bytes: int) -> None:
        self.nbytes = 0
        """What the values take now."""
        self._max_bytes = max_bytes
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, make: Callable[[], Value]) -> Value:
        """The value called `name`, made where it is not here; one that would not fit alone is not kept."""
        with self._lock:
            if name in self._values:
                self._values.move_to_end(name)
                return self._values[name]
        value = make()
        with self._lock:
            if name not in self._values:
                self._keep(name, value)
        return value

    def _keep(self, name: str, value: Value) -> None:
        self._values[name] = value
        self.nbytes += _bytes_of(name, value)
        while self.nbytes > self._max_bytes:
            self.nbytes -= _bytes_of(*self._values.popitem(last=False))


def _bytes_of(name: str, value: Sized) -> int:
    return value.nbytes + 4 * len(name) + _BYTES_OF_AN_ENTRY
