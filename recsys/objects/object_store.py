"""ObjectStore: the objects below one address, read and written whole or in parts, with retries that are safe."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from recsys.errors import ArtifactError, ConflictError, ObjectStoreError
from recsys.objects.failures import RefusedFault, TransientFault, fault_of, is_missing_object
from recsys.remote.remote_path import RemotePath

PIECE_BYTES = 8 << 20
"""Bytes that one request moves at most, unless a file has more than 9,000 times as many."""

ATTEMPTS = 5
"""How often a request is made before it fails: about six seconds of pauses."""

_PAUSE_SECONDS, _LONGEST_PAUSE = 0.2, 5.0
_MOST_PARTS = 9_000

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stored:
    """An object as it was read: `content`, and `etag` and `generation`, by which the store knows this content."""

    content: bytes
    etag: str | None
    generation: str | None = None


@dataclass(frozen=True)
class Listed:
    """An object in a listing: `key` below the address, `size` in bytes, `modified` in UTC seconds."""

    key: str
    size: int
    modified: float


class ObjectStore:
    """The objects below an address of s3://, gs:// or abfs://. Any number of threads may use it.

    Every request is bounded in time. One that fails in a way that may pass (a timeout, a broken connection, HTTP 429
    and 5xx) is made again, `ATTEMPTS` times in all, with growing pauses; a conditional write only after it was read
    whether the earlier one was done. All methods raise ObjectStoreError, whose message shows no secret.
    """

    def __init__(self, connected: Any, path: RemotePath, *, pause: float = _PAUSE_SECONDS) -> None:
        """`connected`: a store of `obstore` whose prefix is `path`. `pause`: seconds before the first retry."""
        self._connected = connected
        self.path = path
        self.pause = pause

    def __str__(self) -> str:
        return str(self.path)

    def with_pause(self, seconds: float) -> "ObjectStore":
        """The same store with another pause before the first retry."""
        return ObjectStore(self._connected, self.path, pause=seconds)

    def read(self, key: str, *, known: Stored | None = None) -> Stored | None:
        """A whole object, None if there is none; `known` itself if the store says that it has not changed since."""
        return self._attempted(key, partial(self._read, key, known))

    def _read(self, key: str, known: Stored | None) -> Stored | None:
        options = {"if_none_match": known.etag} if known is not None and known.etag else None
        try:
            found = self._connected.get(key, options=options)
            content = bytes(found.bytes())
        except Exception as error:
            if type(error).__name__ == "NotModifiedError":
                return known
            if is_missing_object(error):
                return None
            raise
        if len(content) != found.meta["size"]:
            raise self._cut(key, len(content), found.meta["size"])
        return Stored(content, found.meta["e_tag"], found.meta["version"])

    def read_part(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes of an object from `start` on; fewer are an error."""
        return self._attempted(key, partial(self._read_part, key, start, length))

    def _read_part(self, key: str, start: int, length: int) -> bytes:
        part = bytes(self._connected.get_range(key, start=start, length=length))
        if len(part) != length:
            raise self._cut(key, len(part), length)
        return part

    def _cut(self, key: str, came: int, expected: int) -> TransientFault:
        return TransientFault(
            ObjectStoreError(
                f"{self.path / key}: the transfer broke off: {came:,} of {expected:,} bytes came", "unavailable"
            )
        )

    def write(self, key: str, content: bytes | Path) -> None:
        """Write an object, whatever was there; a large file in parts. An object appears whole or not at all."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        piece = max(PIECE_BYTES, -(-size // _MOST_PARTS))
        put = partial(self._connected.put, key, content, chunk_size=piece, max_concurrency=4)
        self._attempted(key, put)

    def replace(
        self, key: str, content: bytes, *, before: Stored | None, holds: Callable[[bytes], bool] | None = None
    ) -> Stored:
        """Write a small object if it is still what `before` says (None: it is missing); the object as it is then.

        `content` must be unlike any that was ever written. If the answer is lost, or the store says that the
        condition does not hold, the object is read: this write was done if `holds` it, by default if it is `content`.
        `holds` raises ArtifactError if what it is given is damaged; then the object is read again.
        Raises ConflictError if it was not and something else was written; ObjectStoreError with the reason
        "unavailable" if that cannot be told, and then the message says so.
        """
        holds = holds or content.__eq__
        for attempt in range(ATTEMPTS):
            try:
                return self._conditional(key, content, before)
            except (RefusedFault, TransientFault):
                now, is_done = self._look_again(key, holds)
            if now is not None and is_done:
                return now
            if not _is_same(now, before):
                raise ConflictError(f"{self.path / key}: another process changed it meanwhile; nothing was written")
            self._wait(attempt)
        raise self._unsure(key, "the store does not confirm the write")

    def _conditional(self, key: str, content: bytes, before: Stored | None) -> Stored:
        mode: Any = "create"
        if before is not None:
            said = {"e_tag": before.etag, "version": before.generation}
            mode = {name: value for name, value in said.items() if value is not None}
        try:
            done = self._connected.put(key, content, mode=mode)
        except Exception as error:
            if before is not None and is_missing_object(error):
                raise RefusedFault from None
            raise fault_of(self.path / key, error) from None
        return Stored(content, done["e_tag"], done["version"])

    def _look_again(self, key: str, holds: Callable[[bytes], bool]) -> tuple[Stored | None, bool]:
        """The object as it is now, and whether it `holds` the write."""
        for attempt in range(ATTEMPTS):
            try:
                now = self.read(key)
            except ObjectStoreError as error:
                raise self._unsure(key, str(error).removeprefix(f"{self.path / key}: ")) from error
            try:
                return now, now is not None and holds(now.content)
            except ArtifactError:  # it was altered on its way
                self._wait(attempt)
        raise self._unsure(key, "what is read back is damaged")

    def _unsure(self, key: str, why: str) -> ObjectStoreError:
        return ObjectStoreError(
            f"{self.path / key}: {why}; whether the change was made is not known, and it may still be: look at the "
            "store before you repeat it (`recsys models --store ...`)",
            "unavailable",
        )

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, as many with one request as the store takes; one that is missing is deleted."""
        if keys:
            self._attempted("", partial(self._delete, [*keys]))

    def _delete(self, keys: "list[str]") -> None:
        try:
            self._connected.delete(keys)
        except Exception as error:
            if not is_missing_object(error):
                raise
            for key in keys if len(keys) > 1 else ():  # a store without bulk deletion stops at one that is missing
                self._delete([key])

    def list(self, folder: str = "") -> list[Listed]:
        """Every object below a folder, sorted by key; one request per thousand."""
        return self._attempted(folder, lambda: sorted(self._listed(folder), key=lambda each: each.key))

    def _listed(self, folder: str) -> Iterator[Listed]:
        for batch in self._connected.list(folder or None, chunk_size=1000):
            for meta in batch:
                yield Listed(meta["path"], meta["size"], meta["last_modified"].timestamp())

    def _attempted(self, key: str, request: Callable[[], Result]) -> Result:
        """The result of a request that may be made again whatever the first one did."""
        for attempt in range(ATTEMPTS):
            try:
                return request()
            except TransientFault as fault:
                last = fault.error
            except Exception as error:
                found = fault_of(self.path / key if key else self.path, error)
                if not isinstance(found, TransientFault):
                    raise found from None
                last = found.error
            if attempt + 1 < ATTEMPTS:
                self._wait(attempt)
        raise last

    def _wait(self, attempt: int) -> None:
        time.sleep(min(self.pause * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.0))


def _is_same(one: Stored | None, other: Stored | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.etag, one.generation) == (other.etag, other.generation)
