"""Cohort: who was evaluated and on what, kept beside the figures so that a report can slice and show them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.data.arrays import Indices, read_only
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, load_csr, save_csr
from recsys.data.splits.split import Split
from recsys.errors import ArtifactError

_USERS, _ITEMS, _POPULARITY = "users.arrow", "items.arrow", "popularity.npy"
_MATRICES = ("history", "holdout")


@dataclass(frozen=True, eq=False)
class Cohort:
    """The evaluated users of one split, in its order.

    `users`: their ids. `items`: the catalogue that was ranked. `popularity`: int32 (n_items,), training users of
    each item. `history`: float32 (n_users, n_items), what each user is known by. `holdout`: float32
    (n_users, n_items), 1 where an item is relevant.
    """

    users: IdMap
    items: IdMap
    popularity: Indices
    history: Csr
    holdout: Csr

    @property
    def n_history(self) -> Indices:
        """int32 (n_users,): the distinct items each user is known by."""
        lengths: Indices = np.diff(self.history.indptr).astype(np.int32)
        return lengths

    @staticmethod
    def of(split: Split) -> "Cohort":
        """The evaluated users of `split`."""
        popularity = np.bincount(split.train.csr.indices, minlength=split.train.n_items).astype(np.int32)
        return Cohort(
            users=IdMap(split.user_ids),
            items=split.train.items,
            popularity=read_only(popularity),
            history=split.queries_history,
            holdout=split.holdout,
        )

    def save(self, folder: Path) -> None:
        """Write id maps and arrays into `folder`, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.users.save(folder / _USERS)
        self.items.save(folder / _ITEMS)
        np.save(folder / _POPULARITY, self.popularity, allow_pickle=False)
        for name in _MATRICES:
            save_csr(getattr(self, name), folder / name)

    @staticmethod
    def load(folder: Path) -> "Cohort":
        """Map what `save` wrote. Raises ArtifactError where it is missing or damaged."""
        users, items = IdMap.load(folder / _USERS), IdMap.load(folder / _ITEMS)
        matrices: dict[str, Any] = {name: load_csr(folder / name, (len(users), len(items))) for name in _MATRICES}
        try:
            popularity: Indices = np.load(folder / _POPULARITY, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{folder / _POPULARITY}: expected the items' training users: {error}") from error
        return Cohort(users=users, items=items, popularity=popularity, **matrices)
