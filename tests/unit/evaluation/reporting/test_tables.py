from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts
from recsys.evaluation.provenance import IndexSummary, Provenance, SplitSummary
from recsys.evaluation.reporting.tables import (
    CANDIDATE_COLUMNS,
    accounts,
    candidate_tables,
    not_evaluated,
    side_by_side,
    toml_text,
)

EXACT = {
    "kind": "exact",
    "parameters": {},
    "build_seconds": 0.0,
    "bytes": 0,
    "recall": {},
    "microseconds": 9000.4,
    "estimated_microseconds": 12850.0,
    "meets_target": True,
    "published": False,
}
CELLS = {
    "kind": "ivf_sq8",
    "parameters": {"probes": 32, "candidates_compared": 1280},
    "build_seconds": 12.34,
    "bytes": 3 * 2**20,
    "recall": {"nothing left out": 0.995, "seen left out": 0.9912},
    "microseconds": 240.0,
    "estimated_microseconds": 180.4,
    "meets_target": True,
    "published": True,
}
INDEX = {
    "kind": "ivf_sq8",
    "probes": 32,
    "recall@100": 0.9912,
    "candidates": [EXACT, CELLS],
    "similar": {"kind": "exact", "candidates": [EXACT | {"published": True}]},
}


def test_facts_are_single_values_and_the_summary_is_its_json_again():
    summary = IndexSummary.model_validate(INDEX)
    assert summary.facts == {"kind": "ivf_sq8", "probes": 32, "recall@100": 0.9912}
    assert summary.model_dump(mode="json") == INDEX


def test_one_row_per_candidate_with_its_worst_recall():
    (title, rows), (similar, others) = candidate_tables(IndexSummary.model_validate(INDEX))
    assert (title, similar) == ("Recommendations", "Similar items")
    assert all(len(row) == len(CANDIDATE_COLUMNS) for row in rows + others)
    assert rows[0] == ("exact", "", "1", "12,850 us", "9,000 us", "0.0 MiB", "0.0 s", "")
    assert rows[1] == (
        "ivf_sq8",
        "32 probes, 1,280 candidates compared",
        "0.9912 (seen left out)",
        "180 us",
        "240 us",
        "3.0 MiB",
        "12.3 s",
        "published",
    )
    assert others[0][-1] == "published"


def test_a_family_that_was_not_built_has_its_reason():
    index = INDEX | {"not_built": [{"kind": "ivf_pq", "reason": "the best case is too slow"}]}
    (_, rows), _ = candidate_tables(IndexSummary.model_validate(index))
    assert (rows[2][0], rows[2][-1]) == ("ivf_pq", "not built: the best case is too slow")
    assert len(rows[2]) == len(CANDIDATE_COLUMNS)


def test_a_candidate_that_misses_the_target_says_so():
    missed = {"kind": "exact", "candidates": [CELLS | {"published": False, "meets_target": False}]}
    ((_, rows),) = candidate_tables(IndexSummary.model_validate(missed))
    assert rows[0][-1] == "misses the target"
    assert list(candidate_tables(IndexSummary(kind="exact"))) == []


SPLIT = SplitSummary(
    kind="temporal",
    cut=None,
    counts={},
    dropped={"new_user": 3, "already_seen": 0, "new_item": 2},
    dropped_users={"new_user": 1, "too_few_items": 4},
)


def test_accounts_add_up_and_name_only_what_took_something():
    told = Provenance(
        split=SPLIT,
        ingest=RowCounts(rows_read=20, accepted=15, refused={"missing_user": 3, "bad_time": 0}, merged=2),
        cleaning=CleaningSummary(15, 11, 9, {"decayed_away": 4, "user_below_min_items": 0}, 3, 5),
    )
    rows, events = accounts(told)
    assert (rows.unit, rows.came_in, rows.kept, rows.left_out) == ("rows", 20, 15, {"missing_user": 3, "merged": 2})
    assert (events.unit, events.came_in, events.kept, events.left_out) == ("events", 15, 11, {"decayed_away": 4})
    assert events.note == "The matrix has 9 distinct user-item pairs of 3 users and 5 items."


def test_pairs_and_users_that_were_not_evaluated_stand_side_by_side():
    assert not_evaluated(Provenance(split=SPLIT)) == [("new_user", 3, 1), ("new_item", 2, 0), ("too_few_items", 0, 4)]


def test_lists_of_different_lengths_stand_side_by_side():
    assert list(side_by_side({"als": "ab", "popular": "c"})) == [[1, "a", "c"], [2, "b", None]]
    assert list(side_by_side({})) == []


def test_settings_read_like_the_file_they_came_from():
    settings = {"log": {"paths": ["ä.csv"], "value": None, "weights": {"view": 1.0}}, "workspace": "w", "items": None}
    assert toml_text(settings | {"content": [{"encoder": "tfidf"}]}).endswith('[[content]]\nencoder = "tfidf"')
    assert toml_text(settings) == 'workspace = "w"\n[log]\npaths = ["ä.csv"]\nweights = { "view" = 1.0 }'
