"""Terms: what is said of items, as a table of which item has which, so that groups of items can be named."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.data.arrays import Doubles, Indices
from recsys.data.arrow_file import one_array
from recsys.data.attributes import kind_of
from recsys.data.items import TITLE, Items
from recsys.data.matrix import Csr

_WORD = re.compile(r"[^\W\d_]{3,}")
_MOST_TERMS = 20_000
_BINS = 5
_LONGEST = 60


@dataclass(frozen=True, eq=False)
class Terms:
    """Values of attributes, and words of titles, with the items that have them.

    `labels`: n_terms texts such as "genre: space" or "title: starship". `members`: float32 CSR (n_items, n_terms),
    one where an item has a term.
    """

    labels: tuple[str, ...]
    members: Csr

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64 (n_terms,): items with each term."""
        return np.bincount(self.members.indices, minlength=len(self.labels)).astype(np.int64)

    def of(self, rows: Indices) -> "Terms":
        """The same terms for the items at `rows`, int32 (m,), in this order."""
        return Terms(self.labels, self.members[rows])


def terms_of(items: Items, *, min_items: int = 5) -> Terms:
    """The terms that at least `min_items` of the `items` have, and not all of them; the 20,000 most frequent at most.

    A text or a truth value is one term, a list one per member, a day its year. Numbers are binned in fifths of the
    items. Words of titles have three letters or more, in lower case.
    """
    positions: dict[str, int] = {}
    rows: list[int] = []
    terms: list[int] = []
    for name in items.table.column_names:
        for row, labels in enumerate(_labels(name, one_array(items.table.column(name)))):
            for label in sorted(set(labels)):
                rows.append(row)
                terms.append(positions.setdefault(label, len(positions)))
    members = csr_matrix(
        (np.ones(len(rows), np.float32), (rows, terms)), shape=(len(items.ids), len(positions)), dtype=np.float32
    )
    return _frequent(Terms(tuple(positions), members), min_items)


def _frequent(terms: Terms, min_items: int) -> Terms:
    counts = terms.counts
    kept = np.flatnonzero((counts >= min_items) & (counts < terms.members.shape[0]))
    kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:_MOST_TERMS]])
    return Terms(tuple(terms.labels[at] for at in kept), csr_matrix(terms.members[:, kept]))


def _labels(name: str, column: pa.Array) -> list[list[str]]:
    """For every item, the labels of its terms in one column."""
    if name == TITLE:
        return [[f"{TITLE}: {word}" for word in _words(text)] for text in column.cast(pa.string()).to_pylist()]
    return [[f"{name}: {value[:_LONGEST]}" for value in values if value] for values in _values(column)]


def _values(column: pa.Array) -> Iterable[Sequence[str]]:
    kind = kind_of(column.type)
    if kind == "list":
        return (value or () for value in column.to_pylist())
    if kind == "number":
        return _binned(column)
    plain = pc.year(column) if kind == "date" else column
    return ((text,) if text else () for text in plain.cast(pa.string()).to_pylist())


def _words(text: str | None) -> Iterable[str]:
    return _WORD.findall(text.casefold()) if text else ()


def _binned(values: pa.Array) -> list[tuple[str, ...]]:
    """Numbers as ranges with about a fifth of the known ones each, or as themselves if there are five or fewer."""
    numbers = np.array(pc.fill_null(values.cast(pa.float64()), np.nan))
    known = numbers[np.isfinite(numbers)]
    distinct = np.unique(known)
    if len(distinct) <= _BINS:
        return [(f"{value:.6g}",) if np.isfinite(value) else () for value in numbers]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1), method="higher"))
    at = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    names = [_range(numbers[(at == number) & np.isfinite(numbers)]) for number in range(len(edges) - 1)]
    return [(names[number],) if np.isfinite(value) else () for number, value in zip(at, numbers, strict=True)]


def _range(numbers: Doubles) -> str:
    return f"{numbers.min():.6g} to {numbers.max():.6g}" if len(numbers) else ""
