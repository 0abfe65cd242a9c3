"""Golden questions: a few that a version answered when it was sealed, and must answer alike whenever it is loaded.

They name users by a digest of the id, so that the file tells nothing of people that an id would.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Floats, Indices
from recsys.data.loading import damage_named
from recsys.data.matrix import Csr
from recsys.errors import ArtifactError
from recsys.models.factors.model import FactorRecommender
from recsys.models.recommender import Queries
from recsys.plain_files import read_plain
from recsys.retrieval.topk import TopK

SLACK = 1e-4
"""By how much a score may differ on another processor, as a share of the list's largest score."""

_K, _USERS, _ITEMS, _EVENTS = 10, 4, 3, 3


class Answered(BaseModel):
    """One question with its answer. `of`: a digest of the user's id, the visitor's items, or the item compared.

    `at`: the position of the user or item, None for a visitor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    kind: Literal["user", "visitor", "similar"]
    at: int | None = Field(ge=0)
    of: tuple[str, ...]
    items: tuple[str, ...]
    scores: tuple[float, ...]


class Golden(BaseModel):
    """golden.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: tuple[Answered, ...]

    def save(self, path: Path) -> None:
        """Write the file. Raises OSError."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path) -> "Golden":
        """Read what `save` wrote. Raises ArtifactError if it is damaged."""
        with damage_named(path, "golden questions"):
            return Golden.model_validate_json(read_plain(path))


def ask_golden(contents: Contents) -> Golden:
    """The questions for `contents`, answered by exact search: what the service answers up to rounding."""
    return Golden(answers=(*_users(contents), *_visitor(contents), *_similar(contents)))


def check_golden(golden: Golden, contents: Contents) -> None:
    """Raise ArtifactError unless `contents` answer as they did. Items with nearly equal scores may change places."""
    now = ask_golden(contents).answers
    if len(now) != len(golden.answers):
        raise ArtifactError(f"bundle: {len(golden.answers)} golden questions, expected {len(now)}")
    for sealed, found in zip(golden.answers, now, strict=True):
        if (sealed.kind, sealed.at, sealed.of) != (found.kind, found.at, found.of) or not _alike(sealed, found):
            at = "" if sealed.at is None else f" at position {sealed.at}"
            raise ArtifactError(
                f"bundle: golden question of a {sealed.kind}{at}: answered otherwise than when sealed"
            )


def _alike(sealed: Answered, found: Answered) -> bool:
    if not len(sealed.items) == len(found.items) == len(found.scores) == len(sealed.scores):
        return False
    before, after = np.array(sealed.scores), np.array(found.scores)
    slack = SLACK * max(np.abs(before).max(initial=0), np.finfo(np.float32).tiny)
    if not (np.abs(before - after) <= slack).all():
        return False
    score = dict(zip(sealed.items, sealed.scores, strict=True))
    last = min(sealed.scores, default=0.0)
    return all(abs(score.get(item, last) - now) <= slack for item, now in zip(found.items, found.scores, strict=True))


def _users(contents: Contents) -> Iterator[Answered]:
    rows = _spread(contents.user_vectors, len(contents.users), _USERS)
    if len(rows) == 0:
        return
    trained = None if contents.folds_users else rows
    found = _recommended(contents, Queries(contents.history[rows], trained, contents.left_out[rows]))
    for row, at in enumerate(rows.tolist()):
        yield _answered("user", at, (_digest(contents.users.id_at(at)),), found, row, contents)


def _visitor(contents: Contents) -> Iterator[Answered]:
    """Somebody with a few items of the first user who has that many."""
    rows = _spread(contents.user_vectors, len(contents.users), 1)
    if len(rows) == 0:
        return
    items = contents.history[rows].indices[:_EVENTS].astype(np.int32)
    history = Csr(
        (np.ones(len(items), np.float32), items, np.array([0, len(items)], np.int32)),
        shape=(1, contents.history.shape[1]),
    )
    found = _recommended(contents, Queries(history, None))
    of = tuple(contents.items.ids.decode(items.tolist()))
    yield _answered("visitor", None, of, found, 0, contents)


def _similar(contents: Contents) -> Iterator[Answered]:
    vectors = contents.similar.vectors
    rows = _spread(lambda at: np.asarray(vectors[at]), len(vectors), _ITEMS)
    if len(rows) == 0:
        return
    found = contents.similar.exact.search(np.ascontiguousarray(contents.similar.vectors[rows]), _K)
    for row, at in enumerate(rows.tolist()):
        yield _answered("similar", at, (contents.items.ids.id_at(at),), found, row, contents)


def _recommended(contents: Contents, queries: Queries) -> TopK:
    return FactorRecommender("golden", contents.model, contents.index.exact).recommend(queries, _K)


def _spread(vectors: Callable[[Indices], Floats], n_rows: int, n: int) -> Indices:
    """Up to `n` of `n_rows` rows whose `vectors` are not zero, evenly spread; int32, ascending."""
    rows = np.unique(np.linspace(0, n_rows - 1, min(n_rows, 16 * n)).astype(np.int32))
    known = rows[vectors(rows).any(axis=1)]
    picked: Indices = known[np.unique(np.linspace(0, len(known) - 1, min(len(known), n)).astype(np.int32))]
    return picked


def _answered(
    kind: Literal["user", "visitor", "similar"],
    at: int | None,
    of: tuple[str, ...],
    found: TopK,
    row: int,
    contents: Contents,
) -> Answered:
    indices, scores = found.row(row)
    items = tuple(contents.items.ids.decode(indices.tolist()))
    return Answered(kind=kind, at=at, of=of, items=items, scores=tuple(map(float, scores)))


def _digest(user_id: str) -> str:
    return hashlib.sha256(b"golden:" + user_id.encode()).hexdigest()[:16]
