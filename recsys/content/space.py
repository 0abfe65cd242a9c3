"""ContentSpace: the vectors of all sources of a catalogue, side by side."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.content.encoder import Encoder
from recsys.content.registry import ENCODERS
from recsys.data.arrays import Floats, read_only, save_array
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.loading import damage_named, load_array, load_json
from recsys.errors import DataError, MissingPackageError
from recsys.retrieval.exact import normalised

logger = logging.getLogger(__name__)

_SPACE, _VECTORS = "space.json", "vectors.npy"


@dataclass(frozen=True, eq=False)
class ContentSource:
    """What one `[[content]]` table made of the items.

    `encoder`: the name in the registry. `columns`: what it read, as named in `[items]`. `vectors`: float32 (n_items,
    d), of length one, or zero if nothing is known of the item. `weight`: beside the other sources, above zero.
    `fitted`: makes the vectors of further items; None if the encoder cannot run in the service.
    """

    name: str
    encoder: str
    columns: tuple[str, ...]
    vectors: Floats
    weight: float = 1.0
    fitted: Encoder | None = None


@dataclass(frozen=True, eq=False)
class ContentSpace:
    """All sources of the items of one map. The cosine of two items is the weighted mean of those of the sources.

    (If a source knows nothing of one of the two, it counts as a cosine of zero, and with less weight.)
    Raises DataError if the sources have different numbers of items, one name twice, or vectors of another dtype.
    """

    sources: tuple[ContentSource, ...]

    def __post_init__(self) -> None:
        if not self.sources or len({len(source.vectors) for source in self.sources}) != 1:
            raise DataError("content: expected sources with the same number of items")
        for source in self.sources:
            if source.vectors.dtype != np.float32 or source.vectors.ndim != 2:
                raise DataError(f"content: vectors of {source.name!r} are {source.vectors.dtype}, expected float32")
        if len({source.name for source in self.sources}) != len(self.sources):
            raise DataError("content: two sources have the same name")

    @property
    def n_items(self) -> int:
        """Items, with or without a vector."""
        return len(self.sources[0].vectors)

    @cached_property
    def vectors(self) -> Floats:
        """float32 (n_items, sum of d): the sources side by side, of length one; zero if nothing is known."""
        return stacked([source.vectors for source in self.sources], [source.weight for source in self.sources])

    def with_weights(self, weights: Sequence[float]) -> "ContentSpace":
        """The same sources with other weights; those of weight zero are left out."""
        pairs = zip(self.sources, weights, strict=True)
        return ContentSpace(tuple(replace(source, weight=weight) for source, weight in pairs if weight))

    def aligned(self, old: IdMap, new: IdMap) -> "ContentSpace":
        """The vectors for the items of `new`; those that are not in `old` get zero vectors."""
        position, known = new.encode(old.ids)

        def moved(vectors: Floats) -> Floats:
            rows = np.zeros((len(new), vectors.shape[1]), np.float32)
            rows[position] = vectors[known]
            return read_only(rows)

        return ContentSpace(tuple(replace(source, vectors=moved(source.vectors)) for source in self.sources))

    def encode(self, items: Items) -> Floats:
        """Float32 (n, sum of d): the vectors of further items; sources that cannot run here count as unknown."""
        parts = [
            np.zeros((len(items.ids), source.vectors.shape[1]), np.float32)
            if source.fitted is None
            else source.fitted.encode(items).vectors
            for source in self.sources
        ]
        return stacked(parts, [source.weight for source in self.sources])

    def save(self, folder: Path) -> None:
        """Write space.json, and a folder per source with its vectors and its encoder, into `folder`.

        An encoder whose kind has no `load` is left out: items that come later are unknown to its source.
        """
        folder.mkdir(parents=True, exist_ok=True)
        told = [
            {
                "name": each.name,
                "encoder": each.encoder,
                "columns": list(each.columns),
                "weight": each.weight,
                "fitted": _is_sealed(each),
            }
            for each in self.sources
        ]
        (folder / _SPACE).write_text(json.dumps(told, indent=1), encoding="utf-8")
        for source in self.sources:
            (folder / source.name).mkdir()
            save_array(source.vectors, folder / source.name / _VECTORS)
            if source.fitted is not None and _is_sealed(source):
                source.fitted.save(folder / source.name)

    @staticmethod
    def load(folder: Path) -> "ContentSpace":
        """Map what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        told = load_json(folder / _SPACE)
        with damage_named(folder, "the sources of a content space"):
            return ContentSpace(tuple(_load_source(folder, each) for each in told))


def stacked(vectors: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Float32 (n, sum of d), rows of length one or zero: each of `vectors`, (n, d), times the root of its weight."""
    parts = [each * np.float32(weight**0.5) for each, weight in zip(vectors, weights, strict=True)]
    return read_only(normalised(np.ascontiguousarray(np.hstack(parts))))


def _is_sealed(source: ContentSource) -> bool:
    return source.fitted is not None and ENCODERS[source.encoder].load is not None


def _load_source(space: Path, told: dict[str, object]) -> ContentSource:
    encoder, name = str(told["encoder"]), str(told["name"])
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not the name of a folder")
    folder, load = space / name, ENCODERS[encoder].load
    vectors: Floats = load_array(folder / _VECTORS)
    return ContentSource(
        name=name,
        encoder=encoder,
        columns=tuple(map(str, told["columns"])),  # type: ignore[call-overload]
        vectors=read_only(vectors),
        weight=float(told["weight"]),  # type: ignore[arg-type]
        fitted=_load_encoder(folder, load) if told["fitted"] and load is not None else None,
    )


def _load_encoder(folder: Path, load: Callable[[Path], Encoder]) -> Encoder | None:
    """The sealed encoder; None, with a warning, if it cannot run here: the version serves without it."""
    try:
        return load(folder)
    except MissingPackageError as error:
        logger.warning("%s; stored vectors are compared, but no new item or text is encoded with it", error)
        return None
