"""Reasons: one for each refused row, the first in a fixed order."""

import numpy as np

from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason, fault, first_fault, marked


def test_every_reason_has_a_meaning_of_its_own() -> None:
    assert len({reason.meaning for reason in Reason}) == len(REASONS)


def test_a_row_is_struck_by_its_first_reason_whatever_the_order_of_the_checks() -> None:
    time = marked((np.array([True, True, False]), Reason.BAD_TIME))
    user = marked((np.array([False, True, False]), Reason.MISSING_USER))
    expected = [fault(Reason.BAD_TIME), fault(Reason.MISSING_USER), NO_FAULT]
    for checks in [(time, user), (user, None, time)]:
        first = first_fault(*checks)
        assert first is not None
        assert first.tolist() == expected


def test_nothing_struck_is_none() -> None:
    assert marked((np.zeros(3, np.bool_), Reason.BAD_TIME)) is None
    assert first_fault(None, None) is None


def test_within_one_check_the_order_is_the_same() -> None:
    both = marked((np.array([True]), Reason.NON_FINITE_VALUE), (np.array([True]), Reason.BAD_VALUE))
    assert both is not None
    assert REASONS[both[0]] is Reason.BAD_VALUE
