"""The forecast of each step's peak memory, of the service's, and of the disk."""

import os
from collections.abc import Callable, Iterable

from pipelines.forecast.events import (
    cleaning_phases,
    early_stopping_phases,
    event_bytes,
    id_bytes,
    mapped_events,
    prepare_phases,
    split_phases,
)
from pipelines.forecast.fitting import (
    Shape,
    added_bytes,
    baseline_phase,
    fit_phases,
    matrix_bytes,
    vectors_bytes,
    weights_bytes,
)
from pipelines.forecast.job_size import JobSize
from pipelines.forecast.terms import MIB, Phase, StepMemory, Term
from pipelines.steps.workspace import ENCODE
from recsys.models.factors.config import stops_early
from recsys.models.registry import baselines_of
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.half_life import may_be_chosen
from recsys.tuning.open_settings import open_keys

Phases = Callable[[JobSize, PipelineConfig], list[Phase]]

_BLOCK_OF_SCORES = 28 * MIB
"""Bytes of scores that one thread of exact search holds."""

_BATCH, _SAMPLED_USERS = 4096, 1000
"""Users per batch in evaluate and in index."""

_ADDED_TO_AT_ONCE = 512
"""Users of whom one thread holds what neighbours add."""

_DRAWS = 16_000_000
"""float64 values that the bootstrap holds at once."""

_FIGURES = 9
"""Metrics per cut-off and user; three more are kept, one per popularity band."""

_KEPT_FREE = 80 * MIB
"""glibc keeps freed arrays of up to 32 MiB for reuse."""

_SERVICE = 185 * MIB
"""Python and the service's libraries."""

_ENCODERS = 60 * MIB
"""scikit-learn, with what an SVD of words holds, which only encode loads."""

_COPIES_OF_TEXT = 8
"""Bytes that encoders hold per byte of the catalogue: Python strings, counts of words."""

_REPORT = 40 * MIB
"""matplotlib and jinja2, which only publish loads."""

_PAGES = 200 * 2**10
"""Bytes of the report in its three formats; hardly anything in it grows with the log."""


def whole(size: JobSize) -> Shape:
    """The matrix of the whole log, which train factorises."""
    return Shape(size.n_users, size.mapped_items, size.entries)


def train_side(size: JobSize) -> Shape:
    """The matrix of the train side, which evaluate factorises."""
    return Shape(size.train_users, size.n_items, round(size.entries * size.train_share))


def job_memory(size: JobSize, config: PipelineConfig, *, resident: int) -> list[StepMemory]:
    """Peak memory of every step; `resident`: bytes of Python and the libraries before any data is read."""
    base = (Term("Python and libraries", resident), Term("freed memory that the C library keeps", _KEPT_FREE))
    steps = ((step, phases) for step, phases in _STEPS.items() if step != ENCODE or size.content)
    return [StepMemory.of(step, phases(size, config), resident=base) for step, phases in steps]


def service_memory(size: JobSize, config: PipelineConfig) -> StepMemory:
    """Peak memory of one serving process with one version loaded."""
    bundle = Phase(
        "load", (*_mapped(size, config), Term.of("indexes, as bytes and as parsed", 4 * _items(size, config)))
    )
    return StepMemory.of("service", [bundle], resident=(Term("Python and libraries", _SERVICE),))


def _encode(size: JobSize, config: PipelineConfig) -> list[Phase]:
    if (content := size.content) is None:
        return []
    catalogue = Term.of(
        "catalogue, its texts and their words", _COPIES_OF_TEXT * content.item_bytes * size.mapped_items
    )
    models = Term.of("encoders: libraries and files", _ENCODERS + content.model_bytes)
    vectors = Term.of("content vectors, new and of the last run", 2 * _content(size))
    return [Phase("encode", (catalogue, models, vectors))]


def _evaluate(size: JobSize, config: PipelineConfig) -> list[Phase]:
    shape = train_side(size)
    matrix, model = Term.of("matrix", matrix_bytes(shape)), Term.of("vectors", vectors_bytes(shape, config.model))
    lists = Term.of("figures of every user", 2 * size.eval_users * _figure_bytes(config))
    vectors = Term.of("item vectors, scaled and of length one", 2 * _items(size, config))
    weights = Term.of("weights of neighbours", weights_bytes(shape, config.model))
    added = Term.of(
        "what neighbours add",
        added_bytes(shape, config.model, min(_BATCH, _ADDED_TO_AT_ONCE * (os.cpu_count() or 1))),
    )
    scoring = Phase("rank all items", (matrix, model, weights, lists, vectors, added, _scores(size, _BATCH)))
    baselines = [baseline_phase(name, shape) for name in baselines_of(config.evaluate, shape.items)]
    return [
        *_stopping(size, config),
        *split_phases(size, config),
        *fit_phases(shape, config.model, mapped=False),
        scoring,
        *(each.while_holding((matrix, model, lists)) for each in baselines),
    ]


