"""A store in an object store, over a network that fails: nothing torn, nothing falsely done, no version lost.

Two machines publish, roll back, hold, prune and load versions of one store on a server on loopback, through a
proxy that refuses, cuts, alters, delays and breaks requests, before and after they were done. After each case the
store is read without faults and compared with what the case said it did.
"""

import itertools
import random
import secrets
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recsys.address import Address
from recsys.artifacts.bucket import Pointer, read_pointer
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.bundle import VERSIONS, load_bundle
from recsys.artifacts.history import HistoryEntry, parse_history
from recsys.artifacts.manifest import read_manifest
from recsys.artifacts.pruning import prune
from recsys.artifacts.tombstones import add_tombstones
from recsys.errors import ArtifactError, SupersededError
from recsys.objects import ObjectStore, open_object_store
from recsys.remote import RemotePath
from tests.object_stores import Bucket
from torture.clouds import AMAZON, Cloud
from torture.versions import seal

READ_FAULTS = ("503", "500", "429", "cut", "broken", "lost", "altered", "slow")
WRITE_FAULTS = ("503", "500", "429", "broken", "lost", "slow")

_SECONDS, _SLOW, _PATIENCE = 1.5, 1.8, 30.0
_SLOW_SHARE = 0.1
_LOADED_EVERY = 5
_UNKNOWN = "is not known"


