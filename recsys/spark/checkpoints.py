"""Checkpoints: how far a fit on blocks has come, so that a driver that was killed goes on when it is run again."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recsys.data.arrays import Doubles
from recsys.errors import ArtifactError
from recsys.spark.stored_vectors import StoredVectors

log = logging.getLogger(__name__)

_STATE, _TURNS = "state.json", "turns.npz"


@dataclass(frozen=True, eq=False)
class Turned:
    """Vectors as they are stored, and the turn, float64 (d, d), into the basis that the fit has come to."""

    vectors: StoredVectors
    turn: Doubles


@dataclass(frozen=True, eq=False)
class State:
    """A fit after `iteration` iterations.

    `basis`: float64 (d, d), from the basis that the fit started in to that of the turned vectors.
    """

    iteration: int
    users: Turned
    items: Turned
    basis: Doubles
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Checkpoints:
    """The states of one fit in `folder`, of which the last whole one is kept.

    `identity`: a hash of the matrix and of the settings. A state of another fit is removed, never used.
    """

    folder: Path
    identity: str

    def of(self, iteration: int) -> Path:
        """The folder of the state after `iteration`, where its vectors are written before it is whole."""
        return self.folder / f"iteration-{iteration:05d}"

    def save(self, state: State) -> None:
        """Say that the state is whole, and remove those before it, but for vectors that it uses."""
        folder = self.of(state.iteration)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / _TURNS, users=state.users.turn, items=state.items.turn, basis=state.basis)
        told = {
            "identity": self.identity,
            "iteration": state.iteration,
            "losses": state.losses,
            **{name: _told(getattr(state, name).vectors, self.folder) for name in ("users", "items")},
        }
        fresh = folder / f".{_STATE}"
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.rename(folder / _STATE)
        self._remove_all_but(state.iteration)

    def last(self, most: int) -> State | None:
        """The last whole state of this fit, of up to `most` iterations; None if there is none."""
        for path in sorted(self.folder.glob("iteration-*"), reverse=True):
            if (state := self._read(path)) is not None and state.iteration <= most:
                log.info("als: goes on after iteration %d, which an earlier run came to", state.iteration)
                return state
        return None

    def clear(self) -> None:
        """Remove all states."""
        for path in self.folder.glob("iteration-*"):
            shutil.rmtree(path, ignore_errors=True)

    @staticmethod
    @contextmanager
    def damaged_go(folder: Path) -> Iterator[None]:
        """Remove all states in `folder` if the block finds a file damaged, so that the next run begins anew."""
        try:
            yield
        except ArtifactError:
            Checkpoints(folder, "").clear()
            raise

    def _read(self, path: Path) -> State | None:
        try:
            told = json.loads((path / _STATE).read_text(encoding="utf-8"))
            if told["identity"] != self.identity:
                return None
            with np.load(path / _TURNS, allow_pickle=False) as turns:
                users, items = (
                    Turned(_stored(told[name], self.folder), np.asarray(turns[name], np.float64))
                    for name in ("users", "items")
                )
                return State(told["iteration"], users, items, turns["basis"], tuple(told["losses"]))
        except (ArtifactError, OSError, ValueError, KeyError, TypeError):  # not whole: a kill came first
            return None

    def _remove_all_but(self, iteration: int) -> None:
        for path in self.folder.glob("iteration-*"):
            if path != self.of(iteration):
                shutil.rmtree(path, ignore_errors=True)


def _told(vectors: StoredVectors, folder: Path) -> dict[str, object]:
    return {**asdict(vectors), "folder": str(vectors.folder.relative_to(folder))}


def _stored(told: dict[str, object], folder: Path) -> StoredVectors:
    found = StoredVectors(folder / str(told["folder"]), int(str(told["factors"])))
    if not found.places:
        raise ValueError("no vectors")
    return found
