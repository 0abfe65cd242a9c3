"""Upload: a sealed version into an object store, every byte of it read back before anything names it."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from recsys.artifacts.bucket.download import THREADS
from recsys.artifacts.bucket.pointer import Upload
from recsys.artifacts.files import FileDigest, digest_file, list_files
from recsys.artifacts.manifest import CHECKSUM, MANIFEST, SIGNATURE, read_manifest
from recsys.errors import ObjectStoreError
from recsys.map_ordered import map_ordered
from recsys.objects import ObjectStore
from recsys.objects.object_store import PIECE_BYTES
from recsys.plain_files import read_plain
from recsys.progress import Progress, silent

_ATTEMPTS = 3
"""How often a file is written whose bytes are read back as others."""


def upload_version(objects: ObjectStore, folder: Path, *, progress: Progress = silent) -> Upload:
    """Write a sealed version into a folder of its own, files in parallel, the manifest last; where it lies then.

    Each file is read back and compared with the manifest. Nothing names the folder until the pointer does, so that an
    upload that is stopped, or fails, is no version. Raises ObjectStoreError if the store fails, with the reason
    "damaged" if what is read back is not what the manifest says, also because the file here is not.
    """
    manifest = read_manifest(folder)
    content = read_plain(folder / MANIFEST)
    place = Upload.folder_for(manifest.version)
    done, total = 0, sum(digest.size for digest in manifest.files.values())
    stage = f"upload {manifest.version}"
    progress(stage, 0, total)
    send = partial(_send, objects, place, folder)
    largest_first = sorted(manifest.files.items(), key=lambda listed: -listed[1].size)
    for n_bytes in map_ordered(send, largest_first, threads=THREADS, ahead=THREADS):
        done += n_bytes
        progress(stage, done, total)
    for name in (*{CHECKSUM, SIGNATURE}.intersection(list_files(folder)), MANIFEST):
        _send(objects, place, folder, (name, digest_file(folder / name)))
    return Upload(folder=place, manifest=FileDigest.of(content).sha256, size=total, signature=signature_in(folder))


def signature_in(folder: Path) -> str | None:
    """The signature of the version in `folder`, None if it is not signed. Raises OSError."""
    path = folder / SIGNATURE
    return read_plain(path, most=4096).decode("ascii", "replace") if path.exists() else None


def _send(objects: ObjectStore, place: str, folder: Path, listed: tuple[str, FileDigest]) -> int:
    name, expected = listed
    for _ in range(_ATTEMPTS):
        objects.write(f"{place}/{name}", folder / name)
        if (found := _read_back(objects, f"{place}/{name}", expected.size)) == expected.sha256:
            return expected.size
    raise ObjectStoreError(
        f"{objects.path / place / name}: is not what was written: sha256 {found}, expected {expected.sha256}",
        "damaged",
    )


def _read_back(objects: ObjectStore, key: str, size: int) -> str:
    sha256 = hashlib.sha256()
    for start, length in _parts(size):
        sha256.update(objects.read_part(key, start, length))
    return sha256.hexdigest()


def _parts(size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(PIECE_BYTES, size - start)) for start in range(0, size, PIECE_BYTES))
