"""Split strategies: which events are trained on and which are held out, and a validation part of the former."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig, duration_text
from recsys.data.interactions import Interactions
from recsys.data.log_span import LogSpan, end_of_log
from recsys.data.pairs import pair_keys, places_in_runs
from recsys.data.splits.holdout_length import with_length
from recsys.errors import ConfigError, DataError

_GIVEN_VALIDATION_SHARE = 0.2
"""How a given split was made is unknown; its validation part is the usual fifth of each user's items."""


@dataclass(frozen=True, eq=False)
class EventSplit:
    """The events of a log on both sides of a split.

    `train`: events to train on. `holdout`: events to predict. `history`: the other events of held-out users, None if
    these users are trained on. `at`: UTC seconds of a split in time. `now`: UTC seconds at which decay starts, None
    for the end of the train events. `too_few_items`: users with too few items to hold any out.
    """

    train: Interactions
    holdout: Interactions
    history: Interactions | None = None
    at: int | None = None
    now: int | None = None
    too_few_items: int = 0


def split_events(
    events: Interactions, evaluate: EvaluateConfig, *, rng: np.random.Generator, given: Interactions | None = None
) -> EventSplit:
    """Split as `evaluate.split` says; `given`: the events of `evaluate.holdout_paths`, only for "given".

    Raises ConfigError if the events lack a column that the split needs, DataError if a side is empty.
    """
    if len(events) == 0:
        raise DataError(f"split {evaluate.split!r}: the log holds no events")
    evaluate = with_length(evaluate, events)
    if evaluate.split == "given":
        cut = _cut_given(events, given)
    elif evaluate.split == "held_out_users":
        cut = split_held_out_users(events, user_share=evaluate.user_share, item_share=evaluate.item_share, rng=rng)
    else:
        cut = _BY_ORDER[evaluate.split](events, evaluate)
    if len(cut.train) == 0 or len(cut.holdout) == 0:
        span = None if events.timestamp is None else LogSpan.of(events.timestamp)
        check_sides(evaluate, len(cut.train), len(cut.holdout), of=len(events), span=span)
    return cut


def check_sides(evaluate: EvaluateConfig, n_train: int, n_holdout: int, *, of: int, span: LogSpan | None) -> None:
    """Raise DataError if a side of the split has no events. `of`: events of the log, which has this `span`."""
    for name, n in (("train on", n_train), ("hold out", n_holdout)):
        if n == 0:
            raise DataError(
                f'evaluate.split = "{evaluate.split}": no events to {name}; {_describe(of, span)}{_remedy(evaluate)}'
            )


def split_by_time(events: Interactions, holdout: int) -> EventSplit:
    """Hold out the last `holdout` seconds: events at or after end_of_log - holdout; train on strictly older ones.

    Decay starts at the cut. Raises ConfigError for events without timestamps.
    """
    if events.timestamp is None:
        raise ConfigError('evaluate.split = "temporal": the events have no time; set log.timestamp')
    return split_at(events, end_of_log(events.timestamp) - holdout)


def split_at(events: Interactions, at: int) -> EventSplit:
    """Hold out the events at or after `at`, UTC seconds. Raises ConfigError for events without timestamps."""
    if events.timestamp is None:
        raise ConfigError('evaluate.split = "temporal": the events have no time; set log.timestamp')
    before = events.timestamp < at
    return EventSplit(events.select(before), events.select(~before), at=at, now=at)


