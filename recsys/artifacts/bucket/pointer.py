"""Pointer: the one object that says what a store in an object store holds and which version serves.

On one disk, CURRENT, HISTORY, HOLD, EXPERIMENT and FORGOTTEN are files that change together under a lock. An object
store has no lock and no change of several objects at once, so all of them are one object, CURRENT, which only changes
if it is still what the writer read. HISTORY cannot disagree with the version that serves, and of two writers one
loses and knows it.

The object is text. Its first line is the version that serves, or "none"; the second is a JSON document of the rest;
the third is the hash of both.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys.artifacts.manifest import VERSION_PATTERN, VersionName
from recsys.errors import ArtifactError
from recsys.objects import ObjectStore, Stored
from recsys.validation_errors import explained

POINTER = "CURRENT"
"""The object's key below the address of the store."""

SMALL_FILES = ("CURRENT", "HISTORY", "HOLD", "EXPERIMENT", "FORGOTTEN")
"""The files of a store on disk that the pointer holds, by their names."""

_KEPT_WRITERS = 64
_NOTHING = "none"
_RETRIES = 2
_CHECKSUM_BYTES = len("sha256 \n") + 64

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Upload(BaseModel):
    """Where a version lies: in `folder` below the address, a name that no other upload ever has.

    `manifest`: sha256 of its manifest.json, which has the hash of every other file. `size`: bytes of all files.
    `signature`: the line of manifest.json.hmac, None if it is not signed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(pattern=rf"^versions/{VERSION_PATTERN}/[0-9a-f]{{16}}$")
    manifest: _Digest
    size: int = Field(ge=0)
    signature: str | None = Field(None, max_length=200)

    @staticmethod
    def folder_for(version: str) -> str:
        """A new folder for an upload of a version."""
        return f"versions/{version}/{secrets.token_hex(8)}"


class Pointer(BaseModel):
    """What a store holds at one moment; frozen.

    `number`: of changes so far. `writer`: of the last change; `earlier_writers`: of the ones before it, latest last.
    Every change has a writer of its own, by which whoever made it finds it again if the answer was lost.
    `versions`: those that exist. `removed`: folders of uploads that are no versions any more and may not be deleted
    yet. `files`: the texts of `SMALL_FILES` that there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    number: int = Field(0, ge=0)
    writer: str = ""
    earlier_writers: tuple[str, ...] = ()
    versions: dict[VersionName, Upload] = Field(default_factory=dict)
    removed: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def serving(self) -> str | None:
        """The version that serves, None before the first publish."""
        line = self.files.get(POINTER)
        return None if line is None else line.rstrip("\n")

    def changed(
        self, *, versions: Mapping[str, Upload], removed: tuple[str, ...], files: Mapping[str, str]
    ) -> "Pointer":
        """The pointer after a change."""
        writers = (*self.earlier_writers, self.writer) if self.writer else ()
        return Pointer(
            number=self.number + 1,
            writer=secrets.token_hex(16),
            earlier_writers=writers[-_KEPT_WRITERS:],
            versions=dict(versions),
            removed=removed,
            files=dict(files),
        )

    def includes(self, change: "Pointer") -> bool:
        """Whether `change` was made: it is this pointer, or one that came before it."""
        return change.writer == self.writer or change.writer in self.earlier_writers

    def to_bytes(self) -> bytes:
        """As it is stored."""
        plain = self.model_dump(mode="json")
        plain["files"].pop(POINTER, None)
        content = f"{self.serving or _NOTHING}\n{json.dumps(plain, separators=(',', ':'))}\n".encode()
        return content + _checksum_line(content)


@dataclass(frozen=True)
class ReadPointer:
    """A pointer and the object that it was read from; `stored` is None before the first publish."""

    pointer: Pointer = field(default_factory=Pointer)
    stored: Stored | None = None


def read_pointer(objects: ObjectStore, *, known: ReadPointer | None = None) -> ReadPointer:
    """The pointer of a store; `known` itself if it has not changed since, which costs a request and no transfer.

    Raises ObjectStoreError if the store fails, ArtifactError if the object is damaged.
    """
    for is_last in (*[False] * _RETRIES, True):
        stored = objects.read(POINTER, known=None if known is None else known.stored)
        if known is not None and stored is known.stored:
            return known
        if stored is None:
            return ReadPointer()
        try:
            return ReadPointer(parse_pointer(str(objects.path / POINTER), stored.content), stored)
        except ArtifactError:  # perhaps it was altered on its way
            if is_last:
                raise
    raise AssertionError


def parse_pointer(name: str, content: bytes) -> Pointer:
    """The pointer in the bytes of the object `name`. Raises ArtifactError if they are none."""
    body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    if checksum != _checksum_line(body):
        raise _damaged(name, "its last line is not the hash of the others")
    try:
        first, _, rest = body.decode().partition("\n")
    except UnicodeDecodeError as error:
        raise _damaged(name, "it is no text") from error
    if re.fullmatch(rf"{VERSION_PATTERN}|{_NOTHING}", first) is None:
        raise _damaged(name, f"its first line is {first[:64]!r}, expected a version's name or {_NOTHING}")
    try:
        pointer = Pointer.model_validate_json(rest)
    except ValidationError as error:
        raise _damaged(name, explained(error)) from error
    if unknown := sorted({*pointer.files} - {*SMALL_FILES}):
        raise _damaged(name, f"it has a file {unknown[0][:64]!r}")
    if first == _NOTHING:
        return pointer
    if first not in pointer.versions:
        raise _damaged(name, f"{first} serves, and is not among its versions")
    return pointer.model_copy(update={"files": {**pointer.files, POINTER: f"{first}\n"}})


def _checksum_line(content: bytes) -> bytes:
    return f"sha256 {hashlib.sha256(content).hexdigest()}\n".encode("ascii")


def _damaged(name: str, why: str) -> ArtifactError:
    return ArtifactError(
        f"{name}: cannot be read as the pointer of a store: {why}; put back an earlier version of the object, if the "
        "bucket keeps them, or take another folder"
    )
