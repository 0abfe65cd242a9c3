import logging

import implicit.gpu
import numpy as np
import pytest
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_info, threadpool_limits

from recsys.data.matrix import load_csr, save_csr
from recsys.errors import DataError, ModelError
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.implicit_input import writeable

SMALL = AlsConfig(factors=6, regularization=0.7, iterations=4, seed=3, threads=1)


@pytest.fixture(params=["implicit", "compiled"])
def small(request):
    """Settings of a small fit, with each solver."""
    return SMALL.model_copy(update={"solver": request.param})


def _same(left, right):
    return np.array_equal(left.users, right.users) and np.array_equal(left.items, right.items)


def _objective(confidence, fit, regularization):
    """The documented objective, over the sum of all confidences, written out in full."""
    stored = confidence.toarray().astype(np.float64)
    users, items = fit.users.astype(np.float64), fit.items.astype(np.float64)
    preference, weight = stored > 0, np.where(stored > 0, stored, 1)
    loss = (weight * (preference - users @ items.T) ** 2).sum()
    return (loss + regularization * ((users**2).sum() + (items**2).sum())) / weight.sum()


def test_it_is_the_bare_solver(confidence):
    with threadpool_limits(1, "blas"):
        bare = AlternatingLeastSquares(
            factors=6, regularization=0.7, alpha=1.0, iterations=4, random_state=3, num_threads=1
        )
        bare.fit(confidence.copy(), show_progress=False)
    fit = fit_als(confidence, SMALL)
    np.testing.assert_array_equal(fit.users, bare.user_factors)
    np.testing.assert_array_equal(fit.items, bare.item_factors)


def test_threads_do_not_change_a_bit(confidence, small):
    wide = sp.csr_matrix(sp.random(400, 300, 0.05, random_state=1, dtype=np.float32))
    wide.data += 0.5
    for matrix in (confidence, wide):
        assert _same(fit_als(matrix, small), fit_als(matrix, small.model_copy(update={"threads": 2})))


def test_the_seed_decides(confidence, small):
    assert _same(fit_als(confidence, small), fit_als(confidence, small))
    assert not _same(fit_als(confidence, small), fit_als(confidence, small.model_copy(update={"seed": 4})))


def test_losses_are_the_documented_objective_and_fall(confidence, small):
    fit = fit_als(confidence, small.model_copy(update={"log_loss": True}))
    assert len(fit.losses) == 4
    assert all(later < earlier for earlier, later in zip(fit.losses, fit.losses[1:], strict=False))
    assert fit.losses[-1] == pytest.approx(_objective(confidence, fit, 0.7), rel=1e-5)
    assert fit_als(confidence, small).losses == ()


def test_progress_is_told_after_every_iteration(confidence, small):
    told = []
    fit_als(confidence, small, progress=lambda *step: told.append(step))
    assert told == [("als", done, 4) for done in (1, 2, 3, 4)]


def test_on_iteration_sees_what_a_shorter_fit_would_end_with(confidence, small):
    seen = {}
    fit_als(
        confidence, small, on_iteration=lambda done, users, items: seen.update({done: (users.copy(), items.copy())})
    )
    assert list(seen) == [1, 2, 3, 4]
    for done, (users, items) in seen.items():
        shorter = fit_als(confidence, small.model_copy(update={"iterations": done}))
        np.testing.assert_array_equal(users, shorter.users)
        np.testing.assert_array_equal(items, shorter.items)


def test_on_iteration_can_end_the_fit(confidence, small):
    told = []

    def enough(done, users, items):
        if done == 2:
            raise StopIteration

    with pytest.raises(StopIteration):
        fit_als(confidence, small, progress=lambda *step: told.append(step), on_iteration=enough)
    assert len(told) == 2


def test_blas_has_one_thread_while_it_fits_and_its_own_number_after(confidence, small):
    def blas_threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, during = blas_threads(), []
    fit_als(confidence, small, progress=lambda *_: during.extend(blas_threads()))
    assert set(during) == {1}
    assert blas_threads() == before


