"""Fits of models of other libraries, and their lists.

Nothing of recsys is imported here, and a library only by the function that fits with it: peer_fit.py runs under an
interpreter that has the library, peers.py under one that has recsys.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

PLACES = 20
ROWS_PER_BLOCK = 1000
Settings = Mapping[str, Any]
Lists = NDArray[np.int32]
MakeLists = Callable[[], Lists]
"""A fit returns it, so that fit and lists are timed apart."""


@dataclass(frozen=True, eq=False)
class Part:
    """What a model may see. `train`, `history`: float32 CSR (n, n_items). `user_idx`: int32, the rows of train whose
    histories these are, or None if the users are not in train."""

    train: sp.csr_matrix
    history: sp.csr_matrix
    user_idx: NDArray[np.int32] | None

    @staticmethod
    def load(folder: Path) -> "Part":
        """Read `train.npz`, `history.npz` and, if it is there, `user_idx.npy`."""
        train, history = (sp.csr_matrix(sp.load_npz(folder / f"{name}.npz")) for name in ("train", "history"))
        rows = folder / "user_idx.npy"
        return Part(train, history, np.load(rows) if rows.exists() else None)

    def save(self, folder: Path) -> None:
        """Write what `load` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        sp.save_npz(folder / "train.npz", self.train)
        sp.save_npz(folder / "history.npz", self.history)
        if self.user_idx is not None:
            np.save(folder / "user_idx.npy", self.user_idx)

    def weighted(self, weights: str) -> "Part":
        """The same with log(1 + value) ("log") or 1 ("presence") in place of the values."""
        change = {"log": np.log1p, "presence": np.ones_like}[weights]
        return Part(_with_values(self.train, change), _with_values(self.history, change), self.user_idx)

    def blocks(self) -> Iterator[slice]:
        """The rows of the histories, some at a time."""
        starts = range(0, self.history.shape[0], ROWS_PER_BLOCK)
        return (slice(start, start + ROWS_PER_BLOCK) for start in starts)


def fit_implicit_als(part: Part, settings: Settings) -> MakeLists:
    """implicit's ALS on log(1 + value), as its documentation and most of its users weigh counts."""
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    weighted = part.weighted("log")
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(**settings, random_state=1)
        model.fit(weighted.train, show_progress=False)
    return lambda: _implicit_lists(model, weighted)


def fit_implicit_bm25(part: Part, settings: Settings) -> MakeLists:
    """implicit's item k-NN with BM25. Short lists, which it fills with seen items of score 0, are left short."""
    from implicit.nearest_neighbours import BM25Recommender

    model = BM25Recommender(**settings)
    model.fit(part.weighted("log").train, show_progress=False)
    return lambda: _implicit_lists(model, part, above=0)


def fit_irspack(name: str) -> Callable[[Part, Settings], MakeLists]:
    """The recommender of irspack called `name`, on presence."""

    def fit(part: Part, settings: Settings) -> MakeLists:
        import irspack

        seen = part.weighted("presence")
        model = getattr(irspack, name)(seen.train, **settings).learn()

        def scores(rows: slice) -> NDArray[np.float32]:
            if seen.user_idx is None:
                return model.get_score_cold_user(seen.history[rows])
            return model.get_score(seen.user_idx[rows])

        return lambda: np.concatenate([best(scores(rows), seen.history[rows]) for rows in seen.blocks()])

    return fit


def fit_lenskit(module: str, name: str) -> Callable[[Part, Settings], MakeLists]:
    """LensKit's pipeline of the best n unseen items, with the scorer `module.name`."""

    def fit(part: Part, settings: Settings) -> MakeLists:
        from importlib import import_module

        from lenskit import recommend
        from lenskit.data import ItemList, RecQuery, from_interactions_df
        from lenskit.pipeline import topn_pipeline

        scorer = getattr(import_module(module), name)(**settings)
        pipeline = topn_pipeline(scorer, n=PLACES)
        pipeline.train(from_interactions_df(frame(part.train)))

        def listed(row: int) -> list[int]:
            history = part.history.indices[part.history.indptr[row] : part.history.indptr[row + 1]]
            user = None if part.user_idx is None else int(part.user_idx[row])
            query = RecQuery(user_id=user, history_items=ItemList(item_ids=history.tolist()))
            return list(recommend(pipeline, query).ids())

        return lambda: padded([listed(row) for row in range(part.history.shape[0])])

    return fit


