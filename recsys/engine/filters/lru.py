"""Values by name, the most recently used that fit into so many bytes."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar

_BYTES_PER_ENTRY = 1024  # beside the value: its key, the objects around its arrays


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes."""


Value = TypeVar("Value", bound=Sized)


class LruCache(Generic[Value]):
    """Values by name, the most recently used that fit into `max_bytes` together. Threads may share it.

    A value is made outside the lock, so that no thread waits; two threads that ask for it at once both make it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.nbytes = 0
        """How much the entries take now."""
        self._max_bytes = max_bytes
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, make: Callable[[], Value]) -> Value:
        """The value called `name`; if there is none, `make` makes it. A value that does not fit is not kept."""
        with self._lock:
            if name in self._values:
                self._values.move_to_end(name)
                return self._values[name]
        value = make()
        with self._lock:
            if name not in self._values:
                self._keep(name, value)
        return value

    def recent(self) -> list[tuple[str, Value]]:
        """Names and values, the most recently used last."""
        with self._lock:
            return [*self._values.items()]

    def _keep(self, name: str, value: Value) -> None:
        self._values[name] = value
        self.nbytes += _size_of(name, value)
        while self.nbytes > self._max_bytes:
            self.nbytes -= _size_of(*self._values.popitem(last=False))


def _size_of(name: str, value: Sized) -> int:
    return value.nbytes + 4 * len(name) + _BYTES_PER_ENTRY
