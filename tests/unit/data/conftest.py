"""Logs written down in a test, row by row."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix

Row = tuple[Any, ...]


@pytest.fixture(scope="session")
def make_log() -> Callable[..., Interactions]:
    """make_log([(user, item, time, value, kind), ...]): trailing parts that no row has are left out."""

    def make(rows: Sequence[Row], *, timed: bool = True) -> Interactions:
        columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], []]
        users, user_idx = IdMap.of(columns[0])
        items, item_idx = IdMap.of(columns[1])
        times, values, kinds = (columns[place] if len(columns) > place else None for place in (2, 3, 4))
        names = tuple(sorted(set(kinds))) if kinds else ()
        return Interactions(
            users,
            items,
            user_idx,
            item_idx,
            value=np.array(values, np.float32) if values else np.ones(len(user_idx), np.float32),
            timestamp=np.array(times, np.int64) if times and timed else None,
            event=np.array([names.index(kind) for kind in kinds], np.int8) if kinds else None,
            event_names=names,
        )

    return make


@pytest.fixture(scope="session")
def entries() -> Callable[[InteractionMatrix], dict[tuple[str, str], float]]:
    """entries(matrix): {(user, item): weight}, by external ids."""

    def listed(matrix: InteractionMatrix) -> dict[tuple[str, str], float]:
        coo = matrix.csr.tocoo()
        users, items = matrix.users.decode(coo.row), matrix.items.decode(coo.col)
        return {(user, item): float(weight) for user, item, weight in zip(users, items, coo.data, strict=True)}

    return listed
