"""Record: a version's metrics and lists user by user, sealed with it so that the next version can be compared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.arrays import Floats, Indices
from recsys.data.arrow_file import parse_arrow, write_arrow
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named
from recsys.evaluation.definitions import split_name
from recsys.evaluation.metrics import ACCURACY
from recsys.evaluation.results import Cohort, Evaluation
from recsys.retrieval.topk import PAD

_USER, _LIST, _META = "user", "list", "record"


@dataclass(frozen=True, eq=False)
class Record:
    """One evaluation of one model, by user id.

    `users`: the evaluated users. `per_user`: accuracy metric ("ndcg@20") to float32 (n_users,). `listed`: the ids of
    all items in any list. `lists`: int32 (n_users, k), positions in `listed` of the first items, PAD at empty places.
    `n_items`: items that can be listed, those with a training user; the denominator of coverage.
    """

    users: IdMap
    per_user: Mapping[str, Floats]
    listed: IdMap
    lists: Indices
    n_items: int

    @staticmethod
    def of(evaluation: Evaluation, cohort: Cohort) -> "Record":
        """The record of `evaluation`, which is of the users of `cohort`."""
        positions = np.unique(evaluation.lists[evaluation.lists != PAD]).astype(np.int32)
        lists = np.searchsorted(positions, evaluation.lists).astype(np.int32)
        lists[evaluation.lists == PAD] = PAD
        return Record(
            users=cohort.users,
            per_user={name: evaluation.per_user[name].astype(np.float32) for name in _accuracy(evaluation)},
            listed=cohort.items.take(positions),
            lists=lists,
            n_items=int(np.count_nonzero(cohort.popularity)),
        )

    def list_of(self, row: int) -> list[str]:
        """The first item ids of one user's list."""
        return self.listed.decode(position for position in self.lists[row].tolist() if position != PAD)

    def save(self, path: Path) -> None:
        """Write an Arrow file: one row per user with id, metrics and list. The same record gives the same bytes."""
        places = pa.array(self.lists.ravel(), pa.int32(), mask=self.lists.ravel() == PAD)
        listed = pa.DictionaryArray.from_arrays(places, self.listed.ids)
        lists = pa.FixedSizeListArray.from_arrays(listed, self.lists.shape[1])
        table = pa.table({_USER: self.users.ids, **self.per_user, _LIST: lists})
        table = table.replace_schema_metadata({_META: json.dumps({"n_items": self.n_items})})
        write_arrow(table, path)

    @staticmethod
    def from_bytes(content: bytes) -> "Record":
        """Parse what `save` wrote. Raises ArtifactError if `content` is not a record."""
        with damage_named("evaluation record", "an Arrow file of users and metrics"):
            table = parse_arrow(content).combine_chunks()
            lists = table.column(_LIST).combine_chunks()
            places = lists.flatten()
            metrics = [name for name in table.column_names if name not in {_USER, _LIST}]
            return Record(
                users=IdMap(table.column(_USER).combine_chunks()),
                per_user={name: table.column(name).to_numpy() for name in metrics},
                listed=IdMap(places.dictionary),
                lists=pc.fill_null(places.indices, PAD).to_numpy().reshape(table.num_rows, lists.type.list_size),
                n_items=int(json.loads(table.schema.metadata[_META.encode()])["n_items"]),
            )


def _accuracy(evaluation: Evaluation) -> list[str]:
    return [name for name in evaluation.per_user if split_name(name)[0] in ACCURACY]
