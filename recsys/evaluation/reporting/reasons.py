"""Explanations of the reasons for which something is left out."""

from recsys.data.ingest.ignored_rows import ANONYMOUS
from recsys.data.ingest.refusals import REASONS

_REASONS = {
    "not_positive": "no event of the user with the item in the holdout has a value above zero",
    "new_user": "the user has no event in the training part, so no model knows them",
    "user_not_trained": "the user has training events, but cleaning removed all of them",
    "no_history": "the held-out user has no trained item in their history",
    "new_item": "the item has no event in the training part, so no model can recommend it",
    "item_not_trained": "the item has training events, but cleaning removed all of them",
    "already_seen": "the user had seen the item before, and the measured lists leave out seen items",
    "sampled_out": "the user is not in the random sample that evaluate.max_users allows",
    "too_few_items": "the user would have no history left beside the holdout",
    "excluded_item": "the item passes items.exclude: no list shows it, and its events do not count",
    "user_above_max_events": "the user has more events than prepare.max_user_events",
    "net_non_positive": "the user's events with the item sum to zero or less (returns)",
    "decayed_away": "the events are so old that nothing is left of their weight",
    "user_below_min_items": "the user has fewer items than prepare.min_user_items",
    "item_below_min_users": "the item has fewer users than prepare.min_item_users",
    "merged": "merged into an equal row",
    **{str(reason): reason.meaning for reason in REASONS},
}


IGNORED = "ignored: "
"""Stands before the kind of event, or ANONYMOUS, of rows that are ignored."""


def explain(reason: str) -> str:
    """The explanation of a reason; the name itself if the reason is unknown."""
    if reason == IGNORED + ANONYMOUS:
        return "the row has no user and is left out (log.anonymous)"
    if reason.startswith(IGNORED):
        return "the kind of event is left out (log.ignore_events, or weight 0 in log.event_weights)"
    return _REASONS.get(reason, reason.replace("_", " "))
