"""SQL: sums over users of lists, clicks and conversions, made by the database, for SQLite and PostgreSQL alike.

A unit is whoever got the lists: a user, also of a session that was merged with one; else a session; else the list
itself, which no other list is like.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.event_store.impressions import DAY

Parameters = tuple[object, ...]


@dataclass(frozen=True)
class Window:
    """What is read: lists from `since` to before `until`, UTC seconds.

    `clicks`, `conversions`: kinds of events that count; none: every kind. `experiment`: only lists of the experiment
    with this salt.
    """

    since: float
    until: float
    clicks: Sequence[str] = ()
    conversions: Sequence[str] = ()
    experiment: str | None = None

    @property
    def days(self) -> tuple[int, int]:
        """The first day, and the one after the last, since 1970."""
        return int(self.since // DAY), -int(-self.until // DAY)


def totals_by_day(window: Window) -> tuple[str, Parameters]:
    """Rows of day, version, arm and the sums of `SUMS`, a unit being one of a day."""
    shown, parameters = _shown(window, "i.day, i.version, i.arm", per_day=True)
    same_day = "c.unit = s.unit AND c.day = s.day"
    groups = "s.day, s.version, s.arm"
    return f"{shown} SELECT {groups}, {SUMS} {_FROM} ON {same_day} GROUP BY {groups} ORDER BY 1, 2, 3", parameters


def totals_by_version(window: Window) -> tuple[str, Parameters]:
    """Rows of version, arm and the sums of `SUMS` over the whole window."""
    shown, parameters = _shown(window, "i.version, i.arm", per_day=False)
    groups = "s.version, s.arm"
    return f"{shown} SELECT {groups}, {SUMS} {_FROM} ON c.unit = s.unit GROUP BY {groups} ORDER BY 1, 2", parameters


def totals_by_arm(window: Window) -> tuple[str, Parameters]:
    """Rows of arm and the sums of `SUMS`, without the units that were in both arms; those are counted as arm ''."""
    shown, parameters = _shown(window, "i.arm", per_day=False)
    once = "(SELECT unit, COUNT(*) AS arms FROM shown GROUP BY unit) o ON o.unit = s.unit"
    group = "CASE WHEN o.arms > 1 THEN '' ELSE s.arm END"
    return f"{shown} SELECT {group}, {SUMS} {_FROM} ON c.unit = s.unit JOIN {once} GROUP BY 1 ORDER BY 1", parameters


SUMS = (
    "COUNT(*), SUM(s.lists), SUM(s.clicks), SUM(s.lists * s.lists), SUM(s.clicks * s.clicks),"
    " SUM(s.lists * s.clicks), SUM(CASE WHEN s.clicks > 0 THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN c.last >= s.first THEN 1 ELSE 0 END), SUM(s.fallbacks), SUM(s.empty)"
)
"""Units, lists and clicked lists, their squares and product, units with a click, with a conversion, lists of the
fallback, lists without an item."""

_FROM = "FROM shown s LEFT JOIN converted c"

# A cast to a whole number rounds in PostgreSQL and cuts in SQLite.
_DAY_OF_EVENT = (
    "(CAST(e.timestamp AS BIGINT) - CASE WHEN CAST(e.timestamp AS BIGINT) > e.timestamp THEN 1 ELSE 0 END) / 86400"
)

_UNIT = "COALESCE('u:' || COALESCE({0}.user_id, m.user_id), 's:' || {0}.session_id, {1})"
_OF_LIST = _UNIT.format("i", "'l:' || i.recommendation_id")
_OF_EVENT = _UNIT.format("e", "''")


def _shown(window: Window, groups: str, *, per_day: bool) -> tuple[str, Parameters]:
    """The tables `shown`, one row per unit and group, and `converted`, when each unit's last conversion was."""
    day = f", {_DAY_OF_EVENT} AS day" if per_day else ""
    clicks, conversions = _kinds(window.clicks), _kinds(window.conversions)
    first, end = window.days
    of_experiment = "" if window.experiment is None else " AND i.experiment = ? AND i.arm IS NOT NULL"
    sql = (
        "WITH clicked AS (SELECT e.recommendation_id AS id FROM events e"
        f" WHERE e.recommendation_id IS NOT NULL{clicks} GROUP BY e.recommendation_id),"
        f" shown AS (SELECT {groups}, {_OF_LIST} AS unit, COUNT(*) AS lists, COUNT(c.id) AS clicks,"
        " MIN(i.given_at) AS first, SUM(CASE WHEN i.status = 'fallback' THEN 1 ELSE 0 END) AS fallbacks,"
        " SUM(CASE WHEN i.n_items = 0 THEN 1 ELSE 0 END) AS empty"
        " FROM impressions i LEFT JOIN merges m ON m.session_id = i.session_id"
        " LEFT JOIN clicked c ON c.id = i.recommendation_id"
        f" WHERE i.day >= ? AND i.day < ? AND i.given_at >= ? AND i.given_at < ?{of_experiment}"
        f" GROUP BY {groups}, {_OF_LIST}),"
        f" converted AS (SELECT {_OF_EVENT} AS unit{day}, MAX(e.timestamp) AS last"
        " FROM events e LEFT JOIN merges m ON m.session_id = e.session_id"
        f" WHERE e.timestamp >= ? AND e.timestamp < ?{conversions}"
        f" GROUP BY {_OF_EVENT}{f', {_DAY_OF_EVENT}' if per_day else ''})"
    )
    experiment = () if window.experiment is None else (window.experiment,)
    times = (window.since, window.until)
    return sql, (*window.clicks, first, end, *times, *experiment, *times, *window.conversions)


def _kinds(kinds: Sequence[str]) -> str:
    return f" AND e.event IN ({', '.join('?' * len(kinds))})" if kinds else ""
