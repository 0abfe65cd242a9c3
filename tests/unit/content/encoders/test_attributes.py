"""Attributes: equal values are near, rare ones nearer, and nothing depends on the other items."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from recsys.content.directions import directions
from recsys.content.encoders.attributes import AttributesConfig, AttributesEncoder, fit_attributes
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ArtifactError, ConfigError


def items_of(**columns):
    n = len(next(iter(columns.values())))
    ids, _ = IdMap.of(pa.array([f"i{at:03}" for at in range(n)]))
    return Items(ids, pa.table(columns))


def cosines(items, **keys):
    vectors = fit_attributes(items, AttributesConfig(dimension=4096, **keys)).encode(items).vectors
    return vectors @ vectors.T


def test_equal_values_are_one_direction_and_others_are_nearly_square():
    cosine = cosines(items_of(genre=["crime", " Crime ", "love", "war"]), columns=("genre",))
    assert cosine[0, 1] == pytest.approx(1)  # white space and case do not count
    assert abs(cosine[0, 2]) < 0.1 and abs(cosine[2, 3]) < 0.1


def test_a_rare_value_in_common_counts_more_than_a_frequent_one():
    genre = ["crime"] * 50 + ["love"] * 50
    author = [f"a{at}" for at in range(100)]
    author[70] = author[0]
    cosine = cosines(items_of(genre=genre, author=author), columns=("genre", "author"))
    assert cosine[0, 70] > cosine[0, 1] + 0.3


def test_the_cosine_is_that_of_the_idf_weighted_values():
    authors = ["Ann Lee, Bo Ray", "Ann Lee", "Bo Ray, Cy Orr", "Cy Orr", "Cy Orr", "Di Po"]
    cosine = cosines(items_of(authors=authors), separator=",")
    members = [set(map(str.strip, text.split(","))) for text in authors]
    names = sorted(set.union(*members))
    idf = {name: np.log(7 / (1 + sum(name in each for each in members))) + 1 for name in names}
    exact = np.array([[idf[name] * (name in each) for name in names] for each in members])
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(cosine, exact @ exact.T, atol=0.08)


def test_without_a_separator_a_text_is_one_value():
    cosine = cosines(items_of(authors=["Ann Lee, Bo Ray", "Ann Lee", "Ann Lee, Bo Ray"]))
    assert cosine[0, 2] == pytest.approx(1)
    assert abs(cosine[0, 1]) < 0.1


def test_members_of_lists_are_values_and_one_that_comes_twice_counts_once():
    tags = pa.array([["a", "b"], ["b", "a", "a", ""], ["c"], None], pa.list_(pa.string()))
    encoder = fit_attributes(items_of(tags=tags), AttributesConfig())
    encoded = encoder.encode(items_of(tags=tags))
    assert encoded.vectors[0] @ encoded.vectors[1] == pytest.approx(1)
    assert encoded.problems.counts == {"no attribute": 1}
    assert "'i003'" in encoded.problems.first["no attribute"]


def test_numbers_that_are_near_are_alike_and_far_ones_are_not():
    prices = [*map(float, range(1, 101)), None, float("nan")]
    cosine = cosines(items_of(price=prices), bins=10)
    assert cosine[50, 51] > 0.9
    assert cosine[50, 51] > cosine[50, 55] > 0.3
    assert abs(cosine[50, 90]) < 0.1
    assert not cosine[100:].any()


def test_quantiles_follow_the_numbers_and_those_outside_count_as_the_ends():
    encoder = fit_attributes(items_of(price=[1.0] * 50 + [2.0] * 50 + [1e6]), AttributesConfig(bins=4))
    vectors = encoder.encode(items_of(price=[1.0, -5.0, 2.0])).vectors
    assert vectors[0] @ vectors[1] == pytest.approx(1)
    assert abs(vectors[0] @ vectors[2]) < 0.3


def test_dates_count_by_their_year_and_booleans_as_they_are():
    day = pa.array([date(2001, 1, 1), date(2001, 12, 31), date(2002, 1, 1)])
    cosine = cosines(items_of(day=day))
    assert cosine[0, 1] == pytest.approx(1) and abs(cosine[0, 2]) < 0.1
    cosine = cosines(items_of(new=[True, True, False, None]))
    assert cosine[0, 1] == pytest.approx(1) and abs(cosine[0, 2]) < 0.1 and not cosine[3].any()


def test_the_same_value_of_two_columns_is_two_values():
    cosine = cosines(items_of(a=["x", "y"], b=["y", "x"]), columns=("a", "b"))
    assert abs(cosine[0, 1]) < 0.1


def test_by_default_the_title_and_descriptions_are_not_read():
    items = items_of(
        title=["same"] * 4, text=["one", "two", "three", "four"], genre=["a", "a", "b", "b"], price=[1, 2, 3, 4]
    )
    assert fit_attributes(items, AttributesConfig()).columns == ("genre", "price")


def test_without_an_attribute_there_is_nothing_to_read():
    for columns in ({"title": ["a", "b"]}, {"title": ["a", "b"], "text": ["one", "two"]}):
        with pytest.raises(ConfigError, match="no attribute with values"):
            fit_attributes(items_of(**columns), AttributesConfig())


def test_a_value_that_the_catalogue_has_once_brings_a_new_item_to_its_only_neighbour():
    encoder = fit_attributes(items_of(author=["Ann", "Bo", "Bo"]), AttributesConfig(columns=("author",)))
    vectors = encoder.encode(items_of(author=["Ann", "Ann", "Zoe"])).vectors
    assert vectors[0] @ vectors[1] == pytest.approx(1)
    assert vectors[2].any()


def test_rows_of_different_batches_are_encoded_alike():
    author = [f"a{at % 500}" for at in range(9_000)]  # more than fit into one batch
    vectors = fit_attributes(items_of(author=author), AttributesConfig(columns=("author",), dimension=64))
    encoded = vectors.encode(items_of(author=author)).vectors
    np.testing.assert_allclose(encoded[:500], encoded[8_500:], atol=1e-6)


def test_a_stored_encoder_is_the_same_and_a_damaged_one_is_refused(tmp_path):
    items = items_of(genre=["a", "a", "b"], price=[1.0, 2.0, None])
    encoder = fit_attributes(items, AttributesConfig(columns=("genre", "price")))
    encoder.save(tmp_path)
    loaded = AttributesEncoder.load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(items).vectors, encoder.encode(items).vectors)
    (tmp_path / "attributes.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"attributes\.json"):
        AttributesEncoder.load(tmp_path)


def test_directions_follow_from_the_text_alone_and_have_length_one():
    first = directions(["a", "b"], 1024)
    np.testing.assert_array_equal(directions(["b"], 1024)[0], first[1])
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-6)
    many = directions([str(at) for at in range(300)], 1024)
    cosine = (many @ many.T)[np.triu_indices(300, 1)]
    assert abs(cosine.mean()) < 0.002
    assert cosine.std() == pytest.approx(1 / 32, rel=0.05)
    assert len(np.unique(many[:, 512:], axis=0)) == 300  # beyond what one hash gives
