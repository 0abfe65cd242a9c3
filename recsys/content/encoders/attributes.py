"""Attributes as vectors: items with equal values are near, the more so the rarer the value.

Each value has a weight by its frequency (IDF) and a random direction of signs that follows from a hash of its text,
so that no table of directions has to be kept: Achlioptas (2003), Database-friendly random projections. Weinberger et
al. (2009), Feature hashing for large scale multitask learning.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from scipy import sparse

from recsys.content.attribute_values import Values, edges_of, read_attributes, values_of
from recsys.content.config import EncoderConfig
from recsys.content.directions import directions
from recsys.content.encoder import Encoded, EncoderKind, Problems
from recsys.data.arrays import Doubles, Floats
from recsys.data.arrow_file import map_arrow, write_arrow
from recsys.data.items import Items
from recsys.data.loading import damage_named, load_json
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_ROWS_AT_ONCE = 8192
_STATE, _COUNTS = "attributes.json", "counts.arrow"


class AttributesConfig(EncoderConfig):
    """Values of attributes: categories, people, tags, numbers by their quantiles, dates by their year."""

    encoder: Literal["attributes"] = Field("attributes", description="how the vectors are made")
    separator: str | None = Field(
        None,
        min_length=1,
        description='between the members of a text, such as `", "` for `Ann Lee, Bo Ray`; by default a text is one '
        "value",
    )
    dimension: int = Field(256, ge=8, le=4096, multiple_of=8, description="of the vectors")
    bins: int = Field(10, ge=1, le=1000, description="quantiles that numbers are compared by")


@dataclass(frozen=True, eq=False)
class AttributesEncoder:
    """`n_items`: that the counts are of. `counts`: items by value, of the values that at least two items have.

    `edges`: by number column, the quantiles, float64, increasing.
    """

    columns: tuple[str, ...]
    separator: str | None
    dimension: int
    n_items: int
    counts: pa.Table
    edges: dict[str, Doubles] = field(default_factory=dict)

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`; zero for an item of which no attribute is known."""
        n = len(items.ids)
        vectors, problems = np.zeros((n, self.dimension), np.float32), Problems()
        for start in range(0, n, _ROWS_AT_ONCE):
            progress("encode: attributes", start, n)
            part = items.table.slice(start, _ROWS_AT_ONCE)
            rows = slice(start, start + part.num_rows)
            vectors[rows] = normalised(self._summed(values_of(part, self.columns, self.separator, self.edges)))
        progress("encode: attributes", n, n)
        for at in np.flatnonzero(~vectors.any(axis=1)).tolist():
            problems.add("no attribute", f"item {items.ids.id_at(at)!r}: {', '.join(self.columns)} are unknown")
        return Encoded(vectors, problems)

    def _summed(self, values: Values) -> Floats:
        """Float32 (n, d): the sum of the weighted directions of each item's values."""
        distinct = values.text.dictionary_encode()
        names, at = distinct.dictionary, distinct.indices.to_numpy()
        shape = (values.n_items, len(names))
        weights = sparse.csr_matrix((values.share, (values.row, at)), shape=shape, dtype=np.float32)
        scaled = directions(names.to_pylist(), self.dimension) * self._idf(names)[:, None]
        return np.ascontiguousarray(weights @ scaled, np.float32)

    def _idf(self, names: pa.StringArray) -> Floats:
        """Float32 (n,): ln((1 + n_items) / (1 + items with the value)) + 1; a value that is not counted has one."""
        at = pc.index_in(names, value_set=self.counts.column("value").combine_chunks())
        counted = pc.fill_null(self.counts.column("items").combine_chunks().take(at), 1)
        return np.asarray(np.log((1 + self.n_items) / (1 + counted.to_numpy())) + 1, np.float32)

    def save(self, folder: Path) -> None:
        """Write attributes.json and counts.arrow into `folder`."""
        state = {
            "columns": self.columns,
            "separator": self.separator,
            "dimension": self.dimension,
            "n_items": self.n_items,
            "edges": {name: edges.tolist() for name, edges in self.edges.items()},
        }
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        write_arrow(self.counts, folder / _COUNTS)

    @staticmethod
    def load(folder: Path) -> "AttributesEncoder":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        state = load_json(folder / _STATE)
        with damage_named(folder, f"{_STATE} and {_COUNTS}"):
            counts = map_arrow(folder / _COUNTS)
            if counts.schema != _SCHEMA:
                raise ValueError(f"{_COUNTS} has {counts.schema.to_string()!r}")
            edges = {name: np.array(values, np.float64) for name, values in state.pop("edges").items()}
            columns = tuple(state.pop("columns"))
            return AttributesEncoder(columns=columns, counts=counts, edges=edges, **state)


_SCHEMA = pa.schema([("value", pa.string()), ("items", pa.int64())])


def fit_attributes(
    items: Items,
    config: AttributesConfig,
    *,
    histories: InteractionMatrix | None = None,
    progress: Progress = silent,
) -> AttributesEncoder:
    """Count the values of `items`. Raises ConfigError if no column can be read."""
    columns = read_attributes(items, config.columns)
    if not columns:
        raise ConfigError(
            f"content {config.source_name!r}: [items] has no attribute with values that several items have;"
            " name those to read (content.columns)"
        )
    edges = edges_of(items, columns, config.bins)
    counts = _counted(_values(items, columns, config, edges, progress))
    return AttributesEncoder(columns, config.separator, config.dimension, len(items.ids), counts, edges)


def _values(
    items: Items,
    columns: tuple[str, ...],
    config: AttributesConfig,
    edges: dict[str, Doubles],
    progress: Progress,
) -> Iterator[Values]:
    n = len(items.ids)
    for start in range(0, n, _ROWS_AT_ONCE):
        progress("encode: attributes, values", start, n)
        yield values_of(items.table.slice(start, _ROWS_AT_ONCE), columns, config.separator, edges)
    progress("encode: attributes, values", n, n)


def _counted(parts: Iterator[Values]) -> pa.Table:
    """Items by value, of those that two or more have."""
    counts = [part.text.value_counts() for part in parts]
    table = pa.table(
        {
            "value": pa.chunked_array([each.field(0) for each in counts], pa.string()),
            "items": pa.chunked_array([each.field(1) for each in counts], pa.int64()),
        }
    )
    summed = table.group_by("value").aggregate([("items", "sum")]).rename_columns(["value", "items"])
    return summed.filter(pc.greater(summed.column("items"), 1)).sort_by("value").combine_chunks().cast(_SCHEMA)


def _reads(items: Items, config: Any) -> tuple[str, ...]:
    return read_attributes(items, config.columns)


ATTRIBUTES = EncoderKind(AttributesConfig, fit_attributes, AttributesEncoder.load, reads=_reads)
