"""What encode will take: every source encodes a small part of the catalogue, which is scaled up."""

import time
from dataclasses import dataclass

import numpy as np

from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoder
from recsys.content.registry import kind_of_encoder
from recsys.data.ingest.catalogue import read_items
from recsys.data.items import Items
from recsys.errors import RecsysError
from recsys.pipeline_config import PipelineConfig

_FEW, _MORE = 200, 2_000
_USUAL_DIMENSION = 256


@dataclass(frozen=True)
class ContentSize:
    """Of all sources: `width`, dimensions of the vectors side by side. `model_bytes`: files that encoders read whole.

    `item_bytes`: of the catalogue per item. `seconds`: for all items, if none is as the night before.
    """

    width: int
    model_bytes: int
    item_bytes: float
    seconds: float


def content_size(config: PipelineConfig, *, n_items: int) -> ContentSize | None:
    """None without `[[content]]`. A source that cannot encode the part counts with its settings; a night says why."""
    if not config.content or config.items is None:
        return None
    try:
        items = read_items(config.items)
    except RecsysError:  # the check of the catalogue says it
        return None
    tried = [_try(source, items, n_items) for source in config.content_sources]
    return ContentSize(
        width=sum(width for width, _ in tried),
        model_bytes=sum(_bytes_of(source) for source in config.content_sources if kind_of_encoder(source).by_row),
        item_bytes=items.table.nbytes / max(1, len(items.ids)),
        seconds=sum(seconds for _, seconds in tried),
    )


def _try(config: EncoderConfig, items: Items, n_items: int) -> tuple[int, float]:
    """Dimension and seconds of one source."""
    kind = kind_of_encoder(config)
    usual = getattr(config, "dimension", None) or _USUAL_DIMENSION
    if kind.learns_from_histories(config) or kind.unavailable():
        return usual, 0.0
    few, more = _spread(items, _FEW), _spread(items, _MORE)
    try:
        kind.fit(few, config, histories=None)  # the first one imports libraries
        started = time.perf_counter()
        encoder = kind.fit(more, config, histories=None)
        fit = time.perf_counter() - started
        seconds = [_timed(encoder, part) for part in (few, more)]
    except (RecsysError, OSError):
        return usual, 0.0
    per_item = max(0.0, seconds[1] - seconds[0]) / max(1, len(more.ids) - len(few.ids))
    whole_fit = fit if kind.files(config) else fit * n_items / max(1, len(more.ids))
    width = encoder.dimension if kind.files(config) else max(usual, encoder.dimension)  # a part may have fewer
    return width, whole_fit + per_item * n_items


def _timed(encoder: Encoder, items: Items) -> float:
    started = time.perf_counter()
    encoder.encode(items)
    return time.perf_counter() - started


def _spread(items: Items, n: int) -> Items:
    """Up to n items, evenly spread."""
    at = np.unique(np.linspace(0, len(items.ids) - 1, min(n, len(items.ids))).astype(np.int32))
    return Items(items.ids.take(at), items.table.take(at))


def _bytes_of(config: EncoderConfig) -> int:
    paths = kind_of_encoder(config).files(config)
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,)))
    return sum(file.stat().st_size for file in files if file.is_file())
