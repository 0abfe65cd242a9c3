"""Upload: a sealed version into an object store, every byte of it read back before anything names it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from recsys.artifacts.bucket.download import THREADS, Files, parts_of
from recsys.artifacts.bucket.pointer import Upload
from recsys.artifacts.files import FileDigest, digest_file, list_files
from recsys.artifacts.manifest import CHECKSUM, MANIFEST, SIGNATURE, read_manifest
from recsys.errors import ObjectStoreError
from recsys.map_ordered import map_ordered
from recsys.objects import ObjectStore
from recsys.plain_files import read_plain
from recsys.progress import Progress, silent

_ATTEMPTS = 3
"""How often a file is written whose bytes are read back as others."""


def upload_version(objects: ObjectStore, folder: Path, *, progress: Progress = silent) -> Upload:
    """Write a sealed version into a folder of its own, files in parallel, the manifest last; where it lies then.

    Each file is read back, in parts in parallel, and compared with the manifest. Nothing names the folder until the
    pointer does, so that an upload that is stopped, or fails, is no version. Raises ObjectStoreError if the store
    fails, with the reason "damaged" if what is read back is not what the manifest says, also because the file here
    is not.
    """
    manifest = read_manifest(folder)
    content = read_plain(folder / MANIFEST)
    place = Upload.folder_for(manifest.version)
    size, done = sum(digest.size for digest in manifest.files.values()), 0

    def told(n_bytes: int) -> None:  # each byte goes there and comes back
        nonlocal done
        done += n_bytes
        progress(f"upload {manifest.version}", min(done / 2, size), size)

    told(0)
    largest_first = dict(sorted(manifest.files.items(), key=lambda listed: -listed[1].size))
    _send(objects, place, folder, largest_first, told)
    for name in (*{CHECKSUM, SIGNATURE}.intersection(list_files(folder)), MANIFEST):
        _send(objects, place, folder, {name: digest_file(folder / name)}, lambda n_bytes: None)
    return Upload(folder=place, manifest=FileDigest.of(content).sha256, size=size, signature=signature_in(folder))


def signature_in(folder: Path) -> str | None:
    """The signature of the version in `folder`, None if it is not signed. Raises OSError."""
    path = folder / SIGNATURE
    return read_plain(path, most=4096).decode("ascii", "replace") if path.exists() else None


def _send(objects: ObjectStore, place: str, folder: Path, files: Files, told: Callable[[int], None]) -> None:
    left = files
    for _ in range(_ATTEMPTS):
        _write(objects, place, folder, left, told)
        found = _read_back(objects, place, left, told)
        left = {name: digest for name, digest in left.items() if found[name] != digest.sha256}
        if not left:
            return
    name, expected = next(iter(left.items()))
    raise ObjectStoreError(
        f"{objects.path / place / name}: is not what was written: sha256 {found[name]}, expected {expected.sha256}",
        "damaged",
    )


def _write(objects: ObjectStore, place: str, folder: Path, files: Files, told: Callable[[int], None]) -> None:
    def write(name: str) -> int:
        objects.write(f"{place}/{name}", folder / name)
        return files[name].size

    for n_bytes in map_ordered(write, files, threads=THREADS, ahead=THREADS):
        told(n_bytes)


def _read_back(objects: ObjectStore, place: str, files: Files, told: Callable[[int], None]) -> dict[str, str]:
    """The hashes of objects as they are now. A few parts at once are in memory."""

    def read(part: tuple[str, int, int]) -> tuple[str, bytes]:
        name, start, length = part
        return name, objects.read_part(f"{place}/{name}", start, length)

    hashes = {name: hashlib.sha256() for name in files}
    for name, content in map_ordered(read, parts_of(files), threads=THREADS):
        hashes[name].update(content)
        told(len(content))
    return {name: found.hexdigest() for name, found in hashes.items()}
