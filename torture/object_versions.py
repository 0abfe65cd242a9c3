"""Versions in an object store, published by the simplest writer there is: it replaces the pointer unseen."""

from collections.abc import Mapping
from pathlib import Path

from recsys.artifacts.bucket import Pointer, Upload, read_pointer, upload_version
from recsys.artifacts.bucket.pointer import POINTER
from recsys.artifacts.history import HistoryEntry
from recsys.objects import ObjectStore

_AT = "2026-01-01T00:00:00+00:00"


def put_version(objects: ObjectStore, folder: Path, **files: str) -> Pointer:
    """Upload the sealed version in `folder`, and let it serve. `files`: beside CURRENT and HISTORY."""
    before = read_pointer(objects).pointer
    return let_serve(objects, folder.name, {**before.versions, folder.name: upload_version(objects, folder)}, **files)


def let_serve(
    objects: ObjectStore, version: str, versions: Mapping[str, Upload] | None = None, **files: str
) -> Pointer:
    """Let a version serve that is there, with a line in HISTORY. `versions`: all that there are from now on."""
    before = read_pointer(objects).pointer
    entry = HistoryEntry(at=_AT, action="publish", version=version, previous=before.serving)
    history = before.files.get("HISTORY", "") + entry.model_dump_json() + "\n"
    told = {**before.files, "HISTORY": history, "CURRENT": f"{version}\n", **files}
    changed = before.changed(versions=before.versions if versions is None else versions, removed=(), files=told)
    objects.write(POINTER, changed.to_bytes())
    return changed
