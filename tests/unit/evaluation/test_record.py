import numpy as np
import pytest

from recsys.errors import ArtifactError
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.record import Record
from recsys.evaluation.results import Cohort

LISTS = [[4, 2], [], [5]]


@pytest.fixture
def evaluated(split_of, listed):
    split = split_of([[0, 1], [0], [0, 1, 3]], [[2], [1], [5]], 6)
    return evaluate(listed("als", LISTS), split, cutoffs=(1, 2)), Cohort.of(split)


@pytest.fixture
def record(evaluated):
    return Record.of(*evaluated)


def test_a_record_is_the_accuracy_of_every_user_and_their_list(record, evaluated):
    evaluation, cohort = evaluated
    assert record.users.ids == cohort.users.ids
    assert {name.split("@")[0] for name in record.per_user} == {
        "recall", "recall_hits", "ndcg", "precision", "map", "mrr", "hit_rate",
    }  # fmt: skip
    for name, values in record.per_user.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, evaluation.per_user[name], rtol=1e-7)
    assert [record.list_of(row) for row in range(3)] == [["i004", "i002"], [], ["i005"]]
    assert record.listed.ids.to_pylist() == ["i002", "i004", "i005"]
    assert record.n_items == 3  # with training users


def test_save_and_from_bytes_give_the_same_record(record, tmp_path):
    record.save(tmp_path / "a.arrow")
    content = (tmp_path / "a.arrow").read_bytes()
    again = Record.from_bytes(content)
    assert again.users.ids == record.users.ids
    assert (again.n_items, again.lists.tolist()) == (record.n_items, record.lists.tolist())
    assert [again.list_of(row) for row in range(3)] == [record.list_of(row) for row in range(3)]
    assert list(again.per_user) == list(record.per_user)
    for name, values in record.per_user.items():
        np.testing.assert_array_equal(again.per_user[name], values)
    again.save(tmp_path / "b.arrow")
    assert (tmp_path / "b.arrow").read_bytes() == content


def test_nothing_listed_at_all_is_a_record_too(split_of, listed, tmp_path):
    split = split_of([[0]], [[1]], 2)
    record = Record.of(evaluate(listed("mute", [[]]), split, cutoffs=(2,)), Cohort.of(split))
    record.save(tmp_path / "a.arrow")
    assert Record.from_bytes((tmp_path / "a.arrow").read_bytes()).list_of(0) == []


def test_another_file_is_no_record(record, tmp_path):
    record.save(tmp_path / "a.arrow")
    content = (tmp_path / "a.arrow").read_bytes()
    record.users.save(tmp_path / "users.arrow")
    for wrong in (b"", b"nothing of the kind", content[: len(content) // 2], (tmp_path / "users.arrow").read_bytes()):
        with pytest.raises(ArtifactError, match="evaluation record"):
            Record.from_bytes(wrong)
