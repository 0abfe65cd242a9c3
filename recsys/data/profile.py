"""LogProfile: the size and the shares of one night's log and catalogue, to compare nights by."""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsys.data.attributes import Kind
from recsys.data.ingest.accounting import RowCounts
from recsys.data.interactions import Interactions
from recsys.data.items import TITLE, Items


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AttributeProfile(_Facts):
    """`kind`: as `recsys.data.attributes.Kind`. `unknown`: share of the catalogue's items without it.

    `fault`: how many values are not of the kind, or kept the attribute a text, and the first of them.
    """

    kind: Kind
    unknown: float
    fault: str | None = Field(None, exclude_if=lambda value: value is None)


class CatalogueProfile(_Facts):
    """`n_items`: items of the catalogue. `share_of_items`, `share_of_events`: of the log's, those that it knows.

    `attributes`: by name, the title included.
    """

    n_items: int
    share_of_items: float
    share_of_events: float
    attributes: dict[str, AttributeProfile] = Field(default_factory=dict)


class Silence(_Facts):
    """How long a kind of event has not come: `seconds` and accepted `rows` from its newest event to the log's."""

    seconds: int
    rows: int


class LogProfile(_Facts):
    """One night's log, before cleaning: rows read, accepted and ignored, and what the accepted rows hold.

    `n_users`, `n_items`: with an accepted row. `entries`: distinct user-item pairs after cleaning. `newest_event`:
    UTC seconds, None without times. `events`: each kind's share of the accepted rows, empty if the log has no kinds.
    `silences`: of each kind, empty without times. `catalogue`: None without one. A count is None if the version keeps
    none, because it is older than profiles.
    """

    rows_read: int | None = None
    accepted: int | None = None
    ignored: int = 0
    n_users: int | None = None
    n_items: int | None = None
    entries: int | None = None
    newest_event: int | None = None
    events: dict[str, float] = Field(default_factory=dict)
    silences: dict[str, Silence] = Field(default_factory=dict)
    catalogue: CatalogueProfile | None = None


def profile_log(
    events: Interactions, rows: RowCounts, catalogue: Items | None, *, entries: int, newest_event: int | None
) -> LogProfile:
    """The profile of `events`, and of the whole `catalogue`, not only of the log's items.

    `events`: the accepted rows, without those of items that are in no list, so that a filter that suddenly passes
    many items is a loss.
    """
    per_item = np.bincount(events.item_idx, minlength=len(events.items))
    return LogProfile(
        rows_read=rows.rows_read,
        accepted=len(events),
        ignored=rows.n_ignored,
        n_users=int(np.count_nonzero(np.bincount(events.user_idx, minlength=len(events.users)))),
        n_items=int(np.count_nonzero(per_item)),
        entries=entries,
        newest_event=newest_event,
        events=_shares(events),
        silences={} if newest_event is None else _silences(events, newest_event),
        catalogue=None if catalogue is None else _profile_catalogue(catalogue, events, per_item),
    )


def _shares(events: Interactions) -> dict[str, float]:
    if events.event is None or len(events) == 0:
        return {}
    counts = np.bincount(events.event, minlength=len(events.event_names))
    return {name: float(n) / len(events) for name, n in zip(events.event_names, counts, strict=True)}


def _silences(events: Interactions, newest: int) -> dict[str, Silence]:
    """Events later than `newest`, UTC seconds, are of stray clocks and do not count."""
    if events.event is None or events.timestamp is None:
        return {}
    last = np.zeros(len(events.event_names), np.int64)
    np.maximum.at(last, events.event, events.timestamp)
    recent = np.sort(events.timestamp[(events.timestamp > last.min(initial=newest)) & (events.timestamp <= newest)])
    rows = len(recent) - np.searchsorted(recent, last, side="right")
    silences = zip(events.event_names, last.tolist(), rows.tolist(), strict=True)
    return {name: Silence(seconds=max(newest - at, 0), rows=max(n, 0)) for name, at, n in silences}


def _profile_catalogue(
    catalogue: Items, events: Interactions, per_item: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> CatalogueProfile:
    """`per_item`: int64 (n_items,), number of events."""
    used, (_, known) = per_item > 0, catalogue.ids.encode(events.items.ids)
    return CatalogueProfile(
        n_items=len(catalogue.ids),
        share_of_items=_share(int(np.count_nonzero(known & used)), int(np.count_nonzero(used))),
        share_of_events=_share(int(per_item[known].sum()), int(per_item.sum())),
        attributes=_attributes(catalogue),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _attributes(catalogue: Items) -> Mapping[str, AttributeProfile]:
    n_items, facts = len(catalogue.ids), catalogue.facts
    unknown = {name: catalogue.table.column(name).null_count for name in catalogue.kinds}
    return {
        name: AttributeProfile(
            kind=kind,
            unknown=_share(unknown[name], n_items),
            fault=facts[name].fault if name in facts else None,
        )
        for name, kind in catalogue.kinds.items()
        if name != TITLE or unknown[name] < n_items
    }
