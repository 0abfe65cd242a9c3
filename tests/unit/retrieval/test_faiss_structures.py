import numpy as np
import pytest

from recsys.retrieval.families.faiss_structures import (
    longest,
    mips_to_l2,
    native,
    padded,
    padded_factors,
    parse,
    to_bytes,
)


def test_the_nearest_augmented_item_has_the_largest_inner_product(rng):
    items = (rng.normal(size=(300, 7)) * rng.lognormal(size=(300, 1))).astype(np.float32)
    queries = rng.normal(size=(40, 7)).astype(np.float32)
    longer, asked = mips_to_l2(items, longest(items)), padded(queries)
    distance = ((asked[:, None] - longer) ** 2).sum(axis=2)
    np.testing.assert_array_equal(distance.argmin(axis=1), (queries @ items.T).argmax(axis=1))


def test_every_augmented_item_is_as_long_as_the_longest(rng):
    items = rng.normal(size=(50, 3)).astype(np.float32)
    items[0] = 0
    longer = mips_to_l2(items, longest(items))
    np.testing.assert_allclose(np.linalg.norm(longer, axis=1), longest(items), rtol=1e-6)
    np.testing.assert_array_equal(longer[:, :3], items)
    assert longer.dtype == np.float32


def test_queries_end_in_zeros():
    asked = padded(np.array([[3, 4]], np.float32))
    np.testing.assert_array_equal(asked, [[3, 4] + [0] * 14])


@pytest.mark.parametrize(("factors", "expected"), [(1, 16), (15, 16), (16, 32), (64, 80)])
def test_dimensions_are_a_multiple_of_sixteen_and_have_room_for_one_more(factors, expected):
    assert padded_factors(factors) == expected


def test_no_vectors_have_no_length():
    assert longest(np.zeros((0, 3), np.float32)) == 0


def test_a_length_that_the_file_cannot_hold_is_refused_by_the_limits_of_reading(rng):
    vectors = rng.normal(size=(300, 7)).astype(np.float32)
    structure = native.IndexIVFFlat(native.IndexFlatIP(16), 16, 4, native.METRIC_INNER_PRODUCT)
    structure.train(padded(vectors))
    structure.add(padded(vectors))
    content = bytes(to_bytes(structure))
    number, n_refused = (4).to_bytes(8, "little"), 0  # of cells, which stands in three places
    for at in (at for at in range(len(content)) if content.startswith(number, at)):
        damaged = content[:at] + (2**24).to_bytes(8, "little") + content[at + 8 :]
        try:
            parse(memoryview(damaged), vectors.shape, expected=native.IndexIVF)
        except RuntimeError as error:
            n_refused += "limit" in str(error)
    assert n_refused == 3
