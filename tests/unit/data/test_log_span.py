"""Where a log begins and ends: stray clocks move neither, and no rhythm of a real log is taken for one."""

import numpy as np
import pytest

from recsys.config import LogSchema, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.log_span import HourCounts, LogSpan, end_of_log, most_strays
from recsys.data.splits.strategies import split_by_time

DAY = 86_400
START = 1_600_000_000


def daily(days=200, per_day=10, seed=0):
    rng = np.random.default_rng(seed)
    return START + np.sort(rng.integers(0, days * DAY, days * per_day))


def weekly(weeks=50, per_week=4):
    return np.concatenate([START + week * 7 * DAY + np.arange(per_week) * 900 for week in range(weeks)])


def sparse(n=40, seed=0):
    return START + np.cumsum(np.random.default_rng(seed).exponential(15 * DAY, n)).astype(np.int64)


def burst():
    """Ten thousand rows imported with one date, then a new shop's first few events a day."""
    return np.concatenate([START + np.arange(10_000) % 60, START + np.arange(1, 9) * DAY])


def seasonal():
    """Only in December, four years; the last one has just begun."""
    years = [START + year * 365 * DAY + np.arange(0, 30 * DAY, 3_000) for year in range(3)]
    return np.concatenate([*years, START + 3 * 365 * DAY + np.arange(3)])


LOGS = {
    **{f"daily {seed}": daily(seed=seed) for seed in range(5)},
    **{f"sparse {seed}": sparse(seed=seed) for seed in range(5)},
    "weekly": weekly(),
    "a new week of a weekly shop": np.append(weekly(), weekly()[-1] + 7 * DAY),
    "a few weeks of holidays, then many days": np.concatenate(
        [daily(), daily()[-1] + 20 * DAY + daily(days=5) - START]
    ),
    "burst": burst(),
    "seasonal": seasonal(),
    "one day": START + np.arange(0, DAY, 60),
    "one event": np.array([START]),
    "two events, years apart": np.array([START, START + 900 * DAY]),
    "all at once": np.full(500, START),
}


@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_a_log_without_stray_clocks_is_taken_as_it_is(log):
    span = LogSpan.of(log.astype(np.int64))
    assert (span.first, span.last) == (log.min(), log.max())
    assert (span.n_before, span.n_after) == (0, 0)


@pytest.mark.parametrize("log", [daily(), daily(per_day=1), weekly(), sparse(), burst()])
@pytest.mark.parametrize("strays", [[3_000], [3_000, 3_001], [2_000, 4_000, 4_500]])
def test_stray_clocks_move_neither_end(log, strays):
    after, before = log.max() + np.array(strays) * DAY, log.min() - np.array(strays) * DAY
    both = np.random.default_rng(1).permutation(np.concatenate([log, after, before])).astype(np.int64)
    span = LogSpan.of(both)
    assert (span.first, span.last) == (log.min(), log.max())
    assert (span.n_before, span.n_after) == (len(strays), len(strays))
    assert (span.oldest, span.newest) == (both.min(), both.max())
    assert end_of_log(both) == log.max()


def end_by_every_gap(timestamp):
    """The definition, event by event."""
    ordered, strays = np.sort(timestamp), most_strays(len(timestamp))
    gaps = np.diff(ordered)
    for at in range(len(gaps) - strays, len(gaps)):
        if gaps[at] > max(3 * DAY, 3 * int(gaps[strays:at].max(initial=0))):
            return int(ordered[at]), len(gaps) - at
    return int(ordered[-1]), 0


@pytest.mark.parametrize("seed", range(40))
def test_the_events_by_hour_have_the_same_ends_as_all_gaps(seed):
    rng = np.random.default_rng(seed)
    log = [*LOGS.values()][seed % len(LOGS)].astype(np.int64)
    moved = rng.integers(-400 * DAY, 400 * DAY, rng.integers(0, 6))
    both = rng.permutation(np.concatenate([log, log[rng.integers(0, len(log), len(moved))] + moved]))
    assert HourCounts.of(both).end() == end_by_every_gap(both)
    assert LogSpan.of_hours(HourCounts.of(both)) == LogSpan.of(both)
    halves = HourCounts.merged([HourCounts.of(part) for part in np.array_split(both, 3) if len(part)])
    assert LogSpan.of_hours(halves) == LogSpan.of(both)


def test_strays_are_a_tiny_share():
    assert [most_strays(n) for n in (1, 9, 10, 25, 30, 3_999, 4_000, 1_000_000)] == [0, 0, 1, 2, 3, 3, 4, 1_000]
    log, many = daily(), np.repeat(daily().max() + 3_000 * DAY, 4)
    assert end_of_log(np.concatenate([log, many])) == many[0]
    assert end_of_log(np.concatenate([log, many[:3]])) == log.max()


def test_a_gap_of_a_few_days_is_no_stray_clock():
    log = daily(per_day=40)
    assert end_of_log(np.append(log, log.max() + 2 * DAY)) == log.max() + 2 * DAY
    assert end_of_log(np.append(log, log.max() + 5 * DAY)) == log.max()


def test_the_cut_and_the_decay_do_not_move(make_log):
    times = daily(days=100, per_day=1)
    rows = [(f"u{at % 7}", f"i{at % 11}", int(time)) for at, time in enumerate(times)]
    stray = ("u0", "i0", int(times.max()) + 900 * DAY)
    weights = EventWeights.of(LogSchema(timestamp="t"), PrepareConfig(half_life_days=10))
    sound, with_stray = make_log(rows), make_log([*rows, stray])
    assert split_by_time(with_stray, 20 * DAY).at == split_by_time(sound, 20 * DAY).at
    assert len(split_by_time(with_stray, 20 * DAY).holdout) == len(split_by_time(sound, 20 * DAY).holdout) + 1
    np.testing.assert_array_equal(weights.weigh(with_stray)[:-1], weights.weigh(sound))
    assert weights.weigh(with_stray)[-1] == 1