@dataclass
class Found:
    """`n_tried` cases, by what was done and how it ended; `faults` that were met; `failures` in sentences."""

    n_tried: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def campaign(
    n_cases: int, bucket: Bucket, behind: str, *, cloud: Cloud = AMAZON, seed: int = 1, n_versions: int = 5
) -> Found:
    """Try `n_cases` in one store, each on what the ones before it left. `behind`: the server's own address."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="recsys-objects-") as at:
        bucket.slow_seconds = _SLOW
        walk = _Walk(bucket, _opener(cloud), behind, Path(at), random.Random(seed), n_versions)
        for number in range(n_cases):
            found.n_tried += 1
            ending, problems = walk.case(found.faults)
            found.endings[ending] += 1
            found.failures += [f"case {number} of seed {seed}, {ending}: {problem}" for problem in problems]
    return found


Open = Callable[[str, float], ObjectStore]
"""open(endpoint, seconds): the store behind it, whose requests last so long at most."""


def _opener(cloud: Cloud) -> Open:
    folder = f"store-{secrets.token_hex(4)}"  # an empty one

    def opened(endpoint: str, seconds: float) -> ObjectStore:
        path = RemotePath(Address(cloud.address(endpoint, folder)))
        return open_object_store(path, seconds=seconds).with_pause(0.002)

    return opened


class _Walk:
    def __init__(
        self, bucket: Bucket, opened: Open, behind: str, folder: Path, rng: random.Random, n_versions: int
    ) -> None:
        self._bucket, self._folder, self._rng = bucket, folder, rng
        self._open = opened
        self._clean = opened(behind, _PATIENCE)
        faulty = opened(bucket.endpoint, _SECONDS)
        self._sealed = folder / "sealed"
        self._names = [seal(self._sealed, seed=at, approximate=False) for at in range(n_versions)]
        self._machines = [BucketRegistry(faulty, folder / f"machine-{at}") for at in range(2)]
        self._fresh = folder / "fresh"
        self._loaded, self._n_cases = "", 0

    def case(self, met: Counter[str]) -> tuple[str, list[str]]:
        """Do one thing under faults; what it was and how it ended, and what is wrong with the store since."""
        name, work = self._rng.choice(
            [
                ("publish", self._publish),
                ("publish", self._publish),
                ("race", self._race),
                ("race", self._race),
                ("rollback", self._roll_back),
                ("hold", self._hold),
                ("release", self._release),
                ("prune", self._prune),
                ("forget", self._forget),
                ("load", self._load),
            ]
        )
        before = read_pointer(self._clean).pointer
        try:
            work_problems, ending = work(before, met)
        finally:
            self._bucket.faults, self._bucket.write_faults = [], []
        after = read_pointer(self._clean).pointer
        return f"{name}: {ending}", [*work_problems, *self._wrong(before, after)]

    def _with_faults(self, met: Counter[str]) -> None:
        """From now on some of the next requests fail; seldom so many that the request is given up."""
        share = self._rng.choice((0.0, 0.05, 0.2, 0.5, 0.9))
        n_clean = self._rng.choice((0, 0, 1, 2, 5, 20, 60))
        for faults, kinds in ((self._bucket.faults, READ_FAULTS), (self._bucket.write_faults, WRITE_FAULTS)):
            chosen = [self._rng.choice(kinds) if self._rng.random() < share else "" for _ in range(30)]
            slow = [at for at, fault in enumerate(chosen) if fault == "slow"]
            for at in slow[1:] if self._rng.random() < _SLOW_SHARE else slow:  # each takes a timeout
                chosen[at] = "503"
            met.update(fault for fault in chosen if fault)
            faults[:] = [""] * n_clean + chosen

    def _attempt(self, met: Counter[str], work: Callable[[], object]) -> tuple[object, ArtifactError | None]:
        self._with_faults(met)
        try:
            return work(), None
        except ArtifactError as error:
            return None, error
        finally:
            self._bucket.faults, self._bucket.write_faults = [], []

    def _seal_on(self, machine: BucketRegistry, version: str) -> None:
        target = machine.store / VERSIONS / version
        if not target.exists():
            shutil.copytree(self._sealed / VERSIONS / version, target)

    def _moved(
        self, before: Pointer, error: ArtifactError | None, *, expected: str | None, ending: str = "done"
    ) -> tuple[list[str], str]:
        """Judge one move of the pointer to `expected`; None: it must stay."""
        after = read_pointer(self._clean).pointer
        n_new = len(_history(after)) - len(_history(before))
        if error is None:
            wrong = after.serving != (expected or before.serving) or n_new != (expected is not None)
            told = f"reported done, {after.serving} serves, expected {expected}; {n_new} new lines"
            return ([told] if wrong else []), ending
        if _UNKNOWN in str(error):
            return ([] if n_new in (0, 1) else [f"{n_new} new lines"]), "not known"
        wrong = n_new != 0 or after.serving != before.serving
        return ([f"reported as not done ({error}), but it was"] if wrong else []), type(error).__name__

    def _publish(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        machine, version = self._rng.choice(self._machines), self._rng.choice(self._names)
        self._seal_on(machine, version)
        result, error = self._attempt(met, lambda: machine.publish(version, parent=before.serving))
        if error is None and result is False:
            return self._moved(before, None, expected=None, ending="held")
        return self._moved(before, error, expected=version)

    def _race(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        versions = self._rng.sample([name for name in self._names if name != before.serving], 2)
        for machine, version in zip(self._machines, versions, strict=True):
            self._seal_on(machine, version)
        won: list[str] = []
        lost: list[ArtifactError] = []

        def publish(machine: BucketRegistry, version: str) -> None:
            try:
                if machine.publish(version, parent=before.serving):
                    won.append(version)
            except ArtifactError as error:
                lost.append(error)

        self._with_faults(met)
        threads = [threading.Thread(target=publish, args=pair) for pair in zip(self._machines, versions, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._judge_race(before, won, lost)

    def _judge_race(self, before: Pointer, won: list[str], lost: list[ArtifactError]) -> tuple[list[str], str]:
        after = read_pointer(self._clean).pointer
        if "HOLD" in before.files:
            return ([f"{won} won against a hold"] if won else []), "held"
        problems = []
        n_new = len(_history(after)) - len(_history(before))
        unsure = [error for error in lost if _UNKNOWN in str(error)]
        if len(won) > 1 or n_new > 1:
            problems.append(f"{len(won)} won, {n_new} new lines")
        if won and after.serving != won[0]:
            problems.append(f"{won[0]} won, but {after.serving} serves")
        if not won and not unsure and n_new:
            problems.append(f"nobody won, but {after.serving} serves: {lost}")
        if any(isinstance(error, SupersededError) for error in lost) and not (won or unsure or n_new):
            problems.append(f"superseded by nobody: {lost}")
        return problems, f"{len(won)} won, {', '.join(sorted(type(error).__name__ for error in lost)) or 'no error'}"

    def _roll_back(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        machine = self._rng.choice(self._machines)
        result, error = self._attempt(met, machine.rollback)
        return self._moved(before, error, expected=None if result is None else str(result))

    def _hold(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        machine = self._rng.choice(self._machines)
        _, error = self._attempt(met, lambda: machine.hold(before.serving, reason=str(self._rng.random())))
        after = read_pointer(self._clean).pointer
        wrong = error is None and (after.serving != before.serving or "HOLD" not in after.files)
        return (["reported as held"] if wrong else []), "done" if error is None else type(error).__name__

    def _release(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        _, error = self._attempt(met, self._rng.choice(self._machines).release)
        wrong = error is None and "HOLD" in read_pointer(self._clean).pointer.files
        return (["reported as released"] if wrong else []), "done" if error is None else type(error).__name__

    def _prune(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        machine, keep = self._rng.choice(self._machines), self._rng.choice((1, 2))
        result, error = self._attempt(met, lambda: prune(machine, keep))
        after = read_pointer(self._clean).pointer
        wrong = [] if error is not None else [name for name in result.removed if name in after.versions]  # type: ignore[attr-defined]
        return [f"{name} was not removed" for name in wrong], "done" if error is None else type(error).__name__

    def _forget(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        machine = self._rng.choice(self._machines)
        _, error = self._attempt(met, lambda: add_tombstones(machine, [], [f"session {self._rng.random()}"]))
        n_new = _lines(read_pointer(self._clean).pointer, "FORGOTTEN") - _lines(before, "FORGOTTEN")
        expected = (1, 2) if error is None else (0, 1, 2) if _UNKNOWN in str(error) else (0,)
        return ([] if n_new in expected else [f"{n_new} tombstones, {error}"]), (
            "done" if error is None else type(error).__name__
        )

    def _load(self, before: Pointer, met: Counter[str]) -> tuple[list[str], str]:
        """A machine that has nothing loads the version that serves."""
        shutil.rmtree(self._fresh, ignore_errors=True)
        faulty = self._open(self._bucket.endpoint, _SECONDS)
        if before.serving is None:
            return [], "nothing serves"
        _, error = self._attempt(met, lambda: BucketRegistry(faulty, self._fresh).load())
        folder = self._fresh / VERSIONS / before.serving
        if error is None:
            return [], "done"
        if folder.exists():  # one that was visible must be whole, whatever failed afterwards
            load_bundle(folder)
        return [], type(error).__name__

    def _wrong(self, before: Pointer, after: Pointer) -> Iterator[str]:
        """What is wrong with the store, read without faults."""
        history = _history(after)
        for earlier, later in itertools.pairwise(history):
            if later.previous != earlier.version:
                yield f"HISTORY: {later.version} came after {earlier.version}, and says {later.previous}"
        if (history[-1].version if history else None) != after.serving:
            yield f"CURRENT is {after.serving}, and HISTORY ends with {history[-1:]}"
        if history[: len(_history(before))] != _history(before):
            yield "HISTORY lost lines"
        if before.serving is not None and before.serving not in after.versions:
            yield f"{before.serving}, which served, is gone"
        for version, upload in after.versions.items():
            yield from self._torn(version, upload.folder)
        self._n_cases += 1
        served = None if after.serving is None else after.versions[after.serving].folder
        if served is not None and (served != self._loaded or self._n_cases % _LOADED_EVERY == 0):
            self._loaded = served
            yield from self._damaged(after.serving or "")

    def _torn(self, version: str, folder: str) -> Iterator[str]:
        """Whether objects of a version are missing or of another length."""
        manifest = read_manifest(self._sealed / VERSIONS / version)
        sizes = {each.key.removeprefix(f"{folder}/"): each.size for each in self._clean.list(folder)}
        for name, digest in manifest.files.items():
            if sizes.get(name) != digest.size:
                yield f"{version}: {name} has {sizes.get(name)} bytes, expected {digest.size}"

    def _damaged(self, version: str) -> Iterator[str]:
        shutil.rmtree(self._fresh, ignore_errors=True)
        try:
            load_bundle(BucketRegistry(self._clean, self._fresh).path(version))
        except ArtifactError as error:
            yield f"{version}, which serves, cannot be loaded: {error}"


def _history(pointer: Pointer) -> list[HistoryEntry]:
    return parse_history(Path("HISTORY"), pointer.files.get("HISTORY", ""))


def _lines(pointer: Pointer, name: str) -> int:
    return pointer.files.get(name, "").count("\n")
