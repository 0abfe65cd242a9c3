"""Memory of reading, cleaning and splitting: what grows with the events of the log."""

import os

from pipelines.forecast.job_size import JobSize
from pipelines.forecast.terms import Phase, Term
from recsys.config import ItemsConfig
from recsys.data.ingest.configured import items_input, whole_log
from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig

_MOST_THREADS = 4
_GROWTH = 1.125
"""A column that grows by a quarter whenever it is full has an eighth to spare, on average."""


def event_bytes(config: PipelineConfig) -> int:
    """Bytes of one event in `Interactions`: two int32 positions, a float32 value, an int64 time, an int8 kind."""
    return 12 + 8 * (config.log.timestamp is not None) + (config.log.event is not None)


def id_bytes(size: JobSize) -> float:
    """Bytes of both id maps: text and one int32 offset per id."""
    return size.users * (size.user_id_bytes + 4) + size.items * (size.item_id_bytes + 4)


def prepare_phases(size: JobSize, config: PipelineConfig) -> list[Phase]:
    """Phases of prepare: reading, deduplication and cleaning, while the events are held."""
    events = Term.of("events", size.accepted * event_bytes(config) + id_bytes(size))
    phases = [_reading(size, config), *cleaning_phases(size, 1.0, config, held=(events,))]
    if config.prepare.deduplicate:
        # first_of_equal_rows: marks, their order and the marks in that order, 8 bytes per row each, and a flag.
        sort = Term.of("sorting to find duplicates", 25 * size.accepted)
        phases.append(Phase("deduplicate", (events, sort)))
    return [*phases, Phase("catalogue", (events, Term.of("catalogue", 3 * _catalogue_bytes(config.items))))]


def _catalogue_bytes(items: ItemsConfig | None) -> int:
    """0 if it cannot be read, which the check of the catalogue says."""
    try:
        return 0 if items is None else items_input(items).size_in_memory()
    except (DataError, OSError):
        return 0


def split_phases(size: JobSize, config: PipelineConfig) -> list[Phase]:
    """Phases of the split: the mapped events, copies of both sides, and cleaning of the train side."""
    mapped = mapped_events(size, config)
    if config.evaluate.split == "given":
        return cleaning_phases(size, 1.0, config, held=(mapped,))
    sides = Term.of("train and held-out events (copies)", size.events * (event_bytes(config) + 1))
    phases = cleaning_phases(size, size.train_share, config, held=(mapped, sides))
    if config.evaluate.split == "last_n":
        # split_last_items: keys, an order, the keys in it, and what np.unique and np.isin sort: 8 bytes per row each.
        phases.append(Phase("order events by user", (mapped, Term.of("sorting", 57 * size.events))))
    return phases


def early_stopping_phases(size: JobSize, config: PipelineConfig) -> list[Phase]:
    """Phases of early stopping, which splits the train side once more: the events, that side, and its two parts."""
    side = size.events * size.train_share * event_bytes(config)
    copies = Term.of("train side for early stopping (copies)", 2 * side)
    return cleaning_phases(size, size.train_share**2, config, held=(mapped_events(size, config), copies))


def mapped_events(size: JobSize, config: PipelineConfig) -> Term:
    """The events as evaluate loads them, mapped from their file."""
    return Term.of("events, mapped from prepare's file", size.events * event_bytes(config) + id_bytes(size))


def _reading(size: JobSize, config: PipelineConfig) -> Phase:
    kinds = 4 * (config.log.event is not None)  # int32 while they grow
    columns = size.accepted * (12 + 8 * (config.log.timestamp is not None) + kinds)
    blocks = (min(os.cpu_count() or 1, _MOST_THREADS) + 2) * whole_log(config.log).block_bytes_in_memory()
    return Phase(
        "read",
        (
            Term.of("columns that grow", columns * _GROWTH),
            Term.of("ids", 2 * id_bytes(size)),
            Term.of("blocks being parsed", blocks),
        ),
    )


def cleaning_phases(size: JobSize, share: float, config: PipelineConfig, *, held: tuple[Term, ...]) -> list[Phase]:
    """Phases of build_matrix on a `share` of the events: its peaks are the sorting and numbering of pairs."""
    events, entries = size.events * share, size.pairs * share
    copies = []
    if config.prepare.max_user_events is not None:
        copies.append(Term.of("events without bots (a copy)", events * event_bytes(config)))
    weights = Term.of("weights", 4 * events)
    # The keys, their order, the keys in it (int64), and the weights in it.
    order = Term.of("keys of user and item, sorted", 28 * events)
    # Keys and weights in order; of each pair its start, user and item as int64, as int32, and how many events it has.
    pairs = Term.of("distinct pairs", 12 * events + 52 * entries)
    return [
        Phase("sort pairs", (*held, *copies, weights, order)),
        Phase("merge pairs", (*held, *copies, weights, pairs)),
    ]