def test_rows_without_entries_get_the_zero_vector(confidence, small):
    fit = fit_als(confidence, small)
    assert not fit.users[5].any()
    assert not fit.items[7].any()
    assert fit.users.any(axis=1).sum() == 59
    started = (np.ones((60, 6), np.float32), np.ones((40, 6), np.float32))
    assert not fit_als(confidence, small, start=started).users[5].any()


def test_vectors_are_fresh_contiguous_float32(confidence, small):
    start = tuple(np.full((rows, 6), 0.1, np.float32) for rows in confidence.shape)
    fit = fit_als(confidence, small, start=start)
    for array, given in zip((fit.users, fit.items), start, strict=True):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert not np.shares_memory(array, given)
        assert (given == np.float32(0.1)).all()


def test_a_warm_start_goes_on_where_it_was(confidence, small):
    config = small.model_copy(update={"iterations": 2})
    half = fit_als(confidence, config)
    whole, continued = fit_als(confidence, small), fit_als(confidence, config, start=(half.users, half.items))
    if small.solver == "implicit":
        assert _same(continued, whole)
    # The compiled solver turns its vectors into the basis of the start, and back: float32 rounding errors.
    np.testing.assert_allclose(continued.users, whole.users, atol=1e-4)
    np.testing.assert_allclose(continued.items, whole.items, atol=1e-4)


def test_a_second_fit_knows_nothing_of_the_first(confidence, small):
    first = fit_als(confidence, small)
    fit_als(confidence[:30].copy(), small)
    assert _same(fit_als(confidence, small), first)


