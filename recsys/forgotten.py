"""Forgotten: who asked to be forgotten, and when. Ids are kept as keyed digests, so the list itself names nobody.

FORGOTTEN in a store is a text that only grows: a header with the key of the digests, then one line per tombstone, a
time and a digest. A line counts once it is complete; what a killed writer left of one does not.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys.errors import ArtifactError
from recsys.plain_files import open_plain

FORGOTTEN = "FORGOTTEN"
"""The file in a store."""

HEADER = "recsys-forgotten 1 "
"""Before the key, in hexadecimal, on the first line."""

NEVER = -np.inf

Kind = Literal["user", "session"]

_MOST_BYTES = 2**30
_LINE = re.compile(r"[0-9]{1,12}\.[0-9]{6} [0-9a-f]{32}")
_TOKENS = re.compile(r"[\s,;|\"'\\{}\[\]()=]+")


@dataclass(frozen=True, eq=False)
class Forgotten:
    """The tombstones of one moment. `key`: of the digests; empty if there are none. `until`: digest to UTC seconds.

    What is known of a user from up to the time of the tombstone counts no more; what comes later is a new person's.
    """

    key: bytes = b""
    until: Mapping[bytes, float] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.until)

    def __len__(self) -> int:
        return len(self.until)

    @staticmethod
    def as_if(user_ids: Iterable[str], *, at: float) -> "Forgotten":
        """What would be if these were forgotten at a time, UTC seconds; no store has it."""
        new = Forgotten(os.urandom(32))
        return Forgotten(new.key, MappingProxyType({new.digest(user_id): at for user_id in user_ids}))

    def digest(self, external_id: str | bytes, kind: Kind = "user") -> bytes:
        """16 bytes: BLAKE2b of the kind and the id, under the key."""
        named = external_id.encode("utf-8", "surrogatepass") if isinstance(external_id, str) else external_id
        return hashlib.blake2b(kind.encode() + b"\0" + named, digest_size=16, key=self.key).digest()

    def at(self, external_id: str | bytes | None, kind: Kind = "user") -> float:
        """When it was forgotten last, UTC seconds; `NEVER` if it was not."""
        if not self.until or external_id is None:
            return NEVER
        return self.until.get(self.digest(external_id, kind), NEVER)

    def times(self, user_ids: Iterable[str | bytes]) -> NDArray[np.float64]:
        """float64 (n,): `at` of each user."""
        found = (self.until.get(self.digest(user_id), NEVER) for user_id in user_ids)
        return np.fromiter(found, np.float64) if self.until else np.full(len(list(user_ids)), NEVER)

    def of_version(self, made_at: float, user_id: str) -> bool:
        """Whether what a version holds of a user counts no more. `made_at`: when its log was read, UTC seconds."""
        return bool(self.until) and self.at(user_id) >= made_at

    def named_in(self, text: str) -> bool:
        """Whether a word of `text`, or the whole of it, is the id of somebody who was forgotten at some time."""
        return bool(self.until) and any(self.at(word) > NEVER for word in {text, *_TOKENS.split(text)} if word)


NOBODY = Forgotten()
"""No tombstones."""


def parse_forgotten(path: Path, content: bytes) -> Forgotten:
    """The tombstones in `content`, of the file `path`. Raises ArtifactError naming the line that is none."""
    header, lines = _lines(path, content)
    for number, line in enumerate(lines, start=2):
        if not _LINE.fullmatch(line):
            raise ArtifactError(f"{path}: line {number} is no tombstone; put the file back from a backup")
    return _of_lines(header, lines)


def sound_part(path: Path, content: bytes) -> Forgotten:
    """The tombstones of the lines that are sound. Raises ArtifactError if the header, with the key, is damaged."""
    header, lines = _lines(path, content)
    return _of_lines(header, [line for line in lines if _LINE.fullmatch(line)])


def _lines(path: Path, content: bytes) -> tuple[str, list[str]]:
    """The header, "" if the file is empty, and the finished lines after it."""
    lines = content.decode("ascii", "replace").split("\n")[:-1]  # the last part is empty, or was never finished
    if lines and not re.fullmatch(rf"{HEADER}[0-9a-f]{{32,128}}", lines[0]):
        raise ArtifactError(f"{path}: line 1 is no header of tombstones; put the file back from a backup")
    return (lines[0], lines[1:]) if lines else ("", [])


def _of_lines(header: str, lines: Iterable[str]) -> Forgotten:
    until: dict[bytes, float] = {}
    for line in lines:
        at, _, digest = line.partition(" ")
        found = bytes.fromhex(digest)
        until[found] = max(float(at), until.get(found, NEVER))
    return Forgotten(bytes.fromhex(header.removeprefix(HEADER)), MappingProxyType(until))


class Tombstones:
    """The file of a store, read again whenever it has changed. Any number of threads may use it.

    `now`: what was read last. The file is opened at each look, so that a file system of a network asks its server.
    """

    def __init__(self, store: Path) -> None:
        self.path = store / FORGOTTEN
        self.now = NOBODY
        self._mark: tuple[int, int, int] | None = None
        self._lock = Lock()

    def look(self) -> Forgotten:
        """Read the file if it has changed. Raises ArtifactError if it is damaged or gone; `now` stays as it was."""
        with self._lock:
            try:
                self._read()
            except OSError as error:
                raise ArtifactError(f"{self.path}: cannot be read: {error.strerror}") from error
            return self.now

    def latest(self) -> Forgotten:
        """As `look`; what was read last if that fails."""
        with suppress(ArtifactError):
            self.look()
        return self.now

    def _read(self) -> None:
        try:
            file = open_plain(self.path, most=_MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            if self.now:
                raise ArtifactError(f"{self.path}: is gone; put it back from a backup") from None
            return
        with file:
            found = os.fstat(file.fileno())
            mark = (found.st_ino, found.st_size, found.st_mtime_ns)
            if mark == self._mark:
                return
            content = file.read(found.st_size)
        try:
            self.now = parse_forgotten(self.path, content)
        except ArtifactError:
            self.now = self.now or sound_part(self.path, content)  # who can be known to be forgotten is
            raise
        self._mark = mark


def read_forgotten(store: Path) -> Forgotten:
    """The tombstones of a store. Raises ArtifactError if the file is damaged."""
    return Tombstones(store).look()
