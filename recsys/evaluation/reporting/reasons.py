"""Why something was left out, in words."""

from recsys.data.ingest.refusals import REASONS

_SPLIT = {
    "not_positive": "nothing the user did with the item in the holdout has a value above zero",
    "new_user": "the user has no event in the training part, so nothing is known of them",
    "user_not_trained": "the user has training events, but cleaning left all of them out",
    "no_history": "the held-out user has no trained item to be known by",
    "new_item": "the item has no event in the training part, so no model can recommend it",
    "item_not_trained": "the item has training events, but cleaning left all of them out",
    "already_seen": "the user had the item before, and what was seen is never recommended",
    "sampled_out": "the user is not in the random sample that evaluate.max_users allows",
    "too_few_items": "no history would be left beside the holdout",
}

_CLEANING = {
    "user_above_max_events": "the user has more events than prepare.max_user_events",
    "net_non_positive": "what the user did with the item comes to nothing or less (returns)",
    "decayed_away": "the events are so old that nothing is left of their weight",
    "user_below_min_items": "the user has fewer items than prepare.min_user_items",
    "item_below_min_users": "the item has fewer users than prepare.min_item_users",
}

_MEANINGS = {**{str(reason): reason.meaning for reason in REASONS}, **_SPLIT, **_CLEANING}


def explain(reason: str) -> str:
    """A line for people; a reason that is not known here is spelled out as it is named."""
    return _MEANINGS.get(reason, reason.replace("_", " "))
