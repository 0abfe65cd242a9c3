"""Chunk holdout: the held-out pairs of a chunk of users that can be evaluated, and the histories of these users."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.splits.holdout import Holdout, Places, evaluable, held_out_pairs, relevance, user_places
from recsys.data.splits.split import left_out_items
from recsys.errors import ArtifactError
from recsys.spark.chunk_cut import CutRule, marked
from recsys.spark.event_files import EventChunk, mapped_ids
from recsys.storage import storage_errors

_PARTS = ("indptr", "indices", "data")


@dataclass(frozen=True, eq=False)
class TrainSide:
    """What became of the train side.

    `weights`: of its events, with the time at which decay starts. `users`: npy file of the trained users, positions
    in the log. `columns`: file of the items that are ranked. `column`: int32, where each item of the log is among
    these, valid only for the trained ones, `trained`, bool. `held_items`: where the items of the held-out events are.
    """

    weights: EventWeights
    users: Path
    columns: Path
    column: Indices
    trained: NDArray[np.bool_]
    held_items: Places


@dataclass(frozen=True, eq=False)
class EvaluatedRows:
    """Users to evaluate: `user`, int32 (n,), positions in the log, ascending; the rest float32 CSR (n, n_items).

    `holdout`: 1 where an item is relevant. `seen`: what lists leave out; None if that is `history`.
    """

    user: Indices
    history: Csr
    holdout: Csr
    seen: Csr | None

    def save(self, folder: Path) -> Path:
        """Write one npz file with a name of its own into `folder`."""
        path = folder / f"rows-{uuid4().hex}.npz"
        parts = {"history": self.history, "holdout": self.holdout, "seen": self.seen}
        arrays = {
            f"{name}.{part}": getattr(csr, part) for name, csr in parts.items() if csr is not None for part in _PARTS
        }
        with storage_errors(folder, doing="while held-out users were written"), path.open("wb") as file:
            np.savez(file, user=self.user, n_items=np.int64(self.history.shape[1]), **arrays)
        return path

    @staticmethod
    def load(path: Path) -> "EvaluatedRows":
        """Read what `save` wrote. Raises ArtifactError if the driver does not see it."""
        try:
            with np.load(path, allow_pickle=False) as found:
                arrays = dict(found)
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{path}: not to be read: {error}; compute.scratch has to be a folder that executors and driver share"
            ) from error
        shape = (len(arrays["user"]), int(arrays["n_items"]))
        seen = _csr(arrays, "seen", shape) if "seen.data" in arrays else None
        history, holdout = (_csr(arrays, name, shape) for name in ("history", "holdout"))
        return EvaluatedRows(arrays["user"], history, holdout, seen)


@dataclass(frozen=True, eq=False)
class ChunkHoldout:
    """What is held out of a chunk, in numbers; counts as of `Split`. `evaluated`: bits of its users, packed."""

    first_user: int
    n_users: int
    n_events: int
    n_pairs: int
    n_holders: int
    n_left_pairs: int
    n_left_users: int
    too_few_items: int
    dropped: Mapping[str, int]
    dropped_users: Mapping[str, int]
    evaluated: bytes
    rows: Path | None

    @property
    def evaluated_users(self) -> NDArray[np.int64]:
        """int64: the users who can be evaluated, positions in the log, ascending."""
        bits = np.unpackbits(np.frombuffer(self.evaluated, np.uint8), count=self.n_users)
        return np.flatnonzero(bits) + self.first_user


def hold_out(
    chunk: EventChunk, rule: CutRule, side: TrainSide, *, sampled: Path | None, into: Path | None
) -> ChunkHoldout:
    """Find the pairs that can be evaluated. `sampled`: npy file of the users to evaluate, int32; None for all.

    `into`: folder for the rows of the users; None to count alone.
    """
    cut = rule.cut(chunk)
    source = cut.train if cut.history is None else cut.history
    trained = marked(side.users, chunk) if rule.trains_on_evaluated else np.ones(len(chunk.events.users), np.bool_)
    histories = _histories(source, trained, side)
    seen = left_out_items(source, histories, rule.evaluate, side.weights)
    whole = held_out_pairs(cut)
    left = evaluable(
        whole,
        users=user_places(cut, histories),
        items=side.held_items,
        left_out=histories.csr if seen is None else seen,
        trained=rule.trains_on_evaluated,
    )
    if sampled is not None:
        left = left.keep(marked(sampled, chunk)[left.pairs.user_idx], "sampled_out")
    rows = None if into is None else _rows(chunk, left, histories.csr, seen).save(into)
    return ChunkHoldout(
        first_user=chunk.first_user,
        n_users=len(chunk.events.users),
        n_events=len(cut.holdout),
        n_pairs=len(whole.pairs),
        n_holders=len(whole.users),
        n_left_pairs=len(left.pairs),
        n_left_users=len(left.users),
        too_few_items=cut.too_few_items,
        dropped=left.dropped,
        dropped_users=left.dropped_users,
        evaluated=_bits(left, len(chunk.events.users)),
        rows=rows,
    )


def _histories(events: Interactions, trained: NDArray[np.bool_], side: TrainSide) -> InteractionMatrix:
    """What the model knows of each user of the chunk: their rows of the training matrix, empty for the others."""
    pairs = side.weights.merge(events)
    pairs = pairs.select((pairs.weight > 0) & side.trained[pairs.item_idx] & trained[pairs.user_idx])
    items = mapped_ids(side.columns)
    indptr = np.append(0, np.cumsum(np.bincount(pairs.user_idx, minlength=len(events.users)))).astype(np.int32)
    shape = (len(events.users), len(items))
    return InteractionMatrix(
        events.users, items, Csr((pairs.weight, side.column[pairs.item_idx], indptr), shape=shape)
    )


def _rows(chunk: EventChunk, left: Holdout, history: Csr, seen: Csr | None) -> EvaluatedRows:
    return EvaluatedRows(
        user=left.users + np.int32(chunk.first_user),
        history=history[left.users],
        holdout=relevance(left, history.shape[1]),
        seen=None if seen is None else seen[left.users],
    )


def _bits(left: Holdout, n_users: int) -> bytes:
    marks = np.zeros(n_users, np.bool_)
    marks[left.users] = True
    return np.packbits(marks).tobytes()


def _csr(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, int]) -> Csr:
    indptr, indices, data = (arrays[f"{name}.{part}"] for part in _PARTS)
    return Csr((data, indices, indptr), shape=shape)
