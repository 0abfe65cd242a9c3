"""A model of the store, in memory, beside the store: every operation must end as the model says."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import recsys.artifacts.files as files
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from torture.scratch import scratch
from torture.versions import seal

_SEEDS = 6


class Stopped(BaseException):
    """The process is stopped in the middle of an operation."""


@dataclass
class Model:
    """What the store must say. `served`: the versions that rollbacks go through, oldest first, the current last."""

    there: set[str] = field(default_factory=set)
    served: list[str] = field(default_factory=list)
    held: str | None = None

    @property
    def current(self) -> str | None:
        """The version that serves."""
        return self.served[-1] if self.served else None

    def publish(self, version: str) -> bool:
        """False if another one is held."""
        if self.held not in (None, version):
            return False
        if self.current != version:
            self.served.append(version)
        return True

    def target(self) -> str | None:
        """Where a rollback goes."""
        return next((version for version in reversed(self.served[:-1]) if version in self.there), None)

    def go_back(self, version: str) -> None:
        """Roll back to `version`."""
        if version in self.served:
            del self.served[len(self.served) - self.served[::-1].index(version) :]
        else:
            self.served.append(version)
        if self.held is not None:
            self.held = version


@dataclass
class Run:
    """One store and its model."""

    store: Path
    rng: random.Random
    model: Model = field(default_factory=Model)
    names: dict[int, str] = field(default_factory=dict)
    n_done: int = 0

    def step(self) -> None:
        """One operation, drawn; then store and model are compared. Raises AssertionError if they differ."""
        often = (self._publish, self._publish, self._publish, self._rollback, self._rollback)
        others = (self._stopped, self._rollback_to, self._hold, self._release, self._prune, self._load)
        operation = self.rng.choice((*often, *others))
        operation()
        self.n_done += 1
        registry = Registry(self.store)
        said = (registry.current(), registry.held(), set(registry.names()))
        expected = (self.model.current, self.model.held, self.model.there)
        if said != expected:
            raise AssertionError(f"after {self.n_done} operations, {operation.__name__}: {said}, expected {expected}")

    def _sealed(self) -> str:
        seed = self.rng.randrange(_SEEDS)
        if self.names.get(seed) not in self.model.there:
            self.names[seed] = seal(self.store, seed=seed, approximate=False)
            self.model.there.add(self.names[seed])
        return self.names[seed]

    def _publish(self) -> None:
        version = self._sealed()
        _same(Registry(self.store).publish(version), self.model.publish(version))

    def _stopped(self) -> None:
        """Publishing is stopped before one of its writes: nothing has changed, or the pointer has moved."""
        version, left = self._sealed(), self.rng.randrange(4)

        def stopping(name: str) -> Any:
            real = getattr(files, name)

            def call(*arguments: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Stopped
                return real(*arguments)

            return patch.object(files, name, call)

        with stopping("write_durably"), stopping("sync"), suppress(Stopped):
            Registry(self.store).publish(version)
        if Registry(self.store).current() == version:
            self.model.publish(version)

    def _rollback(self) -> None:
        target = self.model.target() if self.model.current else None
        _moves(lambda: Registry(self.store).rollback(), target)
        if target is not None:
            self.model.go_back(target)

    def _rollback_to(self) -> None:
        version = self._sealed()
        _moves(lambda: Registry(self.store).rollback(version), version)
        self.model.go_back(version)

    def _hold(self) -> None:
        version = self._sealed()
        _moves(lambda: Registry(self.store).hold(version), version)
        if version != self.model.current:
            self.model.go_back(version)
        self.model.held = version

    def _release(self) -> None:
        with suppress(ArtifactError):
            Registry(self.store).release()
        self.model.held = None

    def _prune(self) -> None:
        safe = {self.model.current, self.model.held, self.model.target() if self.model.current else None}
        removed = set(prune(Registry(self.store), self.rng.randrange(1, 5)).removed)
        if removed & safe or not removed <= self.model.there:
            raise AssertionError(f"pruned {removed}, of which {safe} must stay")
        self.model.there -= removed

    def _load(self) -> None:
        if self.model.current is not None:
            _same(Registry(self.store).load().manifest.version, self.model.current)


def _moves(move: Callable[[], str], target: str | None) -> None:
    """`move` goes to `target`, or is refused if that is None."""
    try:
        found: str | None = move()
    except ArtifactError:
        found = None
    _same(found, target)


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{found}, expected {expected}")


def campaign(n_operations: int, *, seed: int = 1, at_once: int = 500) -> int:
    """Run operations on stores that begin empty, `at_once` each; returns how many. Raises AssertionError."""
    for start in range(0, n_operations, at_once):
        with scratch("oracle") as folder:
            run = Run(Path(folder) / "store", random.Random(f"{seed} {start}"))
            run.store.mkdir()
            for _ in range(min(at_once, n_operations - start)):
                run.step()
    return n_operations