def fit_rectools(make: Callable[..., Any], weights: str) -> Callable[[Part, Settings], MakeLists]:
    """A model of RecTools, which lists only for users that it was trained on: others join its training matrix."""

    def fit(part: Part, settings: Settings) -> MakeLists:
        from rectools.dataset import Dataset
        from threadpoolctl import threadpool_limits

        weighted = part.weighted(weights)
        known = weighted.user_idx is not None
        train = weighted.train if known else sp.vstack([weighted.train, weighted.history], format="csr")
        users = weighted.user_idx if known else np.arange(weighted.train.shape[0], train.shape[0])
        dataset = Dataset.construct(frame(train).rename(columns={"rating": "weight"}).assign(datetime="2020-01-01"))
        model = make(**settings)
        with threadpool_limits(1, "blas"):
            model.fit(dataset)

        def lists() -> Lists:
            answer = model.recommend(users, dataset, k=PLACES, filter_viewed=True)
            by_user = {user: items.tolist() for user, items in answer.groupby("user_id")["item_id"]}
            return padded([by_user.get(user, []) for user in users])

        return lists

    return fit


def rectools_als(**settings: Any) -> Any:
    """RecTools' wrapper of implicit's ALS."""
    from implicit.als import AlternatingLeastSquares
    from rectools.models import ImplicitALSWrapperModel

    return ImplicitALSWrapperModel(AlternatingLeastSquares(**settings, random_state=1))


def rectools_ease(**settings: Any) -> Any:
    """RecTools' EASE."""
    from rectools.models import EASEModel

    return EASEModel(**settings)


def best(scores: NDArray[np.floating[Any]], seen: sp.csr_matrix) -> Lists:
    """int32 (n, PLACES): the items with the best scores, those of the same row of `seen` left out."""
    scores = np.array(scores, dtype=np.float32)
    rows = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    scores[rows, seen.indices] = -np.inf
    top = np.argpartition(-scores, PLACES, axis=1)[:, :PLACES]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1).astype(np.int32)


def padded(lists: list[list[int]]) -> Lists:
    """int32 (n, PLACES), -1 after the last item of a list."""
    answer = np.full((len(lists), PLACES), -1, np.int32)
    for row, items in zip(answer, lists, strict=True):
        row[: len(items)] = items
    return answer


def frame(matrix: sp.csr_matrix) -> Any:
    """One row per entry: user_id, item_id, rating."""
    import pandas as pd

    entries = matrix.tocoo()
    return pd.DataFrame({"user_id": entries.row, "item_id": entries.col, "rating": entries.data})


def _implicit_lists(model: Any, part: Part, above: float = -np.inf) -> Lists:
    """The lists of a model of implicit, of the scores `above`; users who are not in train are folded in."""
    from threadpoolctl import threadpool_limits

    users = np.arange(part.history.shape[0]) if part.user_idx is None else part.user_idx
    options = {"N": PLACES, "recalculate_user": part.user_idx is None}
    with threadpool_limits(1, "blas"):
        blocks = [model.recommend(users[rows], part.history[rows], **options) for rows in part.blocks()]
    lists, scores = (np.concatenate(side) for side in zip(*blocks, strict=True))
    return np.where(scores > above, lists, -1).astype(np.int32)


def _with_values(matrix: sp.csr_matrix, change: Callable[[Any], Any]) -> sp.csr_matrix:
    return sp.csr_matrix((change(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
