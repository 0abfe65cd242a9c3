"""Bundle: one version, sealed into a folder that never changes, verified each time it is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from recsys.artifacts.contents import (
    FOLDED_USERS,
    PARSED_FROM_BYTES,
    USER_VECTORS,
    USERS,
    Contents,
    load_contents,
    save_contents,
)
from recsys.artifacts.files import (
    FileDigest,
    check_names,
    digest_file,
    list_files,
    make_durable_folder,
    protect,
    sync,
    sync_tree,
    verify_files,
)
from recsys.artifacts.golden import Golden, ask_golden, check_golden
from recsys.artifacts.lock import exclusive
from recsys.artifacts.manifest import (
    CHECKSUM,
    GOLDEN,
    MANIFEST,
    RECORD,
    SIGNATURE,
    Manifest,
    VersionFacts,
    new_manifest,
    read_manifest,
    users_of,
    write_manifest,
)
from recsys.artifacts.room import check_room
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.soundness import check_sound
from recsys.artifacts.staging import SEAL_LOCK, staging
from recsys.artifacts.staging import VERSIONS as VERSIONS
from recsys.config.serve import Users
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named
from recsys.errors import ArtifactError
from recsys.evaluation.record import Record
from recsys.plain_files import map_plain
from recsys.storage import reason


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(Contents):
    """The contents of one version, and the manifest that describes them."""

    manifest: Manifest

    def __repr__(self) -> str:
        return (
            f"Bundle({self.manifest.version!r}, {len(self.users):,} users, {len(self.items.ids):,} items,"
            f" {self.model.embeddings.factors} factors, index {self.index.kind})"
        )


_NOTHING: frozenset[str] = frozenset()

Pages = Callable[[str], Mapping[str, str]]
"""The texts of a version's report, by the names of REPORTS, given the version's name."""


def seal_bundle(
    store: Path,
    contents: Contents,
    facts: VersionFacts,
    *,
    record: Record | None = None,
    pages: Pages | None = None,
    key: SigningKey | None = None,
    of: Manifest | None = None,
    wait_seconds: float = 0.0,
) -> Manifest:
    """Write a version below `store`; it serves after it is published.

    `facts`: for the manifest; the index's kind is added to `facts.index`. `record`: how the version was evaluated, so
    that the next one can be compared with it. `pages`: its report. The version appears in one rename, complete and
    synced to disk, or not at all. Its name follows from its files (except map, record and report), `config` and
    `log`: sealing the same again verifies the existing folder and changes nothing. `key`: signs the manifest. `of`:
    the manifest of the version that this one is made from, whose date it keeps. `wait_seconds`: how long it waits for
    another process that seals. The files are readable for those who may read the folder `store`, and a store that is
    made here is its owner's alone. Raises ArtifactError if another process is sealing, the version does not fit on
    the disk, or the disk refuses.
    """
    facts = replace(facts, index={"kind": contents.index.kind, **facts.index})
    versions = store / VERSIONS
    try:
        make_durable_folder(versions)
        check_room(contents, versions)
        with exclusive(store / SEAL_LOCK, doing="sealing a version", wait=wait_seconds), staging(versions) as folder:
            save_contents(contents, folder)
            ask_golden(contents).save(folder / GOLDEN)
            if record is not None:
                record.save(folder / RECORD)
            return _commit(folder, _with_pages(new_manifest(_digests(folder), facts, of=of), pages, folder), key)
    except OSError as error:
        raise ArtifactError(f"{versions}: the version could not be written: {reason(error, store)}") from error


def _with_pages(manifest: Manifest, pages: Pages | None, folder: Path) -> Manifest:
    """Write the pages into `folder`; the manifest lists them too."""
    if pages is None:
        return manifest
    written = {name: text.encode() for name, text in pages(manifest.version).items()}
    for name, content in written.items():
        (folder / name).write_bytes(content)
    digests = {name: FileDigest.of(content) for name, content in written.items()}
    return manifest.model_copy(update={"files": {**manifest.files, **digests}})


def load_bundle(folder: Path, key: SigningKey | None = None, *, users: Users | None = "stored") -> Bundle:
    """Verify every file of a version, then load it. `folder` is named after the version. `key`: it must be signed so.

    `users`: with "fold_in" the file of the users' vectors is neither opened nor verified, and may be missing; None:
    as the configuration of the version says (`serve.users`).

    All files are verified before any is parsed: the index is parsed from the bytes that were hashed, arrays are
    mapped from files that are read-only since they were sealed. What was loaded must be sound (`check_sound`), and
    answer the golden questions as it did when it was sealed. Raises ArtifactError naming the file or the part that is
    damaged, missing or unknown, what was found and what was expected.
    """
    manifest, verified = _verify(folder, keep=PARSED_FROM_BYTES, key=key, users=users)
    with damage_named(folder, "a version"):
        contents = load_contents(folder, verified, folds_users=unneeded_files(manifest, users) != _NOTHING)
        check_sound(contents, manifest)
        if GOLDEN in manifest.files:
            check_golden(Golden.load(folder / GOLDEN), contents)
    return Bundle(manifest=manifest, **vars(contents))


def load_as_verified(folder: Path) -> Bundle:
    """Load a version that another process of the same job has just verified: its files are not hashed again.

    Raises ArtifactError if a part is missing or does not fit the others.
    """
    with damage_named(folder, "a version"):
        there = [name for name in PARSED_FROM_BYTES if (folder / name).exists()]
        contents = load_contents(folder, {name: map_plain(folder / name) for name in there})
    return Bundle(manifest=read_manifest(folder), **vars(contents))


def read_record(folder: Path) -> tuple[Manifest, Record | None]:
    """A version's manifest and its evaluation record, only that file verified; None if the version has none.

    Raises ArtifactError as `load_bundle` does.
    """
    manifest = read_manifest(folder)
    content = _verified_file(folder, RECORD, manifest)
    return manifest, None if content is None else Record.from_bytes(content)


def read_users(folder: Path) -> IdMap:
    """The users of a version, only that file verified. Raises ArtifactError as `load_bundle` does."""
    manifest = read_manifest(folder)
    if _verified_file(folder, USERS, manifest) is None:
        raise ArtifactError(f"{folder / USERS}: is not in the manifest")
    return IdMap.load(folder / USERS)


def read_folded_users(folder: Path) -> IdMap | None:
    """The users who are folded in, only that file verified; None if there are none. Raises as `load_bundle` does."""
    if _verified_file(folder, FOLDED_USERS, read_manifest(folder)) is None:
        return None
    return IdMap.load(folder / FOLDED_USERS)


def read_report(folder: Path, name: str) -> str | None:
    """One page of a version's report, only that file verified; None if the version has none. `name`: of REPORTS.

    Raises ArtifactError as `load_bundle` does.
    """
    content = _verified_file(folder, name, read_manifest(folder))
    return None if content is None else content.decode()


def _verified_file(folder: Path, name: str, manifest: Manifest) -> bytes | None:
    if name not in manifest.files:
        return None
    try:
        return bytes(verify_files(folder, {name: manifest.files[name]}, keep=frozenset({name}))[name])
    except OSError as error:
        raise ArtifactError(f"{folder / name}: cannot be read: {error.strerror}") from error


def verify_bundle(folder: Path, key: SigningKey | None = None, *, users: Users | None = "stored") -> Manifest:
    """Check every file of a version against its manifest. Arguments and errors are those of `load_bundle`."""
    return _verify(folder, keep=frozenset(), key=key, users=users)[0]


def unneeded_files(manifest: Manifest, users: Users | None) -> frozenset[str]:
    """The files of a version that `load_bundle` does without."""
    return frozenset({USER_VECTORS}) if (users or users_of(manifest)) == "fold_in" else _NOTHING


def _verify(
    folder: Path, *, keep: frozenset[str], key: SigningKey | None = None, users: Users | None = "stored"
) -> tuple[Manifest, dict[str, memoryview]]:
    if not folder.is_dir() or folder.is_symlink():
        raise ArtifactError(f"{folder}: there is no such version")
    manifest = read_manifest(folder, check=None if key is None else key.check)
    try:
        signature = {SIGNATURE} if (folder / SIGNATURE).exists() else set()
        unneeded = unneeded_files(manifest, users)
        check_names(folder, {*manifest.files, MANIFEST, CHECKSUM, *signature}, may_lack=unneeded)
        needed = {name: digest for name, digest in manifest.files.items() if name not in unneeded}
        return manifest, verify_files(folder, needed, keep=keep)
    except OSError as error:
        raise ArtifactError(f"{error.filename or folder}: cannot be read: {error.strerror}") from error


def _digests(folder: Path) -> dict[str, FileDigest]:
    return {name: digest_file(folder / name) for name in list_files(folder)}


def _commit(folder: Path, manifest: Manifest, key: SigningKey | None) -> Manifest:
    target = folder.with_name(manifest.version)
    if target.exists():
        manifest, _ = _verify(target, keep=frozenset(), key=key)
    else:
        write_manifest(manifest, folder)
        if key is not None:
            key.sign(folder)
        protect(folder, like=target.parent.parent)
        sync_tree(folder)
        folder.rename(target)
    sync(target.parent)
    return manifest
