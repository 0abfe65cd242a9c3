"""Power loss: what publishing does to the disk is recorded, and every loss that a disk may legally suffer is tried.

A disk keeps what was synced: the bytes of a file as of its last fsync, the entries of a folder as of the folder's.
What came later may be kept or lost, each change by itself: a file's bytes, a new entry, a rename, a removal. After a
loss at any moment the store must serve the old version or the new one, whole, and publishing must go on.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from torture.scratch import scratch
from torture.versions import seal


@dataclass(frozen=True)
class Change:
    """One thing that happened to the disk: `what` to `path`.

    "sync" of a file has its `content`, "sync" of a folder None; "rename" goes to `target`; "make" and "remove" are of
    folders and files alike. A file's creation is seen when it is first synced or renamed.
    """

    what: str
    path: Path
    target: Path | None = None
    content: bytes | None = None


@contextmanager
def recorded(changes: list[Change], *, without_sync: Callable[[Path], bool] = lambda path: False) -> Iterator[None]:
    """Record what this process does to the disk by Python's `os`. `without_sync`: paths that are not synced."""

    def after(name: str, note: Callable[..., Change]) -> Any:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            if not options:  # those with dir_fd are of shutil.rmtree, within a folder that goes as a whole
                changes.append(note(*arguments))
            return result

        return patch.object(os, name, call)

    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if without_sync(path):
            return
        real_fsync(descriptor)
        changes.append(Change("sync", path, content=None if path.is_dir() else path.read_bytes()))

    with ExitStack() as stack:
        stack.enter_context(patch.object(os, "fsync", fsync))
        for name in ("rename", "replace"):
            stack.enter_context(after(name, lambda old, new: Change("rename", Path(old), Path(new))))
        stack.enter_context(after("mkdir", lambda path, *mode: Change("make", Path(path))))
        for name in ("unlink", "rmdir"):
            stack.enter_context(after(name, lambda path: Change("remove", Path(path))))
        yield


@dataclass
class Disk:
    """What is surely on the disk, and what may be: files by path, with their bytes, None for a folder."""

    kept: dict[Path, bytes | None] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    @staticmethod
    def of(folder: Path) -> "Disk":
        """A disk that holds `folder` as it is, all of it synced."""
        return Disk({path: None if path.is_dir() else path.read_bytes() for path in (folder, *folder.rglob("*"))})

    def do(self, change: Change) -> None:
        """A change happens; a sync makes those before it sure that it is about."""
        if change.what != "sync":
            self.pending.append(change)
        elif change.content is not None:
            self.pending.append(Change("content", change.path, content=change.content))
        else:
            self._sync_folder(change.path)

    def _sync_folder(self, folder: Path) -> None:
        for change in [*self.pending]:
            if change.path.parent == folder or (change.target is not None and change.target.parent == folder):
                _apply(change, self.kept)
                self.pending.remove(change)

    def after_loss(self, keeps: Callable[[Change], bool]) -> dict[Path, bytes | None]:
        """The disk with those of the pending changes that `keeps` says, in their order."""
        files, nameless = dict(self.kept), dict[Path, bytes]()
        for change in self.pending:
            if keeps(change):
                _apply(change, files)
                if change.target is not None and change.path in nameless:
                    files[change.target] = nameless[change.path]  # synced bytes come with any name that is kept
            elif change.content is not None:
                nameless[change.path] = change.content
        return files


def _apply(change: Change, files: dict[Path, bytes | None]) -> None:
    if change.what == "make":
        files.setdefault(change.path, None)
    elif change.what == "content":
        files[change.path] = change.content
    elif change.what == "remove":
        for path in [path for path in files if path == change.path or change.path in path.parents]:
            del files[path]
    elif change.target is not None:
        moved = [path for path in files if path == change.path or change.path in path.parents]
        for path in [path for path in files if path == change.target]:
            del files[path]
        if not moved:  # the file was never synced: its name may be kept, its bytes are not
            files[change.target] = b""
        for path in moved:
            files[change.target / path.relative_to(change.path)] = files.pop(path)


@dataclass
class Losses:
    """How many losses were tried, and what was wrong after some of them."""

    n_tried: int = 0
    failures: list[str] = field(default_factory=list)


def campaign(n_losses: int, *, seed: int = 1, without_sync: Callable[[Path], bool] = lambda path: False) -> Losses:
    """Publish once, recorded, and try `n_losses` losses, at moments and of changes that are drawn."""
    with scratch("power") as folder:
        store, replay = Path(folder).resolve() / "store", Path(folder).resolve() / "replay"
        old = seal(store, seed=1, approximate=False)
        Registry(store).publish(old)
        before, changes = Disk.of(store), list[Change]()
        with recorded(changes, without_sync=without_sync):
            new = seal(store, seed=2, approximate=False)
            Registry(store).publish(new)
        return _try(before, changes, store, replay, old=old, new=new, n_losses=n_losses, rng=random.Random(seed))


def _try(
    before: Disk,
    changes: list[Change],
    store: Path,
    replay: Path,
    *,
    old: str,
    new: str,
    n_losses: int,
    rng: random.Random,
) -> Losses:
    found = Losses()
    for at in range(n_losses):
        cut = len(changes) if at == 0 else rng.randrange(len(changes) + 1)
        share = 0.0 if at == 0 else rng.choice((0.0, 0.5, 1.0))  # the first loses all that may be lost, at the end
        disk = Disk(dict(before.kept))
        for change in changes[:cut]:
            disk.do(change)
        files = disk.after_loss(lambda change, share=share: rng.random() < share)  # type: ignore[misc]
        found.n_tried += 1
        if fault := _fault_of(files, store, replay, old=old, new=new, is_done=at == 0):
            found.failures.append(f"loss {at} after {cut} of {len(changes)} changes: {fault}")
    return found


def _fault_of(
    files: dict[Path, bytes | None], store: Path, replay: Path, *, old: str, new: str, is_done: bool
) -> str | None:
    """What is wrong with a store of these files; None if it serves the old version or the new one and goes on."""
    shutil.rmtree(replay, ignore_errors=True)
    for path in sorted(files):
        target, content = replay / path.relative_to(store), files[path]
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    registry = Registry(replay)
    try:
        serving = registry.load().manifest.version
        if serving not in ((new,) if is_done else (old, new)):
            return f"{serving} serves"
        registry.history()
        if serving == new:
            registry.rollback()
        else:
            registry.publish(seal(replay, seed=2, approximate=False))
    except ArtifactError as error:
        return str(error)
    return None