def _stopping(size: JobSize, config: PipelineConfig) -> list[Phase]:
    """Early stopping, and the choice of settings, split the train side once more and fit one part.

    The events are held meanwhile.
    """
    if not (stops_early(config.model) or open_keys(config.model) or may_be_chosen(config)):
        return []
    whole_side = train_side(size)
    side = Shape(whole_side.users, whole_side.items, round(whole_side.entries * size.train_share))
    held = (mapped_events(size, config), _scores(size, _BATCH))
    fits = [phase.while_holding(held) for phase in fit_phases(side, config.model, mapped=False)]
    return [phase.named("validation: ") for phase in (*early_stopping_phases(size, config), *fits)]


def _train(size: JobSize, config: PipelineConfig) -> list[Phase]:
    shape = whole(size)
    earlier: tuple[Term, ...] = ()
    if config.model.continuity != "none":
        earlier = (Term.of("vectors of the version that serves", vectors_bytes(shape, config.model)),)
    weighed = []
    if may_be_chosen(config):  # then train weighs the events anew
        held = (mapped_events(size, config),)
        weighed = [phase.named("weigh anew: ") for phase in cleaning_phases(size, 1.0, config, held=held)]
    return [*weighed, *(phase.while_holding(earlier) for phase in fit_phases(shape, config.model, mapped=True))]


def _index(size: JobSize, config: PipelineConfig) -> list[Phase]:
    copies = Term.of("item vectors, scaled, of length one, indexed", 5 * _items(size, config))
    return [Phase("index", (*_mapped(size, config), copies, _scores(size, _SAMPLED_USERS)))]


def _n_models(size: JobSize, config: PipelineConfig) -> int:
    """The model and its baselines."""
    return 1 + len(baselines_of(config.evaluate, train_side(size).items))


def _publish(size: JobSize, config: PipelineConfig) -> list[Phase]:
    n_models = _n_models(size, config)
    columns = (2 * n_models - 1) * _FIGURES * len(config.evaluate.cutoffs)
    draws = 8 * min(_DRAWS * 2, config.evaluate.bootstrap * size.eval_users)
    report = Term("libraries of the report", _REPORT)
    figures = size.eval_users * (n_models * _figure_bytes(config) + 25 * columns)
    intervals = Phase("intervals", (report, Term.of("figures of every user", figures), Term.of("resamples", draws)))
    indexes = Term.of("indexes, as bytes and as parsed", 5 * _items(size, config))
    return [intervals, Phase("seal", (report, *_mapped(size, config), indexes))]


_STEPS: dict[str, Phases] = {
    "prepare": prepare_phases,
    ENCODE: _encode,
    "evaluate": _evaluate,
    "train": _train,
    "index": _index,
    "publish": _publish,
}


def _scores(size: JobSize, users: int) -> Term:
    return Term.of("scores", min((os.cpu_count() or 1) * _BLOCK_OF_SCORES, 4 * users * size.mapped_items))


def _items(size: JobSize, config: PipelineConfig) -> int:
    return 4 * config.model.factors * size.mapped_items


def _content(size: JobSize) -> int:
    """Bytes of the content vectors of all items, side by side."""
    return 0 if size.content is None else 4 * size.content.width * size.mapped_items


def _figure_bytes(config: PipelineConfig) -> int:
    """Bytes that `Evaluation` keeps per user: float64 metrics per cut-off, three bands, the first 20 items."""
    return 8 * (_FIGURES + 3) * len(config.evaluate.cutoffs) + 80


def _mapped(size: JobSize, config: PipelineConfig) -> Iterable[Term]:
    """Vectors and matrix as they are loaded: mapped, with every value checked once."""
    shape = whole(size)
    yield Term.of("vectors, mapped from their files", vectors_bytes(shape, config.model))
    yield Term.of("matrix, mapped from its files", matrix_bytes(shape))
    yield Term.of("weights of neighbours, mapped from their files", weights_bytes(shape, config.model))
    if size.content is not None:
        yield Term.of("content vectors, mapped from their files", _content(size))
    yield Term.of("a flag per value of the user vectors", config.model.factors * size.n_users)


def workspace_bytes(size: JobSize, config: PipelineConfig) -> int:
    """Bytes of the files of all steps, and of the largest once more: a step writes beside its old output."""
    shape, n_models = whole(size), _n_models(size, config)
    files = {
        "prepare": size.events * event_bytes(config) + 2 * id_bytes(size) + matrix_bytes(shape),
        ENCODE: _content(size),
        "evaluate": n_models * size.eval_users * _figure_bytes(config) + _history_bytes(size),
        "train": vectors_bytes(shape, config.model) + weights_bytes(shape, config.model),
        "index": 2 * _items(size, config),
        "publish": _PAGES,
    }
    return round(sum(files.values()) + max(files.values()))


def _history_bytes(size: JobSize) -> float:
    return 8 * size.entries * size.eval_users / max(size.n_users, 1)


def version_bytes(size: JobSize, config: PipelineConfig) -> int:
    """Bytes of one published version."""
    shape = whole(size)
    record = size.eval_users * (80 + 4 * _FIGURES * len(config.evaluate.cutoffs))
    model = vectors_bytes(shape, config.model) + weights_bytes(shape, config.model)
    arrays = model + matrix_bytes(shape) + 2 * _items(size, config)
    return round(arrays + id_bytes(size) + record + _content(size) + _PAGES)
