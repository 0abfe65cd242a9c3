import numpy as np

from recsys.models.recommender import Queries


def test_a_batch_keeps_histories_and_users_together(csr):
    history = csr(np.eye(4))
    part = Queries(history, np.array([9, 8, 7, 6], np.int32)).batch(1, 3)
    np.testing.assert_array_equal(part.history.toarray(), np.eye(4)[1:3])
    assert part.user_idx.tolist() == [8, 7]
    assert len(part) == 2
    assert Queries(history, None).batch(0, 9).user_idx is None
