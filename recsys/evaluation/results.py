"""Results of an evaluation: the metrics of each model, and the evaluated users and items."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Indices, read_only, save_array
from recsys.data.arrow_file import map_arrow, write_arrow
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named
from recsys.data.matrix import Csr, load_csr, save_csr
from recsys.data.splits.split import Split
from recsys.errors import ArtifactError
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import mean_of

_LISTS = "lists"
_USERS, _ITEMS, _POPULARITY, _HISTORY, _HOLDOUT = (
    "users.arrow",
    "items.arrow",
    "popularity.npy",
    "history",
    "holdout",
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The metrics of one model on one split.

    `per_user`: metric ("recall@20") to float64 (n_users,), in the order of the split; NaN if the metric does not
    exist for a user (novelty of an empty list). `overall`: metrics of all users together ("coverage@20").
    `n_short`: users whose list is shorter than the largest cut-off. `seconds`: duration. `by_band`: a slice of items
    (of BANDS and BY_USERS) to their recall ("recall@20"), float64 (n_users,), NaN if the user has no relevant item
    in it. `lists`: int32 (n_users, kept places), the first items of each list, PAD at empty places.
    """

    name: str
    per_user: Mapping[str, Values]
    overall: Mapping[str, float]
    n_short: int
    seconds: float
    by_band: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)
    lists: Indices = field(default_factory=lambda: np.empty((0, 0), np.int32))

    @property
    def n_users(self) -> int:
        """Number of evaluated users."""
        return len(next(iter(self.per_user.values())))

    def means(self) -> dict[str, float]:
        """One value per metric: the mean over the users that have one (NaN if none has), or the overall value."""
        return {metric: mean_of(values) for metric, values in self.per_user.items()} | dict(self.overall)

    def save(self, path: Path) -> None:
        """Write an Arrow file: one row per user, one column per metric, the rest in the schema's metadata."""
        rest = {"name": self.name, "overall": dict(self.overall), "n_short": self.n_short, "seconds": self.seconds}
        by_band = {
            f"{band}/{metric}": values for band, table in self.by_band.items() for metric, values in table.items()
        }
        columns = {**self.per_user, **by_band, _LISTS: _lists_column(self.lists, self.n_users)}
        table = pa.table(columns).replace_schema_metadata({"evaluation": json.dumps(rest)})
        write_arrow(table, path)

    @staticmethod
    def load(path: Path) -> "Evaluation":
        """Read what `save` wrote. Raises ArtifactError if the file is missing or damaged."""
        with damage_named(path, "an Arrow file of an evaluation"):
            table = map_arrow(path)
            rest = json.loads(table.schema.metadata[b"evaluation"])
            lists = table.column(_LISTS).combine_chunks()
            columns = {name: table.column(name).to_numpy() for name in table.column_names if name != _LISTS}
            shape = (table.num_rows, lists.type.list_size)
            per_user, by_band = _split_columns(columns)
            return Evaluation(
                per_user=per_user, by_band=by_band, **rest, lists=lists.flatten().to_numpy().reshape(shape)
            )


def _split_columns(columns: Mapping[str, Values]) -> tuple[dict[str, Values], dict[str, dict[str, Values]]]:
    """`per_user` and `by_band` from the columns of a file: "recall@20", and "tail/recall@20" for a band."""
    per_user: dict[str, Values] = {}
    by_band: dict[str, dict[str, Values]] = {}
    for name, values in columns.items():
        band, _, metric = name.rpartition("/")
        (by_band.setdefault(band, {}) if band else per_user)[metric] = values
    return per_user, by_band


def _lists_column(lists: Indices, n_users: int) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(lists).ravel(), pa.int32())
    return pa.FixedSizeListArray.from_arrays(flat, len(flat) // n_users)


@dataclass(frozen=True, eq=False)
class Cohort:
    """The evaluated users of one split, in its order.

    `users`: their ids. `items`: the catalogue that was ranked. `popularity`: int32 (n_items,), training users per
    item. `history`: float32 (n_users, n_items), the items in each user's history. `holdout`: float32
    (n_users, n_items), 1 for relevant items.
    """

    users: IdMap
    items: IdMap
    popularity: Indices
    history: Csr
    holdout: Csr

    @property
    def n_history(self) -> Indices:
        """int32 (n_users,): number of distinct items in each user's history."""
        lengths: Indices = np.diff(self.history.indptr).astype(np.int32)
        return lengths

    @staticmethod
    def of(split: Split) -> "Cohort":
        """The evaluated users of `split`."""
        return Cohort(
            users=IdMap(split.user_ids),
            items=split.train.items,
            popularity=read_only(split.train.item_degree),
            history=split.queries_history,
            holdout=split.holdout,
        )

    def save(self, folder: Path) -> None:
        """Write id maps and arrays into `folder`, which is created if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.users.save(folder / _USERS)
        self.items.save(folder / _ITEMS)
        save_array(self.popularity, folder / _POPULARITY)
        save_csr(self.history, folder / _HISTORY)
        save_csr(self.holdout, folder / _HOLDOUT)

    @staticmethod
    def load(folder: Path) -> "Cohort":
        """Map what `save` wrote. Raises ArtifactError if a file is missing or damaged."""
        users, items = IdMap.load(folder / _USERS), IdMap.load(folder / _ITEMS)
        shape = (len(users), len(items))
        history, holdout = (load_csr(folder / name, shape) for name in (_HISTORY, _HOLDOUT))
        try:
            popularity: Indices = np.load(folder / _POPULARITY, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{folder / _POPULARITY}: expected the items' training users: {error}") from error
        return Cohort(users=users, items=items, popularity=popularity, history=history, holdout=holdout)
