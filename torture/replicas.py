"""Replicas of an object store that fails: what is in the cache is whole, and is never said to be what it is not.

Each case has a replica with one version, or with nothing, and another version that is published meanwhile. The server
before the object store answers some requests with errors, late, cut short, altered or not at all; the cache's disk is
full, a file of the cache is damaged, or the process is killed. After each look everything is checked.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from recsys.address import Address
from recsys.artifacts.bundle import seal_bundle, verify_bundle
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from recsys.objects import ObjectStore, open_object_store
from recsys.remote import RemotePath
from recsys.replica import Bounds, Replica
from torture.object_versions import let_serve, put_version
from torture.versions import facts, plain_contents

ADDRESS = "s3://shop-data/torture"

FAULTS = ("503", "500", "429", "403", "404", "cut", "altered", "broken", "slow")
"""What happens to a request; see `tests.object_stores.Bucket`."""

_LOOKS = 2
_SECONDS, _PATIENCE = 0.4, 20.0


@dataclass
class Found:
    """What became of the cases. `counts`: by what was done, and how the first look ended."""

    n_tried: int = 0
    n_looks: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@dataclass
class Versions:
    """Two versions in the object store, `old` and `new`; `cached`: a cache that has the old one.

    `published`: when the new one was, UTC seconds.
    """

    objects: ObjectStore
    old: str
    new: str
    cached: Path
    published: float = 0.0

    def publish_new(self) -> None:
        """Let the new version serve."""
        let_serve(self.objects, self.new)
        self.published = time.time()

    def fill(self, folder: Path) -> None:
        """Let the cache `folder` have the old version, as a look brought it."""
        shutil.copytree(self.cached, folder)


def upload(folder: Path) -> Versions:
    """Seal and upload the two versions."""
    objects = open_object_store(RemotePath(Address(ADDRESS)), seconds=5)
    old, new = (seal_bundle(folder, plain_contents(), facts(seed)).version for seed in (1, 2))
    for version in (new, old):
        put_version(objects, folder / "versions" / version)
    Replica(objects, folder / "cached").look()
    return Versions(objects, old, new, folder / "cached")


Plan = Callable[[random.Random], list[str]]
"""The faults of the next requests."""


def faults_of(rng: random.Random) -> list[str]:
    """A few among many requests that are well, or a line that stays broken."""
    kind = rng.choice(FAULTS)
    well = [""] * rng.randrange(40)
    if rng.random() < 0.4:
        return [*well, *[kind] * rng.choice((1, 3, 200 if kind != "slow" else 8))]
    share = rng.choice((0.05, 0.2, 0.6)) if kind != "slow" else 0.05
    return [*well, *(rng.choice(FAULTS[:-1]) if rng.random() < share else "" for _ in range(120))]


def campaign(
    n: int, versions: Versions, faults: list[str], folder: Path, *, n_kills: int = 0, plan: Plan = faults_of
) -> Found:
    """Try `n` cases, and `n_kills` more in which the process is killed. `faults`: those that the server takes."""
    found = Found()
    for number in range(n):
        rng = random.Random(number)
        _case(number, rng, versions, faults, folder / f"case-{number}", found, plan)
    for number in range(n_kills):
        _killed(number, random.Random(number), versions, folder / f"killed-{number}", found)
    return found


def _case(
    number: int,
    rng: random.Random,
    versions: Versions,
    faults: list[str],
    folder: Path,
    found: Found,
    plan: Plan,
) -> None:
    """A replica of the old version, or an empty one, and a new version that comes over a line that fails."""
    faults.clear()
    before = versions.old if rng.random() < 0.7 else None
    if before is not None:
        versions.fill(folder)
    replica = _replica(folder)
    versions.publish_new()
    trouble = rng.choice(("line", "line", "line", "line", "disk", "cache"))
    if trouble == "cache" and before is not None:
        _damage(rng, folder / "versions" / before)
        replica.suspect(before)
    faults.extend(plan(rng) if trouble == "line" else [])
    says_nothing = "404" in faults
    for look in range(_LOOKS):
        with _full_disk(rng) if trouble == "disk" and look == 0 else mock.MagicMock():
            replica.look()
        found.n_looks += 1
        ended = _checked(number, replica, versions, None if trouble == "cache" else before, found, says_nothing)
        if look == 0:
            found.counts[f"{trouble}: {ended}"] += 1
    faults.clear()
    replica = _replica(folder, seconds=_PATIENCE)
    replica.look()
    if _checked(number, replica, versions, before, found) != "followed":
        found.failures.append(f"case {number}: the new version has not come though nothing fails: {replica.status}")
    found.n_tried += 1
    shutil.rmtree(folder, ignore_errors=True)


def _replica(folder: Path, *, seconds: float = _SECONDS) -> Replica:
    objects = open_object_store(RemotePath(Address(ADDRESS)), seconds=seconds).with_pause(0.001)
    return Replica(objects, folder, bounds=Bounds(versions=2))


def _checked(
    number: int,
    replica: Replica,
    versions: Versions,
    before: str | None,
    found: Found,
    says_nothing: bool = False,
) -> str:
    """How the looks stand; failures are noted. `before`: what may serve beside the new version, None for nothing.

    `says_nothing`: the server may say that there is no pointer (404), as of a store before its first publish.
    """
    status, registry = replica.status, Registry(replica.folder)
    followed = status.fault is None and (status.followed_at or 0) >= versions.published
    try:
        current, names = registry.current(), registry.names()
        for version in names:
            verify_bundle(registry.path(version))
    except ArtifactError as error:
        if before is not None or followed:
            found.failures.append(f"case {number}: {error}")
        return "torn"
    if current is not None and current not in names and (before is not None or followed):
        found.failures.append(f"case {number}: CURRENT names {current}, which is not there")
    if current not in (before, versions.old if before is None else before, versions.new):
        found.failures.append(f"case {number}: {current} serves")
    if followed and current != versions.new and not (says_nothing and current is None):
        found.failures.append(f"case {number}: said to be followed, and {current} serves")
    return "followed" if followed else f"told ({status.fault})"


def _damage(rng: random.Random, folder: Path) -> None:
    path = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size))
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.chmod(0o600)
    path.write_bytes(content)


@contextmanager
def _full_disk(rng: random.Random) -> Iterator[None]:
    """The disk refuses from some fsync on."""
    left, sync = rng.randrange(30), os.fsync

    def refuse(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, os.strerror(28))
        sync(descriptor)

    with mock.patch("os.fsync", refuse):
        yield


def _killed(number: int, rng: random.Random, versions: Versions, folder: Path, found: Found) -> None:
    """A process that looks is killed somewhere between its first look and the end of a download."""
    let_serve(versions.objects, versions.old)
    versions.fill(folder)
    with follower([folder], poll=0.0) as (process, lines):
        next(lines)
        time.sleep(rng.random() * 0.25)
        versions.publish_new()
        time.sleep(rng.random() * 0.5)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    replica = _replica(folder, seconds=_PATIENCE)
    left = "in a download" if list(folder.glob(".incoming-*")) else "otherwise"
    versions.published = time.time() + 1  # what the process said before it was killed counts no more
    _checked(number, replica, versions, versions.old, found)
    versions.published = time.time()
    replica.look(wait=_PATIENCE)
    found.counts[f"killed {left}"] += 1
    if _checked(number, replica, versions, versions.old, found) != "followed" or list(folder.glob(".incoming-*")):
        found.failures.append(f"kill {number}: not repaired: {replica.status}")
    found.n_tried += 1
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def follower(folders: list[Path], *, poll: float) -> "Iterator[tuple[subprocess.Popen[str], Iterator[str]]]":
    """Processes that follow into `folders`, one each, `poll` seconds apart; see `torture.followers`."""
    command = [sys.executable, "-m", "torture.followers", ADDRESS, str(poll), *map(str, folders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            yield process, iter(process.stdout)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
