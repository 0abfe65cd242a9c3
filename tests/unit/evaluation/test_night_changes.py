"""One sentence about what a night gained or lost."""

from recsys.data.profile import CatalogueProfile, LogProfile
from recsys.evaluation.kept_nights import KeptNight, Night
from recsys.evaluation.night_changes import changes_since

CATALOGUE = CatalogueProfile(n_items=300, share_of_items=1.0, share_of_events=1.0)
BEFORE = LogProfile(accepted=10_000, n_users=1_000, n_items=200, catalogue=CATALOGUE)


def _text(now: LogProfile, before: LogProfile = BEFORE, gone: float | None = 0.0) -> str | None:
    found = changes_since(
        KeptNight(version="v1", made_at=0, profile=before), Night(profile=now, now=0, gone_users=gone)
    )
    return None if found is None else found.text


def test_every_size_has_its_change():
    fewer = CATALOGUE.model_copy(update={"n_items": 270})
    now = LogProfile(accepted=10_120, n_users=860, n_items=200, catalogue=fewer)
    assert _text(now, gone=0.155) == (
        "compared with v1: 10,120 rows accepted (1.2 % more), 860 users (14 % fewer), 200 items (the same), "
        "270 items in the catalogue (10 % fewer); 15.5 % of its users are gone"
    )


def test_a_small_change_is_a_change():
    assert "10,001 rows accepted (less than 0.1 % more)" in _text(BEFORE.model_copy(update={"accepted": 10_001}))


def test_no_change_is_short():
    assert _text(BEFORE) == "log and catalogue are as large as those of v1"


def test_what_one_of_the_nights_does_not_know_is_left_out():
    assert (
        _text(LogProfile(accepted=5, n_users=2), LogProfile(accepted=10))
        == "compared with v1: 5 rows accepted (50 % fewer)"
    )
    assert _text(BEFORE, LogProfile()) is None
