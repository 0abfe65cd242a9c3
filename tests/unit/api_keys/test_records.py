from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from recsys.api_keys.records import Allowance, KeyRecord, Scope

SHA = "sha256:" + "0" * 64


def record(**fields):
    return KeyRecord.model_validate({"name": "shop", "hash": SHA, "scopes": ["read"], **fields})


def test_a_date_is_the_last_good_day_in_utc():
    until = record(expires=date(2027, 1, 31))
    assert not until.is_expired(datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC))
    assert until.is_expired(datetime(2027, 2, 1, tzinfo=UTC))
    assert not record().is_expired(datetime.max.replace(tzinfo=UTC))


def test_a_moment_is_the_first_bad_one():
    until = record(expires=datetime(2027, 1, 31, 12, tzinfo=UTC))
    assert not until.is_expired(datetime(2027, 1, 31, 11, 59, 59, tzinfo=UTC))
    assert until.is_expired(datetime(2027, 1, 31, 12, tzinfo=UTC))


def test_admin_may_everything_and_others_what_they_say():
    assert all(record(scopes=["admin"]).may(scope) for scope in Scope)
    for own in (Scope.READ, Scope.EVENTS, Scope.METRICS):
        assert [scope for scope in Scope if record(scopes=[own]).may(scope)] == [own]


def test_a_key_is_for_its_stores():
    assert record(stores=["shop"]).is_for("shop")
    assert not record(stores=["shop"]).is_for("blog")
    assert record().is_for("anything")


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [("1/second", 1, 1), ("100/minute", 100, 60), ("5000/hour", 5000, 3600), ("1000000/day", 1_000_000, 86_400)],
)
def test_allowances(text, amount, seconds):
    assert Allowance.of(text) == Allowance(amount, seconds)


@pytest.mark.parametrize(
    "fields",
    [
        {"rate": "0/second"},
        {"rate": "fast"},
        {"quota": "1/week"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"stores": []},
        {"name": "Shop"},
        {"name": "a\nb"},
        {"hash": "sha256:00"},
        {"hash": "md5:" + "0" * 64},
        {"expires": "2027-01-31T12:00:00"},
        {"expires": "soon"},
        {"owner": "me"},
    ],
)
def test_what_a_record_cannot_be(fields):
    with pytest.raises(ValidationError):
        record(**fields)


def test_the_hash_is_not_shown():
    assert SHA not in repr(record())
