"""Which names the users of a report have."""

import hashlib

import pytest

from recsys.evaluation.examples import Example, Regressed, Regressions
from recsys.evaluation.reporting.report import Details
from recsys.evaluation.reporting.report_ids import named


def _example(user_id):
    return Example(user_id, ("a title",), 1, ("another",), 1, {"als": ()})


DETAILS = Details(
    examples=(_example("ann"), _example("bea")),
    regressed=Regressions("popular", (Regressed(1.0, 0.5, _example("bea")),)),
)


@pytest.mark.parametrize(
    ("naming", "expected"),
    [
        ("plain", ["ann", "bea", "bea"]),
        ("hashed", [hashlib.sha256(name).hexdigest()[:12] for name in (b"ann", b"bea", b"bea")]),
        ("none", ["1", "2", "2"]),
    ],
)
def test_a_user_has_one_name_throughout(naming, expected):
    found = named(DETAILS, naming)
    assert [each.user_id for each in (*found.examples, found.regressed.users[0].example)] == expected
    assert found.regressed.users[0].example.history == ("a title",)


def test_a_report_without_losing_users_has_names_too():
    assert [each.user_id for each in named(Details(examples=(_example("ann"),)), "none").examples] == ["1"]
