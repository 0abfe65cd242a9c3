"""The default holdout suits the log, and is the same for many nights of a growing one."""

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.data.splits.holdout_length import suited_length, with_length
from recsys.data.splits.strategies import split_events, validation_part

HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("days", "length"),
    [(0, HOUR), (0.5, HOUR), (2, 6 * HOUR), (5, DAY), (14.9, 2 * DAY), (15, 3 * DAY), (69, 7 * DAY), (70, 14 * DAY),
     (139, 14 * DAY), (140, 28 * DAY), (3_000, 28 * DAY)],
)  # fmt: skip
def test_up_to_a_fifth_of_the_log_in_few_steps(days, length):
    assert suited_length(int(days * DAY)) == length


def log_of(make_log, days, *strays):
    times = [int(at * DAY) for at in np.linspace(0, days, 200)] + [days * DAY + stray * DAY for stray in strays]
    return make_log([(f"u{at % 9}", f"i{at % 13}", 10**9 + time) for at, time in enumerate(times)])


def test_a_stray_clock_does_not_make_the_log_longer(make_log):
    for log in (log_of(make_log, 40), log_of(make_log, 40, 2_000)):
        assert with_length(EvaluateConfig(), log).holdout == 7 * DAY


def test_the_validation_part_is_as_long_as_the_holdout(make_log):
    log = log_of(make_log, 40)
    cut = split_events(log, EvaluateConfig(), rng=np.random.default_rng(0))
    assert cut.at == 10**9 + (40 - 7) * DAY
    assert validation_part(log, EvaluateConfig()).evaluate.holdout == 7 * DAY


def test_what_is_set_stays(make_log):
    log = log_of(make_log, 40)
    assert with_length(EvaluateConfig(holdout="3d"), log).holdout == 3 * DAY
    assert with_length(EvaluateConfig(split="last_n"), log).holdout is None
    assert EvaluateConfig(holdout="auto") == EvaluateConfig()


def test_the_length_of_the_last_night_stays_while_it_is_at_most_a_quarter(make_log):
    log = log_of(make_log, 34)
    assert with_length(EvaluateConfig(), log).holdout == 3 * DAY
    assert with_length(EvaluateConfig(), log, before=7 * DAY).holdout == 7 * DAY
    assert with_length(EvaluateConfig(), log, before=14 * DAY).holdout == 3 * DAY
    assert with_length(EvaluateConfig(), log, before=8 * DAY).holdout == 3 * DAY  # was set by hand
    assert with_length(EvaluateConfig(), log_of(make_log, 36), before=3 * DAY).holdout == 7 * DAY
