"""From counts to confidence: each formula against a table worked by hand, and what holds for all of them."""

import re
from math import log

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.confidence import ConfidenceConfig, ConfidenceWeighting, fit_confidence
from recsys.data.matrix import check_canonical
from recsys.errors import ArtifactError, DataError

KINDS = ["degree", "log", "bm25", "plain"]

#      a  b  c
# u    1  3  .
# v    7  .  .
TABLE = np.array([[1, 3, 0], [7, 0, 0]], np.float32)

weights = st.sampled_from([0, 0, 0, 1e-30, 0.25, 1, 2, 3, 1000])
tables = st.integers(1, 6).flatmap(
    lambda n_items: st.lists(st.lists(weights, min_size=n_items, max_size=n_items), min_size=1, max_size=6)
)


def csr_of(table):
    return sp.csr_matrix(np.array(table, np.float32))


def test_plain():
    confidence = fit_confidence(csr_of(TABLE), ConfidenceConfig(weighting="plain", alpha=2)).apply(csr_of(TABLE))
    np.testing.assert_array_equal(confidence.toarray(), 2 * TABLE)


def test_log():
    confidence = fit_confidence(csr_of(TABLE), ConfidenceConfig(weighting="log", alpha=2)).apply(csr_of(TABLE))
    expected = [[2 * log(2), 2 * log(4), 0], [2 * log(8), 0, 0]]
    np.testing.assert_allclose(confidence.toarray(), expected, rtol=1e-6)


def test_degree():
    # deg u 2, deg v 1; deg a 2, deg b 1; in units of log 2 the entries are 1, 2, 3.
    unscaled = np.array([[1 / (2**0.5 * 2**0.25), 2 / 2**0.5, 0], [3 / 2**0.25, 0, 0]])
    expected = 20 * unscaled / (unscaled.sum() / 3)
    config = ConfidenceConfig(weighting="degree", alpha=20, user_degree_exponent=0.5, item_degree_exponent=0.25)
    weighting = fit_confidence(csr_of(TABLE), config)
    np.testing.assert_allclose(weighting.apply(csr_of(TABLE)).toarray(), expected, rtol=1e-6)
    np.testing.assert_array_equal(weighting.item_degree, [2, 1, 0])
    assert weighting.item_degree.dtype == np.float32


def test_degree_means_alpha_on_the_training_matrix():
    table = np.random.default_rng(1).integers(0, 3, (40, 30))
    confidence = fit_confidence(csr_of(table), ConfidenceConfig(alpha=7)).apply(csr_of(table))
    assert confidence.data.mean() == pytest.approx(7, rel=1e-5)


def test_bm25():
    # Two documents of lengths 4 and 7, mean 5.5; a occurs in both, b in one.
    idf_a, idf_b = log(1 + 0.5 / 2.5), log(1 + 1.5 / 1.5)
    k_u, k_v = 10 * (0.2 + 0.8 * 4 / 5.5), 10 * (0.2 + 0.8 * 7 / 5.5)
    expected = [[idf_a * 1 * 11 / (1 + k_u), idf_b * 3 * 11 / (3 + k_u), 0], [idf_a * 7 * 11 / (7 + k_v), 0, 0]]
    config = ConfidenceConfig(weighting="bm25", alpha=1, bm25_k1=10, bm25_b=0.8)
    confidence = fit_confidence(csr_of(TABLE), config).apply(csr_of(TABLE))
    np.testing.assert_allclose(confidence.toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@given(table=tables)
@settings(max_examples=25, deadline=None)
def test_a_row_alone_gets_the_confidence_it_had_in_training(kind, table):
    csr = csr_of(table)
    if csr.nnz == 0:
        return
    weighting = fit_confidence(csr, ConfidenceConfig(weighting=kind))
    confidence = weighting.apply(csr)
    for row in range(csr.shape[0]):
        alone = weighting.apply(csr[row])
        np.testing.assert_array_equal(alone.toarray(), confidence[row].toarray())


@pytest.mark.parametrize("kind", KINDS)
@given(table=tables)
@settings(max_examples=25, deadline=None)
def test_confidence_is_canonical_positive_and_in_the_same_places(kind, table):
    csr = csr_of(table)
    if csr.nnz == 0:
        return
    before = csr.toarray()
    confidence = fit_confidence(csr, ConfidenceConfig(weighting=kind)).apply(csr)
    check_canonical(confidence)
    np.testing.assert_array_equal(confidence.toarray() > 0, before > 0)
    np.testing.assert_array_equal(csr.toarray(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_strangers(kind):
    # Item c has no user in training; the second row has no items at all.
    weighting = fit_confidence(csr_of(TABLE), ConfidenceConfig(weighting=kind))
    confidence = weighting.apply(csr_of([[0, 2, 5], [0, 0, 0]]))
    np.testing.assert_array_equal(confidence.toarray() > 0, [[False, True, True], [False, False, False]])


@pytest.mark.parametrize("kind", KINDS)
def test_save_and_load(tmp_path, kind):
    weighting = fit_confidence(csr_of(TABLE), ConfidenceConfig(weighting=kind, alpha=0.1))
    weighting.save(tmp_path / "weighting")
    loaded = ConfidenceWeighting.load(tmp_path / "weighting")
    assert loaded.settings == weighting.settings
    np.testing.assert_array_equal(loaded.apply(csr_of(TABLE)).data, weighting.apply(csr_of(TABLE)).data)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("weighting.json", b"{"),
        ("weighting.json", b"[1]"),
        ("weighting.json", b'{"kind": "plain"}'),
        ("weighting.json", None),
        ("item_degree.npy", b"not an array"),
        ("item_degree.npy", None),
    ],
)
def test_damage_is_named(tmp_path, file, content):
    fit_confidence(csr_of(TABLE), ConfidenceConfig()).save(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtifactError, match=re.escape(file)):
        ConfidenceWeighting.load(tmp_path)


def test_an_unknown_kind_in_a_file_is_refused(tmp_path):
    fit_confidence(csr_of(TABLE), ConfidenceConfig()).save(tmp_path)
    path = tmp_path / "weighting.json"
    path.write_text(path.read_text().replace('"degree"', '"tfidf"'))
    with pytest.raises(ArtifactError, match="'tfidf', expected one of degree, log, bm25, plain"):
        ConfidenceWeighting.load(tmp_path)


def test_columns_must_be_those_of_training():
    with pytest.raises(DataError, match="2 columns, expected the 3 of training"):
        fit_confidence(csr_of(TABLE), ConfidenceConfig()).apply(csr_of(TABLE[:, :2]))


def test_nothing_to_fit():
    with pytest.raises(DataError, match="no entries"):
        fit_confidence(csr_of(np.zeros((2, 3))), ConfidenceConfig())


def test_too_large_for_float32_is_refused():
    csr = csr_of([[3e38]])
    with pytest.raises(DataError, match="not finite"):
        fit_confidence(csr, ConfidenceConfig(weighting="plain", alpha=20)).apply(csr)


@pytest.mark.parametrize("kind", KINDS)
def test_what_decayed_to_the_smallest_number_is_still_above_zero(kind):
    smallest = np.finfo(np.float32).smallest_subnormal
    csr = csr_of([[smallest, 1, 1], [1, 1, 1]])
    assert fit_confidence(csr, ConfidenceConfig(weighting=kind, alpha=1e-3)).apply(csr).data.min() > 0


def test_degrees_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        fit_confidence(csr_of(TABLE), ConfidenceConfig()).item_degree[0] = 9
