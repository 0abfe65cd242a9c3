"""What a request asks for is counted before any work, and more than is allowed is refused with both numbers."""

import pytest

from api.errors import TooCostlyError
from api.messages.item_bodies import ItemsBody, SimilarBody
from api.messages.page_bodies import PageBody
from api.messages.points import check_budget, points_of
from api.messages.question_bodies import BatchBody, QuestionBody, RankBody
from api.settings import Settings
from recsys.engine.filters import parse_filter
from recsys.engine.filters.size import filter_size

N_ITEMS = 27_000
MUG = 'title contains "mug"'


def points(model, n_items=N_ITEMS, **fields):
    return points_of(model.model_validate(fields), n_items=n_items)


def events(n):
    return [{"item_id": "a"}] * n


@pytest.mark.parametrize(
    ("model", "less", "more"),
    [
        (QuestionBody, {"k": 10}, {"k": 11}),
        (QuestionBody, {"fields": ["a"]}, {"fields": ["a", "b"]}),
        (QuestionBody, {"events": events(10)}, {"events": events(20)}),
        (QuestionBody, {"k": 10}, {"explain": True}),
        (QuestionBody, {"explain": True, "events": events(100)}, {"explain": True, "events": events(10_000)}),
        (QuestionBody, {"diversity": 0.0}, {"diversity": 0.1}),
        (QuestionBody, {"new_share": 0.0}, {"new_share": 0.1}),
        (QuestionBody, {"include": ["a"]}, {"include": ["a", "b", "c"]}),
        (QuestionBody, {"exclude": ["a"]}, {"exclude": ["a", "b", "c"]}),
        (QuestionBody, {"boosts": {"a": 2.0}}, {"boosts": dict.fromkeys("abcd", 2.0)}),
        (QuestionBody, {"filter": "price < 2"}, {"filter": "price < 2 and price > 1"}),
        (QuestionBody, {"filter": 'title = "mug"'}, {"filter": MUG}),
        (QuestionBody, {"filter": "price in (1, 2)"}, {"filter": "price in (1, 2, 3)"}),
        (BatchBody, {"requests": [{"filter": MUG}] * 2}, {"requests": [{"filter": MUG}, {"filter": MUG + " "}]}),
        (BatchBody, {"requests": [{}]}, {"requests": [{}, {}]}),
        (PageBody, {"rows": [{"kind": "for_you"}]}, {"rows": [{"kind": "for_you"}] * 2}),
        (PageBody, {"rows": [{"kind": "for_you"}]}, {"rows": [{"kind": "because"}]}),
        (PageBody, {"rows": [{"kind": "for_you"}]}, {"rows": [{"kind": "for_you", "filter": MUG}]}),
        (RankBody, {"item_ids": ["a"]}, {"item_ids": ["a"] * 30}),
        (SimilarBody, {"positive": ["a"]}, {"positive": ["a"] * 30}),
        (ItemsBody, {"item_ids": ["a"]}, {"item_ids": ["a"] * 30}),
    ],
    ids=range(21),
)
def test_whoever_asks_for_more_asks_for_more_points(model, less, more):
    assert points(model, **less) < points(model, **more)


def test_equal_filters_of_a_batch_count_once():
    one = points(BatchBody, requests=[{"filter": MUG}])
    assert points(BatchBody, requests=[{"filter": MUG}] * 10) == one + 9 * points(QuestionBody)


def test_a_filter_costs_more_in_a_larger_catalogue():
    assert points(QuestionBody, n_items=0, filter=MUG) < points(QuestionBody, filter=MUG)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("price < 2", (1, 0, 0)),
        ("price between 1 and 2 or price != 5 or a is missing or a is not missing", (4, 0, 0)),
        ("price not in (1, 2, 3,)", (1, 0, 3)),
        ('title CONTAINS \'a\' and `x contains y` contains "contains = , in\\" ("', (2, 2, 0)),
        ("`in` = 1 and index <> 2 and contains_x >= 3", (3, 0, 0)),
        (" or ".join(f"title contains 'x{at}'" for at in range(32)), (32, 32, 0)),
    ],
)
def test_conditions_are_counted_as_the_parser_finds_them(text, size):
    parse_filter(text)
    assert filter_size(text) == size


@pytest.mark.parametrize("text", ["", "'", '"' * 9, "(" * 4000, "=" * 4096, "a" * 5000, "`a` `"])
def test_what_is_no_filter_is_counted_all_the_same(text):
    assert filter_size(text).n_conditions <= 1


def test_the_refusal_names_what_was_asked_and_what_is_allowed():
    check_budget(1000, 1000)
    with pytest.raises(TooCostlyError, match=r"asks for 1001 points; expected at most 1000"):
        check_budget(1001, 1000)


@pytest.fixture(scope="module")
def shop(started, store):
    return started(Settings(store=store, request_points=1_000))


class TestService:
    @pytest.mark.parametrize(
        ("path", "body", "asked"),
        [
            ("/v1/recommendations", {"k": 1000}, 1020),
            ("/v1/recommendations:batch", {"requests": [{}] * 50}, 1500),
            ("/v1/pages", {"user_id": "ada", "rows": [{"kind": "new", "k": 1}]}, 1554),
            ("/v1/rank", {"item_ids": ["dune"] * 9000}, 3020),
            ("/v1/items:batch", {"item_ids": ["dune"] * 500}, 2520),
        ],
    )
    def test_beyond_the_budget_nothing_is_done(self, shop, path, body, asked):
        reply = shop.send("POST", path, json=body)
        assert (reply.status_code, reply.json()["code"]) == (422, "too_costly")
        assert reply.json()["detail"].startswith(f"the request asks for {asked} points; expected at most 1000")

    def test_refusals_are_counted(self, shop):
        before = self.refusals(shop)
        shop.send("POST", "/v1/recommendations", json={"k": 1000})
        assert self.refusals(shop) == before + 1

    def refusals(self, shop):
        (line,) = [
            it
            for it in shop.get("/metrics").text.splitlines()
            if it.startswith("recsys_limits_reached_total") and "too_costly" in it
        ]
        return float(line.split()[-1])

    def test_within_the_budget_it_is_answered(self, shop):
        assert shop.send("POST", "/v1/recommendations", json={"k": 900}).status_code == 200
