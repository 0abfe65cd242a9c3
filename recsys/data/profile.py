"""LogProfile: the size and the shares of one night's log and catalogue, to compare nights by."""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsys.data.attributes import Kind
from recsys.data.event_facts import EventFacts
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
    facts = EventFacts.of(events, newest=newest_event)
    return profile_of(facts, rows, catalogue, entries=entries, newest_event=newest_event)


def profile_of(
    facts: EventFacts, rows: RowCounts, catalogue: Items | None, *, entries: int, newest_event: int | None
) -> LogProfile:
    """The same from the counts of the events."""
    silences = {name: Silence(seconds=seconds, rows=n) for name, (seconds, n) in facts.silences.items()}
    return LogProfile(
        rows_read=rows.rows_read,
        accepted=facts.n_events,
        ignored=rows.n_ignored,
        n_users=facts.n_users,
        n_items=int(np.count_nonzero(facts.per_item)),
        entries=entries,
        newest_event=newest_event,
        events={name: n / facts.n_events for name, n in facts.per_kind.items()},
        silences=silences,
        catalogue=None if catalogue is None else _profile_catalogue(catalogue, facts),
    )


def _profile_catalogue(catalogue: Items, facts: EventFacts) -> CatalogueProfile:
    per_item = facts.per_item
    used, (_, known) = per_item > 0, catalogue.ids.encode(facts.items.ids)
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
