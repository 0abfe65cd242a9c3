"""Download: a version from an object store as a folder on this disk, every hash verified before anybody sees it."""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from recsys.artifacts.bucket.pointer import Upload
from recsys.artifacts.files import (
    FileDigest,
    check_digest,
    digest_file,
    make_durable_folder,
    protect,
    replace_durably,
    sync,
    sync_tree,
)
from recsys.artifacts.manifest import CHECKSUM, MANIFEST, SIGNATURE, Manifest, read_manifest
from recsys.errors import ArtifactError, ObjectStoreError
from recsys.map_ordered import map_ordered
from recsys.objects import ObjectStore
from recsys.objects.object_store import PIECE_BYTES
from recsys.progress import Progress, silent
from recsys.storage import storage_errors

THREADS = 8
"""Requests that are under way at once."""

INCOMING = ".incoming-"
"""Begins the name of a folder that is being filled."""

Files = Mapping[str, FileDigest]
"""Digests of files by their names."""

_MIB = 2**20
_SOUND_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}){0,8}")


def download_version(
    objects: ObjectStore,
    version: str,
    upload: Upload,
    versions: Path,
    *,
    progress: Progress = silent,
    leave_out: Callable[[Manifest], frozenset[str]] = lambda manifest: frozenset(),
) -> Path:
    """The folder of a version in `versions`, downloaded if it is not there yet.

    Files come in parallel, in parts. The folder appears in one rename, complete, synced to disk and read-only, after
    the manifest was compared with the pointer, and size and hash of every file with the manifest; else not at all.
    A folder of that name with another manifest is replaced. `leave_out`: names of files that are not downloaded,
    given the manifest. Raises ObjectStoreError if the store fails (reason
    "damaged" if what came is not what the manifest says), StorageError if the disk is full.
    """
    folder = versions / version
    if is_complete(folder, upload):
        return folder
    with storage_errors(versions, doing=f"while {version} was downloaded"):
        make_durable_folder(versions)
        with _incoming(versions.parent) as incoming:
            part = incoming / version
            part.mkdir()
            manifest = download_manifest(objects, version, upload, part)
            without = leave_out(manifest)
            files = {name: digest for name, digest in manifest.files.items() if name not in without}
            _check_room(versions, version, files)
            _download_files(objects, upload, files, part, partial(progress, f"download {version}"))
            protect(part, like=versions.parent)
            sync_tree(part)
            _put_in_place(part, folder, upload)
        sync(versions)
    return folder


def is_complete(folder: Path, upload: Upload) -> bool:
    """Whether a folder, which only appears when it is complete, is of this upload; its files are not read again."""
    try:
        return digest_file(folder / MANIFEST).sha256 == upload.manifest
    except OSError:
        return False


def download_manifest(objects: ObjectStore, version: str, upload: Upload, folder: Path) -> Manifest:
    """Write manifest.json, its checksum and the signature into `folder`, which is named after the version."""
    stored = objects.read(f"{upload.folder}/{MANIFEST}")
    if stored is None:
        raise ObjectStoreError(f"{objects.path / upload.folder}: {version} is no longer there", "missing")
    found = FileDigest.of(stored.content)
    if found.sha256 != upload.manifest:
        raise _altered(objects, upload, MANIFEST, f"sha256 {found.sha256}, expected {upload.manifest}")
    (folder / MANIFEST).write_bytes(stored.content)
    (folder / CHECKSUM).write_text(f"{upload.manifest}  {MANIFEST}\n", encoding="ascii")
    if upload.signature is not None:
        (folder / SIGNATURE).write_text(upload.signature, encoding="ascii")
    return read_manifest(folder)


def write_signature(folder: Path, upload: Upload) -> None:
    """Let a folder have the signature that the pointer has. Raises OSError."""
    path = folder / SIGNATURE
    found = path.read_text(encoding="ascii") if path.exists() else None
    if upload.signature is not None and found != upload.signature:
        replace_durably(path, upload.signature.encode("ascii"))


@contextmanager
def _incoming(store: Path) -> Iterator[Path]:
    folder = store / f"{INCOMING}{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_room(versions: Path, version: str, files: Files) -> None:
    needed = sum(digest.size for digest in files.values())
    free = shutil.disk_usage(versions).free
    if needed > free:
        raise ArtifactError(
            f"{versions}: {version} has {needed / _MIB:,.1f} MiB, and {free / _MIB:,.1f} MiB are free; "
            "nothing was downloaded"
        )


def _download_files(
    objects: ObjectStore, upload: Upload, files: Files, folder: Path, progress: Callable[[float, float], None]
) -> None:
    done, total = 0, sum(digest.size for digest in files.values())
    progress(0, total)
    for name, digest in files.items():
        _make_file(objects, upload, folder, name, digest)
    fetch = partial(_fetch_part, objects, upload, folder)
    for n_bytes in map_ordered(fetch, parts_of(files), threads=THREADS, ahead=THREADS):
        done += n_bytes
        progress(done, total)
    check = partial(_check_file, objects, upload, folder)
    for _ in map_ordered(check, files.items()):
        pass


def _make_file(objects: ObjectStore, upload: Upload, folder: Path, name: str, digest: FileDigest) -> None:
    if _SOUND_NAME.fullmatch(name) is None or name in (MANIFEST, CHECKSUM, SIGNATURE):
        raise _altered(objects, upload, MANIFEST, f"it lists a file {name[:64]!r}")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("xb") as file:
        file.truncate(digest.size)


def parts_of(files: Files) -> Iterator[tuple[str, int, int]]:
    """Every part of every file: its name, where the part starts, and its bytes."""
    for name, digest in files.items():
        for start in range(0, digest.size, PIECE_BYTES):
            yield name, start, min(PIECE_BYTES, digest.size - start)


def _fetch_part(objects: ObjectStore, upload: Upload, folder: Path, part: tuple[str, int, int]) -> int:
    name, start, length = part
    content = objects.read_part(f"{upload.folder}/{name}", start, length)
    with (folder / name).open("r+b") as file:
        file.seek(start)
        file.write(content)
    return length


def _check_file(objects: ObjectStore, upload: Upload, folder: Path, listed: tuple[str, FileDigest]) -> None:
    name, expected = listed
    try:
        check_digest(folder / name, digest_file(folder / name), expected)
    except ArtifactError as error:
        raise _altered(objects, upload, name, str(error).partition(": ")[2]) from error


def _altered(objects: ObjectStore, upload: Upload, name: str, why: str) -> ObjectStoreError:
    return ObjectStoreError(f"{objects.path / upload.folder / name}: is not what was published: {why}", "damaged")


def _put_in_place(part: Path, folder: Path, upload: Upload) -> None:
    """Rename; another process may have been quicker with the same version, or left one with another manifest."""
    if folder.exists() and not is_complete(folder, upload):
        folder.rename(part.with_name(f"{part.name}.replaced"))
    with suppress(OSError):
        part.rename(folder)
    if not is_complete(folder, upload):
        raise ArtifactError(f"{folder}: could not be put in place")
