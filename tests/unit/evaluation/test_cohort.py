import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from recsys.errors import ArtifactError
from recsys.evaluation.cohort import Cohort


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
