import numpy as np
import pytest

from recsys.content.encoders.glove import GLOVE, GloveEncoderConfig
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError


def fitted(matrix, **keys):
    config = GloveEncoderConfig(dimension=8, **keys)
    return GLOVE.fit(Items.without_attributes(matrix.items), config, histories=matrix)


def test_items_of_one_group_of_users_are_near_and_others_are_counted(groups, gap):
    encoded = fitted(groups).encode(Items.without_attributes(groups.items))
    assert gap(encoded.vectors[:39]) > 0.3
    assert not encoded.vectors[39:].any()
    assert encoded.problems.counts == {"in no history with another item": 2}


def test_stored_vectors_are_the_same(groups, tmp_path, items_of):
    encoder = fitted(groups)
    encoder.save(tmp_path)
    np.testing.assert_array_equal(GLOVE.load(tmp_path).encode(items_of([None] * 3)).vectors, encoder.vectors[:3])


def test_it_reads_no_column_and_learns_from_histories(groups):
    config = GloveEncoderConfig()
    assert GLOVE.learns_from_histories(config)
    assert GLOVE.reads(Items.without_attributes(groups.items), config) == ()


def test_histories_without_a_pair_are_refused(groups):
    alone = InteractionMatrix(groups.users.take(np.arange(80, 81)), groups.items, groups.csr[80:])
    with pytest.raises(DataError, match="content 'glove': nothing to learn from: no user has used two items"):
        fitted(alone)
    with pytest.raises(DataError, match="content 'glove': learns from histories, but there are none"):
        GLOVE.fit(Items.without_attributes(groups.items), GloveEncoderConfig(), histories=None)
