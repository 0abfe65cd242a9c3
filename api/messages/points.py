"""What a parsed body asks for, in points of ten microseconds of a processor, counted before any work on it.

docs/api.md has the same formula. The factors were measured by `benchmarks/request_cost.py`; they are upper bounds for
catalogues of up to some 27,000 items, of filters for larger ones too.
"""

from collections.abc import Iterable

from api.errors import TooCostlyError
from api.messages.body import Body
from api.messages.event_bodies import EventsBody
from api.messages.item_bodies import ItemsBody, SearchBody, SimilarBody, UpdatesBody
from api.messages.page_bodies import PageBody
from api.messages.question_bodies import BatchBody, QuestionBody, RankBody
from recsys.engine.filters.size import filter_size
from recsys.engine.scenarios import Row, RowKind

PER_LIST, PER_EVENT, PER_EVENTS = 20, 1, 50
PER_EXPLANATION, PER_NEW_SHARE, PER_DIVERSITY = 80, 150, 40
PER_ROW: dict[RowKind, int] = {"new": 1500, "because": 500}

_Filters = Iterable[str | None]


def points_of(body: Body, *, n_items: int) -> int:
    """The points of `body`, for a version of `n_items` items."""
    match body:
        case QuestionBody():
            return _of_question(body) + _of_filters([body.filter], n_items)
        case BatchBody():
            filters = _of_filters({each.filter for each in body.requests}, n_items)
            return filters + sum(map(_of_question, body.requests))
        case PageBody():
            return _of_page(body, body.rows, n_items)
        case RankBody():
            return PER_LIST + len(body.item_ids) // 3 + _of_events(len(body.events))
        case SimilarBody() | SearchBody():
            fixed = 500 if isinstance(body, SearchBody) else len(body.positive) + len(body.negative)
            return PER_LIST + fixed + _of_items(body.k, body.fields) + _of_filters([body.filter], n_items)
        case ItemsBody():
            return PER_LIST + 5 * len(body.item_ids)
        case EventsBody():
            return PER_LIST + 5 * len(body.events)
        case UpdatesBody():
            return PER_LIST + 3 * len(body.items)
    return PER_LIST


def points_of_rows(body: PageBody, rows: Iterable[Row], *, n_items: int) -> int:
    """The points of a page whose `rows` come from a scenario."""
    return _of_page(body, rows, n_items)


def check_budget(points: int, budget: int) -> None:
    """Raise TooCostlyError if `points` are more than the `budget` of one request."""
    if points > budget:
        raise TooCostlyError(f"the request asks for {points} points; expected at most {budget}: ask for less at once")


def _of_question(body: QuestionBody) -> int:
    points = PER_LIST + _of_items(body.k, body.fields) + _of_events(len(body.events))
    points += _of_ids(body.exclude, 25) + _of_ids(body.include, 60) + _of_ids(body.boosts, 60)
    if body.explain:
        points += PER_EXPLANATION + body.k * (5 + len(body.events) // 100)
    if body.diversity:
        points += _of_diversity(body.k)
    return points + (PER_NEW_SHARE if body.new_share else 0)


def _of_page(body: PageBody, rows: Iterable[Row], n_items: int) -> int:
    rows = list(rows)
    points = _of_events(len(body.events)) + len(rows) * (len(body.events) // 2) + _of_ids(body.exclude, 25)
    for row in rows:
        points += 50 + PER_ROW.get(row.kind, 0) + 3 * row.k + _of_items(row.k, body.fields)
        points += _of_diversity(row.k) if row.diversity else 0
    return points + _of_filters({row.filter for row in rows}, n_items)


def _of_items(k: int, fields: Iterable[str]) -> int:
    return k * (1 + len(set(fields)))


def _of_events(n_events: int) -> int:
    return PER_EVENTS + PER_EVENT * n_events if n_events else 0


def _of_ids(ids: "Iterable[str] | None", fixed: int) -> int:
    n_ids = len(list(ids)) if ids is not None else 0
    return fixed + n_ids // 2 if n_ids else 0


def _of_diversity(k: int) -> int:
    return PER_DIVERSITY + k * k // 100


def _of_filters(filters: _Filters, n_items: int) -> int:
    """Equal filters count once. A `contains` looks into the text of every item."""
    points = 0
    for text in filters:
        if text is not None:
            size = filter_size(text)
            plain = size.n_conditions - size.n_contains
            points += 20 + 2 * size.n_values + 10 * size.n_conditions
            points += plain * n_items // 2000 + size.n_contains * n_items // 250
    return points
