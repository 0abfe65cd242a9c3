from recsys.evaluation.reporting.index_tables import candidate_tables, index_facts

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
    "recall@100": 0.9912,
    "seconds": None,
    "candidates": [EXACT, CELLS],
    "similar": {"kind": "exact", "candidates": [EXACT | {"published": True}]},
}


def test_facts_are_single_values():
    assert index_facts(INDEX) == {"kind": "ivf_sq8", "recall@100": 0.9912}


def test_a_row_a_candidate_with_its_worst_recall():
    (title, header, rows), (similar, _, others) = candidate_tables(INDEX)
    assert (title, similar) == ("Recommendations", "Similar items")
    assert all(len(row) == len(header) for row in rows + others)
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


def test_what_misses_says_so_and_older_summaries_have_no_table():
    missed = INDEX | {"candidates": [CELLS | {"published": False, "meets_target": False}], "similar": None}
    ((_, _, rows),) = candidate_tables(missed)
    assert rows[0][-1] == "misses the target"
    assert list(candidate_tables({"kind": "exact", "recall@100": 1.0})) == []
