"""Night gates: what a night's log and catalogue must not have lost since the version that serves.

A fall is measured from the smaller of two values: the serving version's, and what is usual in the kept versions, so
that the night after a sale may fall back to the usual course. Growth is never refused, and a fall that goes on from
night to night is not usual.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from recsys.config import LimitsConfig
from recsys.data.profile import CatalogueProfile, LogProfile
from recsys.evaluation.gates import Gate
from recsys.evaluation.kept_nights import Course, KeptNight, Night, expected_next
from recsys.evaluation.number_format import count, percent
from recsys.evaluation.stale_log import newest_event_gate

NIGHT_GATES = (
    "rows_read",
    "rows_accepted",
    "users",
    "items",
    "gone_users",
    "events",
    "newest_event",
    "catalogue",
    "catalogue_share",
    "attributes",
)
"""The names of all night gates, in order."""

_CERTAIN = 3.0
"""Standard deviations by which a count of events must be below its limit, so that the fall is not chance."""

_DUE = 30
"""A kind with fewer expected events is not checked for silence."""

_OFTEN_GONE, _MOST_GONE = 1.5, 2.0
"""As many times the usual share of gone users may be gone, and never more than as many times the limit."""

_DAY = 86_400

Measure = Callable[[LogProfile], int | None]


def check_night(night: Night, course: Course | None, limits: LimitsConfig) -> tuple[Gate, ...]:
    """The gates of `night` against the serving version and its course; None before the first publish.

    What one of the two does not have (times, kinds of events, a catalogue) is not compared, unless it is lost.
    """
    found = [_newest(night, course, limits), _catalogue_share_gate(night, course, limits)]
    if course is not None:
        found += [*_count_gates(night, course, limits), _gone_users_gate(night, course, limits)]
        found += [_events_gate(night, course, limits), _catalogue_gate(night, course, limits)]
        found += [_attributes_gate(night, course, limits)]
    gates = {gate.name: gate for gate in found if gate is not None}
    return tuple(gates[name] for name in NIGHT_GATES if name in gates)


def _newest(night: Night, course: Course | None, limits: LimitsConfig) -> Gate | None:
    return newest_event_gate("newest_event", night, course, limits)


def _count_gates(night: Night, course: Course, limits: LimitsConfig) -> Iterator[Gate | None]:
    measures: dict[str, tuple[str, Measure]] = {
        "rows_read": ("rows read", lambda profile: profile.rows_read),
        "rows_accepted": ("rows accepted", lambda profile: profile.accepted),
        "users": ("users", lambda profile: profile.n_users),
        "items": ("items in the log", lambda profile: profile.n_items),
    }
    for name, (what, measure) in measures.items():
        yield _count_gate(name, what, measure, night, course, limits)


def _count_gate(
    name: str, what: str, measure: Measure, night: Night, course: Course, limits: LimitsConfig
) -> Gate | None:
    """Refuses a fall by more than `max_NAME_drop`; None if either side does not know the count."""
    now, before = measure(night.profile), measure(course.serving.profile)
    if now is None or before is None:
        return None
    key = f"max_{name}_drop"
    allowed: float = getattr(limits, key)
    usual = _usual(course.regular(name), measure)
    floor = (1 - allowed) * (before if usual is None else min(before, usual))
    passed = now >= floor or now >= before
    detail = f"{what}: {count(now)}, {_change(now, before)}"
    if now < before:
        detail += f"{_usually(usual, before)}; up to {percent(allowed)} fewer is allowed (publish.limits.{key})"
    return Gate(name, passed, detail)


def _usual(kept: list[KeptNight], measure: Measure) -> float | None:
    return _usual_value([value for night in kept if (value := measure(night.profile)) is not None])


def _usual_value(values: Sequence[float]) -> float | None:
    """What follows `values`, but not less than their median; None for too few values."""
    expected = expected_next(values)
    return None if expected is None else max(expected, float(np.median(values)))


def _usually(usual: float | None, before: float) -> str:
    """Tells the usual course if it allows more than the serving version does."""
    return f", usually about {count(round(usual))}" if usual is not None and usual < before else ""


def _change(now: int, before: int) -> str:
    if now == before:
        return "as in the serving version"
    if before == 0:
        return "the serving version has none"
    way = "fewer" if now < before else "more"
    return f"{percent(round(abs(now - before) / before, 4))} {way} than the serving version's {count(before)}"


def _gone_users_gate(night: Night, course: Course, limits: LimitsConfig) -> Gate | None:
    if night.gone_users is None:
        return None
    name = "gone_users"
    usual = [kept.gone_users for kept in course.regular(name) if kept.gone_users is not None]
    most = limits.max_gone_users
    limit = max(most, min(_MOST_GONE * most, _OFTEN_GONE * float(np.median(usual)), 1.0)) if usual else most
    detail = f"users of the serving version who are not in the log: {percent(night.gone_users)}"
    if night.gone_users > 0:
        why = ", as usual in the kept versions" if limit > most else ""
        detail += f"; up to {percent(limit)} is allowed (publish.limits.max_gone_users{why})"
    return Gate(name, night.gone_users <= limit, detail)


def _events_gate(night: Night, course: Course, limits: LimitsConfig) -> Gate | None:
    """Refuses if any kind of event is gone or has become a much smaller part of the log."""
    before = course.serving.profile.events
    if not before:
        return None
    now, n_rows = night.profile.events, night.profile.accepted or 0
    lost = [kind for kind in before if _is_lost(kind, n_rows, night, course, limits)]
    silent = {kind: time for kind in before if (time := _silence(kind, night, course)) is not None}
    if silent and not lost:
        return _silence_gate(silent, limits)
    shown = lost or sorted(before, key=lambda kind: now.get(kind, 0) - before[kind])[:1]
    changes = ", ".join(f"{kind} {percent(now.get(kind, 0))} (was {percent(before[kind])})" for kind in shown)
    limit = f"; a kind may lose up to {percent(limits.max_event_share_drop)} of its share"
    detail = f"share of a kind of event in the log: {changes}{limit} (publish.limits.max_event_share_drop)"
    return Gate("events", not lost, detail)


def _silence(kind: str, night: Night, course: Course) -> int | None:
    """Seconds for which a kind has not come, if at least 30 of it were due and it is usually silent for less."""
    silence = night.profile.silences.get(kind)
    if silence is None or silence.rows * course.serving.profile.events[kind] < _DUE:
        return None
    usual = [
        kept.profile.silences[kind].seconds for kept in course.regular("events") if kind in kept.profile.silences
    ]
    return silence.seconds if silence.seconds > max(_DAY, 2 * max(usual, default=0)) else None


def _silence_gate(silent: dict[str, int], limits: LimitsConfig) -> Gate:
    """A kind that has stopped is a warning for as long as a log may stand still, then a refusal."""
    named = ", ".join(f"{kind} for {seconds / _DAY:.1f} days" for kind, seconds in silent.items())
    limit = f"up to {limits.max_stale / _DAY:g} days are allowed (publish.limits.max_stale)"
    passed = max(silent.values()) <= limits.max_stale
    detail = f"kinds of event that have stopped coming while others go on: {named}; {limit}"
    return Gate("events", passed, detail, warning=passed)


def _is_lost(kind: str, n_rows: int, night: Night, course: Course, limits: LimitsConfig) -> bool:
    """Whether there are certainly fewer of the kind than allowed; an allowed count of up to nine decides nothing."""
    shares = [kept.profile.events[kind] for kept in course.regular("events") if kept.profile.events.get(kind)]
    usual, before = _usual_value(shares), course.serving.profile.events[kind]
    allowed = n_rows * (1 - limits.max_event_share_drop) * (before if usual is None else min(before, usual))
    return n_rows * night.profile.events.get(kind, 0.0) < allowed - _CERTAIN * math.sqrt(max(allowed, 0.0))


def _catalogue_gate(night: Night, course: Course, limits: LimitsConfig) -> Gate | None:
    if (before := course.serving.profile.catalogue) is None:
        return None
    if night.profile.catalogue is None:
        return Gate("catalogue", False, f"no catalogue tonight; the serving version has one of {_items(before)}")
    return _count_gate("catalogue", "items in the catalogue", _n_catalogue, night, course, limits)


def _items(catalogue: CatalogueProfile) -> str:
    return f"{count(catalogue.n_items)} items"


def _n_catalogue(profile: LogProfile) -> int | None:
    return None if profile.catalogue is None else profile.catalogue.n_items


def _catalogue_share_gate(night: Night, course: Course | None, limits: LimitsConfig) -> Gate | None:
    """Refuses a catalogue that knows too few of the log's events, or many fewer than the serving version's did."""
    if (catalogue := night.profile.catalogue) is None:
        return None
    before = None if course is None else course.serving.profile.catalogue
    now = catalogue.share_of_events
    fell = 0.0 if before is None else before.share_of_events - now
    detail = f"the catalogue knows the items of {percent(now)} of the events"
    detail += f" ({percent(catalogue.share_of_items)} of the log's items)"
    detail += "" if before is None else f", the serving version's of {percent(before.share_of_events)}"
    if now < limits.min_catalogue_share:
        needed = f"{percent(limits.min_catalogue_share)} is needed (publish.limits.min_catalogue_share)"
        return Gate("catalogue_share", False, f"{detail}; {needed}; are the ids written as in the log?")
    if fell > limits.max_catalogue_share_drop:
        allowed = f"{100 * limits.max_catalogue_share_drop:g} points may be lost"
        return Gate("catalogue_share", False, f"{detail}; {allowed} (publish.limits.max_catalogue_share_drop)")
    return Gate("catalogue_share", True, detail)


def _attributes_gate(night: Night, course: Course, limits: LimitsConfig) -> Gate | None:
    """Refuses if an attribute is gone, is of another kind, or is unknown for many more items."""
    before, now = course.serving.profile.catalogue, night.profile.catalogue
    if before is None or now is None or not before.attributes:
        return None
    faults = [*_kind_faults(before, now, limits), *_unknown_faults(now, course, limits)]
    fine = f"{', '.join(before.attributes)}: known as well as in the serving version"
    return Gate("attributes", not faults, "; ".join(faults) or fine)


def _kind_faults(before: CatalogueProfile, now: CatalogueProfile, limits: LimitsConfig) -> Iterator[str]:
    if not limits.same_attribute_kinds:
        return
    for name, was in before.attributes.items():
        found = now.attributes.get(name)
        if found is None:
            yield f"{name} is not in the catalogue any more (publish.limits.same_attribute_kinds)"
        elif found.kind != was.kind:
            why = f": {found.fault}; set items.types.{name}" if found.fault else ""
            yield f"{name} was {was.kind} and is {found.kind} now{why} (publish.limits.same_attribute_kinds)"


def _unknown_faults(now: CatalogueProfile, course: Course, limits: LimitsConfig) -> Iterator[str]:
    for name, found in now.attributes.items():
        known = [kept for kept in course.regular("attributes") if _unknown(kept, name) is not None]
        before = _unknown(course.serving, name)
        if before is None:
            continue
        usual = expected_next([_unknown(kept, name) or 0.0 for kept in known])
        if found.unknown > max(before, usual or 0.0) + limits.max_unknown_rise:
            limit = f"up to {100 * limits.max_unknown_rise:g} points more is allowed"
            yield (
                f"{name} is unknown for {percent(found.unknown)} of the items, {percent(before)} in the serving"
                f" version; {limit} (publish.limits.max_unknown_rise)"
            )


def _unknown(kept: KeptNight, name: str) -> float | None:
    catalogue = kept.profile.catalogue
    found = None if catalogue is None else catalogue.attributes.get(name)
    return None if found is None else found.unknown
