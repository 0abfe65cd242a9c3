"""Every term against the code that allocates it: what numpy holds at its peak, traced."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.forecast.events import cleaning_phases, early_stopping_phases, split_phases
from pipelines.forecast.fitting import Shape, als_phase, fit_phases, spectral_phases, vectors_bytes, weights_bytes
from pipelines.forecast.job_size import JobSize
from pipelines.forecast.terms import Phase, StepMemory, Term, text
from recsys.data.cleaning import build_matrix
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.spectral import spectral_start
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig, parse_config

N_USERS, N_ITEMS = 20_000, 3_000
MODEL = AlsConfig(factors=32, iterations=1, threads=1)


def traced_peak(work: Callable[[], object]) -> int:
    """Bytes that `work` had allocated at its peak, beyond what there was before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def largest(phases: list[Phase]) -> int:
    return max(phase.size for phase in phases)


@pytest.fixture(scope="module")
def matrix() -> InteractionMatrix:
    rng = np.random.default_rng(1)
    row, column = rng.integers(0, N_USERS, 700_000), rng.integers(0, N_ITEMS, 700_000)
    csr = csr_from_pairs(
        row.astype(np.int32), column.astype(np.int32), np.ones(700_000, np.float32), (N_USERS, N_ITEMS)
    )
    users, items = (IdMap.of([f"{number:06}" for number in range(count)])[0] for count in csr.shape)
    return InteractionMatrix(users, items, csr)


def few_users(matrix: InteractionMatrix) -> InteractionMatrix:
    """The first 50 users, with every item."""
    return InteractionMatrix(IdMap.of(matrix.users.decode(range(50)))[0], matrix.items, matrix.csr[:50].copy())


@pytest.fixture
def shape(matrix: InteractionMatrix) -> Shape:
    return Shape(matrix.n_users, matrix.n_items, matrix.csr.nnz)


@pytest.fixture
def config(tmp_path: Path) -> PipelineConfig:
    return parse_config({"log": {"paths": ["log.csv"], "timestamp": "t"}}, base=tmp_path)


def _size(n_events: int, n_pairs: int) -> JobSize:
    return JobSize(
        measured=True,
        rows=n_events,
        accepted=n_events,
        events=n_events,
        users=N_USERS,
        items=N_ITEMS,
        n_users=N_USERS,
        n_items=N_ITEMS,
        entries=n_pairs,
        pairs=n_pairs,
        train_share=1.0,
        train_users=N_USERS,
        eval_users=0,
        co_occurrences=0,
        user_id_bytes=6.0,
        item_id_bytes=6.0,
    )


@pytest.mark.parametrize("repeats", [1, 6])
def test_cleaning(matrix: InteractionMatrix, config: PipelineConfig, repeats: int) -> None:
    """Where pairs are distinct they take most, where they repeat the sorting does."""
    row = np.repeat(np.arange(N_USERS, dtype=np.int32), np.diff(matrix.csr.indptr))[: 600_000 // repeats]
    user, item = np.tile(row, repeats), np.tile(matrix.csr.indices[: len(row)], repeats)
    events = Interactions(
        matrix.users, matrix.items, user, item, np.ones(len(user), np.float32), np.zeros(len(user), np.int64)
    )
    weights = EventWeights.of(config.log, config.prepare)
    phases = cleaning_phases(_size(len(user), len(row)), 1.0, config, held=())
    assert largest(phases) == pytest.approx(
        traced_peak(lambda: build_matrix(events, config.prepare, weights=weights)), rel=0.1
    )


def test_early_stopping_holds_the_train_side_twice(config: PipelineConfig) -> None:
    size = _size(1_000_000, 500_000)  # all of it on the train side: 20 bytes an event, once more
    once, twice = largest(split_phases(size, config)), largest(early_stopping_phases(size, config))
    assert twice - once == 20 * 1_000_000 - 1_000_000  # the plain cut has a flag for each event


def test_the_spectral_start(matrix: InteractionMatrix, shape: Shape) -> None:
    spectral_start(matrix.csr[:50].copy(), 2, seed=1)  # compiled code, which is loaded once, is not counted
    peak = traced_peak(lambda: spectral_start(matrix.csr, MODEL.factors, seed=1))
    assert largest(spectral_phases(shape, MODEL)) == pytest.approx(peak, rel=0.15)


def test_als_from_random_vectors(matrix: InteractionMatrix, shape: Shape) -> None:
    random = MODEL.model_copy(update={"start": "random"})
    phase = als_phase(shape, random, Term("confidence", 0))
    assert phase.size == pytest.approx(traced_peak(lambda: fit_als(matrix.csr, random)), rel=0.1)


@pytest.mark.parametrize("factors", [16, 128])
def test_a_whole_fit_beside_its_matrix(matrix: InteractionMatrix, shape: Shape, factors: int) -> None:
    model = MODEL.model_copy(update={"factors": factors})
    beside = next(term.size for term in fit_phases(shape, model, mapped=False)[0].terms if term.what == "matrix")
    fit_model(few_users(matrix), model)  # compiled code, which is loaded once, is not counted
    peak = traced_peak(lambda: fit_model(matrix, model))
    assert largest(fit_phases(shape, model, mapped=False)) - beside == pytest.approx(peak, rel=0.2)


def test_weights_of_neighbours_are_no_larger_than_said(
    matrix: InteractionMatrix, shape: Shape, tmp_path: Path
) -> None:
    model = MODEL.model_copy(update={"neighbours": 5, "neighbours_share": 0.3})
    fit_model(matrix, model).save(tmp_path)
    files = sum(path.stat().st_size for path in tmp_path.glob("neighbours*"))
    assert weights_bytes(shape, model) / 2 < files <= weights_bytes(shape, model) + 3 * 128 + 4
    assert weights_bytes(shape, MODEL.model_copy(update={"neighbours": 0})) == 0


def test_vectors_are_as_large_as_their_files(matrix: InteractionMatrix, shape: Shape, tmp_path: Path) -> None:
    fit_model(matrix, MODEL).embeddings.save(tmp_path)
    files = sum((tmp_path / name).stat().st_size for name in ("users.npy", "items.npy"))
    assert files == vectors_bytes(shape, MODEL) + 2 * 128  # a header each


def test_a_step_is_its_largest_moment_and_what_is_always_there() -> None:
    phases = [Phase("small", (Term("a", 1),)), Phase("large", (Term("b", 5), Term("c", 6)))]
    step = StepMemory.of("train", phases, resident=(Term("python", 100),))
    assert (step.size, step.peak.name) == (111, "large")


@pytest.mark.parametrize(("size", "shown"), [(5 * 2**20, "5 MiB"), (3 * 2**29, "1.5 GiB")])
def test_sizes_for_people(size: int, shown: str) -> None:
    assert text(size) == shown