def split_last_items(events: Interactions, n: int) -> EventSplit:
    """Hold out each user's last `n` distinct items, with every event the user has with them.

    An item's time is that of the user's last event with it whose value is above zero. Ties, and logs without
    timestamps, are ordered by row. Users with n such items or fewer keep them all in train.
    """
    keys = pair_keys(events)
    newest_first = _by_user_and_time(events)[::-1]
    newest_first = newest_first[events.value[newest_first] > 0]
    pairs, latest = np.unique(keys[newest_first], return_index=True)
    pairs = pairs[np.argsort(latest)]
    place, n_items = places_in_runs(pairs // len(events.items))
    held = np.isin(keys, pairs[(place < n) & (n_items > n)])
    too_few = int(np.count_nonzero(np.bincount(events.user_idx))) - int(
        np.count_nonzero((place == 0) & (n_items > n))
    )
    return EventSplit(events.select(~held), events.select(held), too_few_items=too_few)


def split_held_out_users(
    events: Interactions, *, user_share: float, item_share: float, rng: np.random.Generator
) -> EventSplit:
    """Draw `user_share` of the users, at least one, leave them out of training, and hold out part of their items.

    A random `item_share` of each drawn user's distinct items with a value above zero (rounded, at least one, never
    all) is held out with all the user's events with them; the rest is the history. Which users and items are drawn
    depends on `rng` and the ids, not on the order of the log. Users with one item are not evaluated.
    """
    active = np.flatnonzero(np.bincount(events.user_idx))
    drawn = np.zeros(len(events.users), np.bool_)
    drawn[active[draw_users(len(active), user_share, rng)]] = True
    now = None if events.timestamp is None else end_of_log(events.timestamp)
    return split_drawn_users(events, drawn, item_share=item_share, rng=rng, now=now)


def draw_users(n: int, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64: positions of the users, of `n` with events, who are held out; at least one is left to train on."""
    drawn: NDArray[np.int64] = rng.choice(n, min(max(1, round(share * n)), n - 1), replace=False)
    return drawn


def split_drawn_users(
    events: Interactions, drawn: NDArray[np.bool_], *, item_share: float, rng: np.random.Generator, now: int | None
) -> EventSplit:
    """The same with the users that are `drawn`, bool (n_users,), each with events. `now`: when the log ends.

    `rng` draws a number for each pair of a drawn user and an item, in their order.
    """
    is_drawn = drawn[events.user_idx]
    train, known = events.select(~is_drawn), events.select(is_drawn)
    held, n_evaluated = _draw_items(known, item_share, rng)
    too_few = int(np.count_nonzero(drawn)) - n_evaluated
    return EventSplit(train, known.select(held), history=known.select(~held), now=now, too_few_items=too_few)


def positive_pairs(events: Interactions) -> NDArray[np.int64]:
    """int64: the `pair_keys` of the distinct pairs of user and item that have an event with a value above zero."""
    return np.unique(pair_keys(events)[events.value > 0])


def split_pairs(events: Interactions, *, item_share: float, rng: np.random.Generator) -> EventSplit:
    """Hold out a random `item_share` of every user's distinct items, by the rules of `split_held_out_users`."""
    held, n_evaluated = _draw_items(events, item_share, rng)
    too_few = int(np.count_nonzero(np.bincount(events.user_idx))) - n_evaluated
    return EventSplit(events.select(~held), events.select(held), too_few_items=too_few)


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """The arguments of `make_split` that split the train side of a log again.

    `events`: none of them is in the holdout. `evaluate`: how to split them. `given`: the held-out events if the split
    is "given".
    """

    events: Interactions
    evaluate: EvaluateConfig
    given: Interactions | None = None


def validation_part(events: Interactions, evaluate: EvaluateConfig) -> ValidationPart:
    """Split `events` as `evaluate` says, drop the holdout, and return how to split the train side again.

    "temporal": a holdout of the same length before the cut. "last_n": the last n of the remaining items.
    "held_out_users": other users, drawn with another seed. "given": the log is the train side; a random fifth of
    each user's items is held out. Every user is evaluated (no `max_users`), and new items are dropped, because no
    setting can find them.
    Raises ConfigError if the events lack a column that the split needs, DataError if a side is left empty.
    """
    evaluate = with_length(evaluate, events)
    all_users = evaluate.model_copy(update={"max_users": None, "new_items": "drop"})
    rng = np.random.default_rng(evaluate.seed)
    if evaluate.split == "given":
        cut = split_pairs(events, item_share=_GIVEN_VALIDATION_SHARE, rng=rng)
        return ValidationPart(cut.train, all_users, cut.holdout)
    train = split_events(events, evaluate, rng=rng).train
    if evaluate.split == "held_out_users":
        all_users = all_users.model_copy(update={"seed": evaluate.seed + 1})
    return ValidationPart(train, all_users)


def _cut_given(events: Interactions, given: Interactions | None) -> EventSplit:
    if given is None:
        raise ConfigError('evaluate.split = "given": needs the events of evaluate.holdout_paths')
    return EventSplit(events, given)


_BY_ORDER: dict[str, Callable[[Interactions, EvaluateConfig], EventSplit]] = {
    "temporal": lambda events, evaluate: split_by_time(events, evaluate.holdout or 0),
    "last_n": lambda events, evaluate: split_last_items(events, evaluate.last_n),
}


def _by_user_and_time(events: Interactions) -> NDArray[np.int64]:
    """int64 (n,): the rows ordered by user, then time, then position in the log."""
    if events.timestamp is None:
        return np.argsort(events.user_idx, kind="stable")
    return np.lexsort((events.timestamp, events.user_idx))


def _draw_items(events: Interactions, share: float, rng: np.random.Generator) -> tuple[NDArray[np.bool_], int]:
    """bool (n,): the events with a random `share` of each user's items; and the number of users with such events."""
    keys, pairs = pair_keys(events), positive_pairs(events)
    user_idx = pairs // max(len(events.items), 1)
    pairs = pairs[np.lexsort((rng.random(len(pairs)), user_idx))]
    place, n_items = places_in_runs(user_idx)
    held = np.isin(keys, pairs[(place < np.maximum(1, np.rint(share * n_items))) & (place < n_items - 1)])
    return held, int(np.count_nonzero((place == 0) & (n_items > 1)))


def _remedy(evaluate: EvaluateConfig) -> str:
    """What the split needs, or how to change it, as the end of a message."""
    if evaluate.split == "temporal":
        return f". The last {duration_text(evaluate.holdout or 0)} of it are held out: set evaluate.holdout to less"
    if evaluate.split == "last_n":
        return (
            f". A user needs more than evaluate.last_n = {evaluate.last_n} items for any to be held out, and none has"
        )
    if evaluate.split == "held_out_users":
        return ". It needs at least 2 users, and at least 2 items per held-out user"
    return ". The events to hold out are those of evaluate.holdout_paths"


def _describe(n_events: int, span: LogSpan | None) -> str:
    return f"the log holds {n_events:,} events{'' if span is None else f' from {_in_words(span)}'}"


def _in_words(span: LogSpan) -> str:
    first, last = (np.datetime64(moment, "s") for moment in (span.first, span.last))
    n_strays = span.n_before + span.n_after
    return f"{first} to {last} UTC" + (f" (and {n_strays} far outside of it)" if n_strays else "")
