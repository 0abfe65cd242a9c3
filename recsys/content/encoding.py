"""Vectors of one `[[content]]` table; those that an earlier night made are used again if nothing changed."""

from dataclasses import dataclass, field, replace

import numpy as np

from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, Encoder, Problems
from recsys.content.fingerprint import RowKeys, row_fingerprints
from recsys.content.registry import kind_of_encoder
from recsys.content.space import ContentSource
from recsys.data.arrays import Bools, Floats
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class SourceVectors:
    """The vectors of one source, and what they were made from.

    `fingerprint`: of the encoder (`encoder_fingerprint`). `rows`: S16 (n_items,), of the items. `n_reused`: items
    whose vector is that of an earlier night.
    """

    source: ContentSource
    fingerprint: str
    rows: RowKeys
    problems: Problems = field(default_factory=Problems)
    n_reused: int = 0


def encode_source(
    items: Items,
    config: EncoderConfig,
    *,
    fingerprint: str,
    earlier: SourceVectors | None = None,
    progress: Progress = silent,
) -> SourceVectors:
    """The vectors of `items` by the encoder of `config`, which does not learn from histories.

    A row encoder makes only those that are not in `earlier`, or zero there; one that learns from the catalogue makes
    all or, if nothing changed, none. Raises ConfigError or DataError if nothing can be made.
    """
    kind = kind_of_encoder(config)
    columns = kind.reads(items, config)
    rows = row_fingerprints(items, columns, states=kind.row_states(items, config))
    usable = earlier if earlier is not None and earlier.fingerprint == fingerprint else None
    if usable is not None and _is_complete(usable, rows, by_row=kind.by_row):
        return _again(usable, config)
    fitted = kind.fit(items, config, histories=None, progress=progress)
    vectors, reused = _carried_over(usable if kind.by_row else None, rows, fitted.dimension)
    encoded = _encode_others(items, fitted, vectors, reused, progress)
    source = _source(config, columns, encoded.vectors, fitted)
    return SourceVectors(source, fingerprint, rows, encoded.problems, int(reused.sum()))


def fit_on_histories(
    items: Items, config: EncoderConfig, matrix: InteractionMatrix, *, progress: Progress = silent
) -> ContentSource:
    """The vectors of the items of `matrix` by an encoder that learns from its histories. `items`: of the same map."""
    kind = kind_of_encoder(config)
    fitted = kind.fit(items, config, histories=matrix, progress=progress)
    return _source(config, kind.reads(items, config), fitted.encode(items, progress=progress).vectors, fitted)


def _source(
    config: EncoderConfig, columns: tuple[str, ...], vectors: Floats, fitted: Encoder | None
) -> ContentSource:
    return ContentSource(config.source_name, config.encoder, columns, vectors, config.weight or 1.0, fitted)


def _is_complete(earlier: SourceVectors, rows: RowKeys, *, by_row: bool) -> bool:
    """Whether the vectors of an earlier night are those of `rows`, with nothing to encode or to try again."""
    same = np.array_equal(earlier.rows, rows)
    return same and (not by_row or bool(earlier.source.vectors.any(axis=1).all()))


def _again(earlier: SourceVectors, config: EncoderConfig) -> SourceVectors:
    source = replace(earlier.source, name=config.source_name, weight=config.weight or 1.0)
    return replace(earlier, source=source, n_reused=int(source.vectors.any(axis=1).sum()))


def _carried_over(earlier: SourceVectors | None, rows: RowKeys, dimension: int) -> tuple[Floats, Bools]:
    """Float32 (n, d), those of an earlier night for the same rows, else zero; bool (n,), which are not zero."""
    vectors = np.zeros((len(rows), dimension), np.float32)
    if earlier is not None and len(earlier.rows) and earlier.source.vectors.shape[1] == dimension:
        order = np.argsort(earlier.rows)
        at = order[np.searchsorted(earlier.rows, rows, sorter=order).clip(max=len(order) - 1)]
        same = earlier.rows[at] == rows
        vectors[same] = earlier.source.vectors[at[same]]
    return vectors, np.asarray(vectors.any(axis=1))


def _encode_others(items: Items, fitted: Encoder, vectors: Floats, known: Bools, progress: Progress) -> Encoded:
    """`vectors` with those of the other items filled in."""
    if not known.any():
        return fitted.encode(items, progress=progress)
    others = np.flatnonzero(~known).astype(np.int32)
    encoded = fitted.encode(Items(items.ids.take(others), items.table.take(others)), progress=progress)
    vectors[others] = encoded.vectors
    return Encoded(vectors, encoded.problems)
