"""The compiled loops of `regression`: one small ridge regression per item. Imported late, see `compiled`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np

from recsys.compiled import compiled
from recsys.data.arrays import Floats, Indices

Places = tuple[Indices, Indices]
"""indptr and indices of a CSR matrix, int32."""


@compiled
def solve_items(
    by_user: Places,
    by_item: Places,
    share: Floats,
    scale: Floats,
    penalty: np.float32,
    start: int,
    stop: int,
    found: Indices,
    weights: Floats,
) -> None:
    """Fill the rows `start` to `stop` of `found`, int32 (n_items, k), and of `weights`, float32 (n_items, k).

    `by_user`, `by_item`: the places of the matrix and of its transpose. `share`: float32 (n_users,),
    what a user counts. `scale`: float32 (n_items,), 1 / length of the item's column. `penalty`: float32, added to
    the diagonal. A row with fewer than k neighbours keeps what it held behind them.
    """
    n_users, n_items, most = len(by_user[0]) - 1, len(by_item[0]) - 1, found.shape[1]
    common, touched = np.zeros(n_items, np.float32), np.empty(n_items, np.int32)
    newest, met = np.full(n_users, -1, np.int32), np.empty(n_users, np.int32)
    score, item_of = np.empty(most, np.float32), np.empty(most, np.int32)
    normal, solution = np.empty((most + 1, most + 1), np.float32), np.empty(most, np.float32)
    columns = np.empty(most + 1, np.int32)
    for item in range(start, stop):
        n_touched = _co_occurrence(item, by_user, by_item, share, common, touched)
        kept = _nearest(item, touched[:n_touched], common, scale, score, item_of)
        if kept == 0:
            continue
        _sorted_before(item, item_of, kept, columns)
        normal[: kept + 1, : kept + 1] = 0
        _gram(columns[: kept + 1], by_item, share, newest, met, normal)
        _ridge(normal, kept, penalty, solution)
        for at in range(kept):
            found[item, at], weights[item, at] = columns[at], solution[at]


@compiled
def solve_items_of_gram(
    gram: Floats, scale: Floats, penalty: np.float32, start: int, stop: int, found: Indices, weights: Floats
) -> None:
    """What `solve_items` does, with the co-occurrence of all items at hand: `gram`, float32 (n_items, n_items)."""
    n_items, most = found.shape
    common, touched = np.empty(n_items, np.float32), np.empty(n_items, np.int32)
    score, item_of = np.empty(most, np.float32), np.empty(most, np.int32)
    normal, solution = np.empty((most + 1, most + 1), np.float32), np.empty(most, np.float32)
    columns = np.empty(most + 1, np.int32)
    for item in range(start, stop):
        n_touched = 0
        for other in range(n_items):
            common[other] = gram[item, other]
            if common[other] != 0:
                touched[n_touched] = other
                n_touched += 1
        kept = _nearest(item, touched[:n_touched], common, scale, score, item_of)
        if kept == 0:
            continue
        _sorted_before(item, item_of, kept, columns)
        for row in range(kept + 1):
            for col in range(row + 1):
                normal[row, col] = gram[columns[row], columns[col]]
        _ridge(normal, kept, penalty, solution)
        for at in range(kept):
            found[item, at], weights[item, at] = columns[at], solution[at]


@compiled
def _co_occurrence(item, by_user, by_item, share, common, touched):
    """Add up in `common` what the users of `item` count, per item that they used; lists these in `touched`."""
    (user_ptr, items), (item_ptr, users) = by_user, by_item
    n_touched = 0
    for place in range(item_ptr[item], item_ptr[item + 1]):
        user = users[place]
        for at in range(user_ptr[user], user_ptr[user + 1]):
            other = items[at]
            if common[other] == 0:
                touched[n_touched] = other
                n_touched += 1
            common[other] += share[user]
    return n_touched


@compiled
def _nearest(item, touched, common, scale, score, item_of):
    """Keep the nearest of `touched` by cosine in a heap, the worst on top; clears `common`. Returns how many."""
    kept = 0
    for other in touched:
        cosine = common[other] * scale[other]
        common[other] = 0
        if other == item:
            continue
        if kept < len(score):
            _rise(score, item_of, kept, cosine, other)
            kept += 1
        elif _worse(score[0], item_of[0], cosine, other):
            _sink(score, item_of, cosine, other)
    return kept


@compiled
def _worse(score, item, other_score, other):
    """Whether the first of two items is the worse neighbour; of equal ones, that of the higher position."""
    return score < other_score or (score == other_score and item > other)


@compiled
def _rise(score, item_of, child, new_score, new_item):
    while child > 0:
        parent = (child - 1) // 2
        if not _worse(new_score, new_item, score[parent], item_of[parent]):
            break
        score[child], item_of[child] = score[parent], item_of[parent]
        child = parent
    score[child], item_of[child] = new_score, new_item


@compiled
def _sink(score, item_of, new_score, new_item):
    parent, n = 0, len(score)
    while 2 * parent + 1 < n:
        child = 2 * parent + 1
        if child + 1 < n and _worse(score[child + 1], item_of[child + 1], score[child], item_of[child]):
            child += 1
        if not _worse(score[child], item_of[child], new_score, new_item):
            break
        score[parent], item_of[parent] = score[child], item_of[child]
        parent = child
    score[parent], item_of[parent] = new_score, new_item


@compiled
def _sorted_before(item, item_of, kept, columns):
    """`columns` becomes the first `kept` of `item_of` in ascending order, then `item`. Insertion: there are few.

    numpy's sort, append and copies of slices would take longer to compile than all the rest, 4 of 7 seconds.
    """
    for n in range(kept):
        at = n
        while at > 0 and columns[at - 1] > item_of[n]:
            columns[at] = columns[at - 1]
            at -= 1
        columns[at] = item_of[n]
    columns[kept] = item


@compiled
def _gram(columns, by_item, share, newest, met, normal):
    """Add the lower triangle of the Gram matrix of `columns` to `normal`, by way of the users they share.

    The columns of one user are chained: `newest` has the user's last entry, `before` the one before it.
    """
    item_ptr, users = by_item
    total = 0
    for item in columns:
        total += item_ptr[item + 1] - item_ptr[item]
    before, column = np.empty(total, np.int32), np.empty(total, np.int32)
    entry = n_met = 0
    for at in range(len(columns)):
        for place in range(item_ptr[columns[at]], item_ptr[columns[at] + 1]):
            user = users[place]
            if newest[user] < 0:
                met[n_met] = user
                n_met += 1
            before[entry], column[entry] = newest[user], at
            newest[user] = entry
            entry += 1
    for user in met[:n_met]:
        row = newest[user]
        newest[user] = -1
        while row >= 0:
            col = row
            while col >= 0:
                normal[column[row], column[col]] += share[user]
                col = before[col]
            row = before[row]


@compiled
def _ridge(normal, n, penalty, solution):
    """Add `penalty` to the diagonal and solve the first n equations, in place; row n of `normal` is the right side.

    By Cholesky decomposition.
    """
    for at in range(n):
        normal[at, at] += penalty
    for row in range(n):
        for col in range(row):
            inner = np.float32(0)
            for k in range(col):
                inner += normal[row, k] * normal[col, k]
            normal[row, col] = (normal[row, col] - inner) / normal[col, col]
        inner = np.float32(0)
        for k in range(row):
            inner += normal[row, k] * normal[row, k]
        normal[row, row] = np.sqrt(normal[row, row] - inner)
    for row in range(n):
        inner = np.float32(0)
        for k in range(row):
            inner += normal[row, k] * solution[k]
        solution[row] = (normal[n, row] - inner) / normal[row, row]
    for row in range(n - 1, -1, -1):
        solution[row] /= normal[row, row]
        for k in range(row):
            solution[k] -= normal[row, k] * solution[row]