@pytest.mark.parametrize(
    ("shapes", "dtype", "message"),
    [
        (((59, 6), (40, 6)), np.float32, r"start users float32 \(59, 6\), expected float32 \(60, 6\)"),
        (((60, 6), (40, 5)), np.float32, r"start items float32 \(40, 5\), expected float32 \(40, 6\)"),
        (((60, 6), (40, 6)), np.float64, r"start users float64"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(confidence, shapes, dtype, message, small):
    with pytest.raises(ModelError, match=message):
        fit_als(confidence, small, start=tuple(np.zeros(shape, dtype) for shape in shapes))


def test_a_start_that_is_not_finite_is_refused(confidence, small):
    start = (np.zeros((60, 6), np.float32), np.full((40, 6), np.inf, np.float32))
    with pytest.raises(ModelError, match="start items hold NaN or infinity"):
        fit_als(confidence, small, start=start)


def test_the_input_is_left_alone_and_may_be_read_only(confidence, small):
    mapped = confidence.copy()
    for array in (mapped.data, mapped.indices, mapped.indptr):
        array.flags.writeable = False
    assert _same(fit_als(mapped, small), fit_als(confidence, small))
    assert (mapped != confidence).nnz == 0


def test_long_row_pointers_are_accepted(confidence, small):
    long = confidence.copy()
    long.indptr = long.indptr.astype(np.int64)
    assert _same(fit_als(long, small), fit_als(confidence, small))


def _broken(confidence, part, position, value):
    broken = confidence.copy()
    getattr(broken, part)[position] = value
    return broken


@pytest.mark.parametrize(
    ("part", "position", "value", "message"),
    [
        ("data", 3, np.nan, "not finite"),
        ("data", 3, np.inf, "not finite"),
        ("data", 3, 0.0, "above zero"),
        ("data", 3, -1.0, "above zero"),
        ("indices", 3, 40, "indices"),
        ("indices", 3, -1, "indices"),
        ("indices", 1, 0, "unsorted or repeated"),
    ],
)
def test_what_would_crash_the_solver_is_refused(confidence, part, position, value, message, small):
    with pytest.raises(DataError, match=message):
        fit_als(_broken(confidence, part, position, value), small)


def test_doubles_are_refused(confidence, small):
    with pytest.raises(DataError, match="float64"):
        fit_als(confidence.astype(np.float64), small)


@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (0, 0)])
def test_nothing_to_learn_from_is_refused(shape, small):
    with pytest.raises(ModelError, match="nothing to learn from"):
        fit_als(sp.csr_matrix(shape, dtype=np.float32), small)


def test_vectors_that_explode_are_refused_with_the_likely_cause(confidence, small):
    huge = confidence.copy()
    huge.data[:] = 1e38
    with pytest.raises(ModelError, match=r"not finite.*regularization 0 is too small for confidences up to 1e\+38"):
        fit_als(huge, small.model_copy(update={"regularization": 0.0}))


@pytest.mark.skipif(implicit.gpu.HAS_CUDA, reason="implicit has a GPU here")
def test_without_a_gpu_the_cpu_trains_and_says_so(confidence, caplog):
    with caplog.at_level(logging.WARNING):
        fit = fit_als(confidence, SMALL.model_copy(update={"gpu": True}))
    assert "training on the CPU" in caplog.text
    assert _same(fit, fit_als(confidence, SMALL))


@pytest.mark.skipif(not implicit.gpu.HAS_CUDA, reason="implicit has no GPU here")
def test_a_gpu_minimises_the_same_objective(confidence):
    config = SMALL.model_copy(update={"iterations": 30, "log_loss": True})
    on_gpu, on_cpu = fit_als(confidence, config.model_copy(update={"gpu": True})), fit_als(confidence, config)
    assert _objective(confidence, on_gpu, 0.7) == pytest.approx(_objective(confidence, on_cpu, 0.7), rel=0.01)
    assert on_gpu.losses[-1] == pytest.approx(_objective(confidence, on_gpu, 0.7), rel=1e-3)
    start = (on_gpu.users, on_gpu.items)
    assert fit_als(confidence, config.model_copy(update={"gpu": True}), start=start).losses[0] <= on_gpu.losses[-1]


def test_groups_are_told_apart(groups, small):
    fit = fit_als(groups.csr, small.model_copy(update={"factors": 2, "iterations": 10}))
    scores = fit.users @ fit.items.T
    assert scores[:20, :15].min() > scores[:20, 15:].max()
    assert scores[20:, 15:].min() > scores[20:, :15].max()


def test_a_matrix_mapped_from_files_is_not_copied_for_the_solver_and_not_written_to(tmp_path):
    csr = sp.random(30, 20, 0.3, format="csr", dtype=np.float32, rng=1)
    save_csr(csr, tmp_path / "matrix")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    mapped = load_csr(tmp_path / "matrix", csr.shape)
    unlocked = writeable(mapped)
    assert np.shares_memory(unlocked.indices, mapped.indices)
    assert unlocked.indices.flags.writeable
    assert not mapped.indices.flags.writeable
    fit_als(mapped, AlsConfig(factors=4, iterations=1))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_other_read_only_arrays_are_copied_for_the_solver():
    csr = sp.random(30, 20, 0.3, format="csr", dtype=np.float32, rng=1)
    csr.indices.flags.writeable = False
    kept = sp.csr_matrix((csr.data, np.frombuffer(csr.indices.tobytes(), np.int32), csr.indptr), shape=csr.shape)
    unlocked = writeable(kept)
    assert unlocked.indices.flags.writeable
    np.testing.assert_array_equal(unlocked.indices, csr.indices)


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_start_is_overwritten_only_where_it_may_be(overwrite):
    csr = sp.random(30, 20, 0.3, format="csr", dtype=np.float32, rng=1)
    rng = np.random.default_rng(1)
    start = rng.random((30, 4), dtype=np.float32), rng.random((20, 4), dtype=np.float32)
    before = start[1].copy()
    fit = fit_als(csr, AlsConfig(factors=4, iterations=1), start=start, overwrite_start=overwrite)
    assert np.shares_memory(fit.items, start[1]) == overwrite
    assert np.array_equal(before, start[1]) != overwrite
