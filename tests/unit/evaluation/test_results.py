import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from recsys.data.arrow_file import write_arrow
from recsys.errors import ArtifactError
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.results import Cohort, Evaluation


@pytest.fixture
def cohort(split_of):
    return Cohort.of(split_of([[0, 1], [0], [0, 2]], [[2, 3], [1]], 4))


def test_a_cohort_is_the_evaluated_users_and_their_catalogue(cohort):
    assert cohort.users.ids.to_pylist() == ["u000", "u001"]
    assert_array_equal(cohort.n_history, [2, 1])
    assert_array_equal(cohort.popularity, [3, 1, 1, 0])
    assert_array_equal(cohort.holdout.toarray(), [[0, 0, 1, 1], [0, 1, 0, 0]])
    with pytest.raises(ValueError, match="read-only"):
        cohort.popularity[0] = 1


def test_save_and_load_give_the_same_cohort(cohort, tmp_path):
    cohort.save(tmp_path / "cohort")
    again = Cohort.load(tmp_path / "cohort")
    for field in dataclasses.fields(Cohort):
        old, new = getattr(cohort, field.name), getattr(again, field.name)
        if field.name in {"users", "items"}:
            assert new.ids == old.ids
        elif field.name == "popularity":
            assert_array_equal(new, old)
        else:
            assert (new != old).nnz == 0


def test_a_damaged_cohort_is_refused_by_the_files_name(cohort, tmp_path):
    cohort.save(tmp_path)
    (tmp_path / "popularity.npy").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match=r"popularity\.npy"):
        Cohort.load(tmp_path)
    np.save(tmp_path / "history.indptr.npy", np.zeros(2, np.int32))
    with pytest.raises(ArtifactError, match="history"):
        Cohort.load(tmp_path)


def test_save_and_load_give_the_same_evaluation(split_of, listed, tmp_path):
    split = split_of([[0, 1], [0], [0, 1, 2], [0, 3, 4]], [[2, 3], [4]], 5)
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    result = evaluate(listed("als", [[2, 4, 3], [1]]), split, cutoffs=(1, 3), item_vectors=vectors)
    result.save(tmp_path / "als.arrow")
    again = Evaluation.load(tmp_path / "als.arrow")
    assert again.means() == pytest.approx(result.means())
    assert (again.name, again.n_short, again.seconds) == (result.name, result.n_short, result.seconds)
    for table, expected in (
        (again.per_user, result.per_user),
        *((again.by_band[band], result.by_band[band]) for band in result.by_band),
    ):
        assert list(table) == list(expected)
        for metric, values in expected.items():
            assert np.array_equal(table[metric], values, equal_nan=True)
    assert list(again.by_band) == list(result.by_band)
    assert np.array_equal(again.lists, result.lists)


def test_another_file_is_no_evaluation(tmp_path):
    path = tmp_path / "als.arrow"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactError, match=r"als\.arrow: expected an Arrow file"):
        Evaluation.load(path)
    table = pa.table({"recall@10": [0.5]})
    write_arrow(table, path)
    with pytest.raises(ArtifactError, match=r"als\.arrow"):
        Evaluation.load(path)
