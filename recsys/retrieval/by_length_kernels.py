"""The compiled loops of `by_length`: what a block of scores adds to the candidates, and their exact scores.

Imported late, see `recsys.compiled`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from typing import NamedTuple

import numpy as np

from recsys.compiled import compiled
from recsys.data.arrays import Bools, Doubles, Floats, Indices

_BINS, _CAREFUL = 256, 2.0**-7
"""Of scores that are counted; the share of a bin by which its edges are moved, more than all rounding."""

_ROUNDINGS, _LEAST = 2.0**-51, 2.0**-1000
"""Four roundings of a sum in double precision, two for each of two orders of summation: twice what the bound needs;
and below all."""

_TINY = np.finfo(np.float32).tiny * 2**16


class Stored(NamedTuple):
    """The arrays of a CSR matrix, int32, int32 and float32. Read-only: a loop is compiled for each kind of array."""

    indptr: Indices
    indices: Indices
    data: Floats


class Candidates(NamedTuple):
    """What may be among the best of n queries, in no order; `item` and `score` have more than k columns.

    `item`: int32 (n, w). `score`: float32 (n, w), by which they were found. `held`: int32 (n,), how many a row
    holds. `bound`: float32 (n,), what is below it is none. `slack`: float64 (n,), how far below the k-th best one can
    seem to be. `crowded`: bool (n,), more came than a row has room for, so that some are missing.
    """

    item: Indices
    score: Floats
    held: Indices
    bound: Floats
    slack: Doubles
    crowded: Bools


class Entries(NamedTuple):
    """Stored entries of n rows in the order of the blocks that their items lie in.

    `entry`: int32 (nnz,), numbers of entries. `start`: int32 (n, n_blocks + 1), where a row's entries in each block
    start in `entry`. `column`: int32 (nnz,), an entry's item. `value`: float32 (nnz,), or empty.
    """

    entry: Indices
    start: Indices
    column: Indices
    value: Floats


@compiled
def order_entries(
    indptr: Indices, column: Indices, place: Indices, n_listable: int, width: int, entry: Indices, start: Indices
) -> None:
    """Fill `entry` and `start` of `Entries`; the item i lies in block place[i] // width.

    Items whose place is `n_listable` or more lie in none.
    """
    first, n_blocks = indptr[0], start.shape[1] - 1
    for row in range(len(indptr) - 1):
        line = start[row]
        for block in range(n_blocks + 1):
            line[block] = 0
        for e in range(indptr[row] - first, indptr[row + 1] - first):
            if place[column[e]] < n_listable:
                line[place[column[e]] // width] += 1
        at = indptr[row] - first
        for block in range(n_blocks + 1):
            size = line[block]
            line[block] = at
            at += size
        for e in range(indptr[row] - first, indptr[row + 1] - first):
            if place[column[e]] < n_listable:
                block = place[column[e]] // width
                entry[line[block]] = e
                line[block] += 1
        for block in range(n_blocks, 0, -1):
            line[block] = line[block - 1]
        line[0] = indptr[row] - first


@compiled
def take_block(
    scores: Floats,
    rows: Indices,
    items: Indices,
    place: Indices,
    block: int,
    without: Entries,
    more: Entries,
    k: int,
    found: Candidates,
) -> None:
    """Let `scores`, float32 (m, w), of the queries `rows`, int32 (m,), with `items`, int32 (w,), be candidates.

    `items` are those of `block`, which `place`, int32 (n_items,), numbers from block * width on. What the entries
    `more` add is added, what is in `without` is left out, in place.
    """
    w, start = len(items), place[items[0]]
    groups = w // 8
    best = np.empty(groups, np.float32)
    for i in range(len(rows)):
        row, line = rows[i], scores[i]
        if len(more.value):
            for e in range(more.start[row, block], more.start[row, block + 1]):
                entry = more.entry[e]
                line[place[more.column[entry]] - start] += more.value[entry]
        for e in range(without.start[row, block], without.start[row, block + 1]):
            line[place[without.column[without.entry[e]]] - start] = -np.inf
        item, score = found.item[row], found.score[row]
        n, bound = np.int64(found.held[row]), found.bound[row]
        if n == 0:
            bound = max(bound, np.float32(_first_bound(line, k, bound) - found.slack[row]))
        for g in range(groups):
            one = max(max(line[g], line[g + groups]), max(line[g + 2 * groups], line[g + 3 * groups]))
            two = max(line[g + 4 * groups], line[g + 5 * groups])
            best[g] = max(one, max(two, max(line[g + 6 * groups], line[g + 7 * groups])))
        for g in range(groups + 1):
            if g < groups and best[g] < bound:
                continue
            first, step = (g, groups) if g < groups else (8 * groups, 1)
            for j in range(first, min(w, first + 8 * step), step):
                if line[j] >= bound:
                    if n == len(score):
                        n, bound = _shrink(item, score, n, k, found.slack[row], bound)
                    if n == len(score):
                        found.crowded[row] = True
                        break
                    item[n], score[n] = items[j], line[j]
                    n += 1
        if n > k + k // 2:
            n, bound = _shrink(item, score, n, k, found.slack[row], bound)
        found.held[row], found.bound[row] = n, bound


@compiled
def _first_bound(line, k, lowest):
    """No higher than the k-th best of `line`: that of the best of disjoint groups, if there are enough of them."""
    groups = 4 * k
    best = np.empty(groups, np.float32)
    if len(line) < 2 * groups:
        return lowest
    for g in range(groups):
        best[g] = line[g]
    for start in range(groups, len(line) - groups + 1, groups):
        for g in range(groups):
            best[g] = max(best[g], line[start + g])
    return _kth_or_less(best, groups, k, lowest)


@compiled
def _kth_or_less(score, n, k, lowest):
    """A number no higher than the k-th best of the first `n` scores, n > k, and seldom much lower; `lowest` at least.

    The scores are counted in bins of equal width, then once more those of the bin that holds the k-th best.
    """
    bins = np.empty(_BINS, np.int32)
    low, high = max(score[0], lowest), score[0]
    for j in range(n):
        low = min(low, max(score[j], lowest))
        high = max(high, score[j])
    above, least = 0, lowest
    for _ in range(2):
        if not (high - low > _TINY and high - low < np.float32(np.inf)):
            break
        scale = np.float32(_BINS - 1) / (high - low)
        for b in range(_BINS):
            bins[b] = 0
        for j in range(n):
            if score[j] >= low and score[j] <= high:
                # The compiler may reorder products, so that one overflows; so it is bounded before it is a place.
                bins[int(min(max((score[j] - low) * scale, np.float32(0)), np.float32(_BINS - 1)))] += 1
        b = _BINS - 1
        while b > 0 and above + bins[b] < k:
            above += bins[b]
            b -= 1
        width = (high - low) / np.float32(_BINS - 1)
        least = low + np.float32(b - _CAREFUL) * width
        if above + bins[b] <= k + k // 8:
            break
        low, high = least, low + np.float32(b + 1 + _CAREFUL) * width
    reach = 0
    for j in range(n):
        reach += score[j] >= least
    return least if reach >= k else lowest


@compiled
def _shrink(item, score, n, k, slack, bound):
    """Drop what is surely not among the k best of the first `n` of a row. Returns how many stay, and a bound."""
    bound = max(bound, np.float32(_kth_or_less(score, n, k, bound) - slack))
    kept = 0
    for j in range(n):
        item[kept], score[kept] = item[j], score[j]
        kept += score[j] >= bound
    return kept, bound


@compiled
def take_support(
    queries: Floats,
    vectors: Floats,
    reach: Doubles,
    lengths: Floats,
    from_block: Indices,
    exclude: Stored,
    more: Entries,
    k: int,
    found: Candidates,
) -> None:
    """Let the items that something is added to be candidates where `take_block` did not come, and drop the rest.

    `from_block`: int32 (n,), the first block of each query that was not taken. `reach`: float64 (n,), an upper bound
    of the queries' lengths; `lengths`: float32 (n_items,). `exclude`: columns sorted within a row, what a
    query must not get.
    """
    indptr, columns, _ = exclude
    d = queries.shape[1]
    for row in range(len(queries)):
        item, score = found.item[row], found.score[row]
        n, bound = np.int64(found.held[row]), found.bound[row]
        if len(more.value):
            for e in range(more.start[row, from_block[row]], more.start[row, -1]):
                entry = more.entry[e]
                column, value = more.column[entry], more.value[entry]
                if value + reach[row] * lengths[column] < bound:
                    continue
                if _place(columns, indptr[row] - indptr[0], indptr[row + 1] - indptr[0], column) >= 0:
                    continue
                total = np.float32(0)
                for f in range(d):
                    total += queries[row, f] * vectors[column, f]
                total += value
                if not total >= bound:
                    continue
                if n == len(score):
                    n, bound = _shrink(item, score, n, k, found.slack[row], bound)
                if n == len(score):
                    found.crowded[row] = True
                    break
                item[n], score[n] = column, total
                n += 1
        if n > k:
            n, bound = _shrink(item, score, n, k, found.slack[row], bound)
        found.held[row], found.bound[row] = n, bound


@compiled
def _place(columns, start, end, wanted):
    """Where `wanted` is among the ascending columns[start:end]; -1 if it is not."""
    while start < end:
        middle = (start + end) // 2
        if columns[middle] < wanted:
            start = middle + 1
        elif columns[middle] > wanted:
            end = middle
        else:
            return middle
    return -1


@compiled
def settle(
    queries: Floats,
    vectors: Floats,
    lengths: Floats,
    added: Stored,
    found: Candidates,
    totals: Floats,
    unsure: Bools,
) -> None:
    """Fill `totals`, float32 (n, w), with the scores of the candidates, summed in double precision and rounded once.

    `added`: columns sorted within a row, what is added to the products. `unsure`: bool
    (n, w), becomes true where another order of summation could round to another number.
    """
    indptr, columns, values = added
    d = queries.shape[1]
    query = np.empty(d, np.float64)
    for row in range(len(queries)):
        squares = 0.0
        for f in range(d):
            query[f] = queries[row, f]
            squares += query[f] * query[f]
        error = _ROUNDINGS * (d + 4) * np.sqrt(squares)
        for c in range(found.held[row]):
            item = found.item[row, c]
            vector = vectors[item]
            total = 0.0
            for f in range(d):
                total += query[f] * np.float64(vector[f])
            margin = error * lengths[item] + _LEAST
            if len(values):
                at = _place(columns, indptr[row] - indptr[0], indptr[row + 1] - indptr[0], item)
                if at >= 0:
                    total += values[at]
                    margin += _ROUNDINGS * values[at]
            totals[row, c] = total
            unsure[row, c] = np.float32(total - margin) != np.float32(total + margin)
