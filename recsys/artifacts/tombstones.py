"""Tombstones are written before anything is removed, so that nothing comes back while it is."""

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from recsys.artifacts.files import replace_durably
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from recsys.forgotten import FORGOTTEN, HEADER, Kind, parse_forgotten
from recsys.plain_files import read_plain
from recsys.storage import reason

_KEY_BYTES = 32
_MOST_BYTES = 2**30


def add_tombstones(registry: Registry, users: Sequence[str], sessions: Sequence[str] = ()) -> float:
    """Forget `users`, and the `sessions` that are theirs, as of now; the time, UTC seconds.

    They are durable when it returns. Whoever publishes meanwhile has done so before, or sees them. Raises
    ArtifactError if the store cannot be written, or another process moves the pointer for too long.
    """
    who: list[tuple[Kind, str]] = [("user", each) for each in users]
    who += [("session", each) for each in sessions]

    def append() -> float:
        try:
            return _append(registry.store, who)
        except OSError as error:
            path = registry.store / FORGOTTEN
            raise ArtifactError(f"{path}: could not be written: {reason(error, path)}") from error

    return registry.changing(append)


def _append(store: Path, who: Sequence[tuple[Kind, str]]) -> float:
    path, now = store / FORGOTTEN, round(time.time(), 6)
    if not path.exists():
        replace_durably(path, f"{HEADER}{secrets.token_hex(_KEY_BYTES)}\n".encode("ascii"))
        path.chmod(0o600 | store.stat().st_mode & 0o064)  # for those who may read and write the store
    content = read_plain(path, most=_MOST_BYTES)
    known = parse_forgotten(path, content)
    lines = "".join(f"{now:.6f} {known.digest(each, kind).hex()}\n" for kind, each in who)
    with path.open("r+b") as file:
        file.truncate(content.rfind(b"\n") + 1)  # what a killed writer left of a line
        file.seek(0, os.SEEK_END)
        file.write(lines.encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    return now
