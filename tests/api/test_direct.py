"""Direct routes answer as the framework would answer with them, whatever is asked."""

import re

import pytest

from api.direct import DirectRoutes
from api.settings import Settings

PATHS = (
    "/v1/users/ada/recommendations",
    "/v1/users/ada/recommendations?k=2&fields=price&exclude_seen=false",
    "/v1/users/nobody/recommendations?k=3",
    "/v1/users/u%2Fv/recommendations",
    "/v1/users/ada/recommendations?k=0",
    "/v1/users/ada/recommendations?k=2&k=3",
    "/v1/users/ada/recommendations?filter=price%20%3C",
    "/v1/users/ada/recommendations?unknown=1",
    "/v1/users/ada/recommendations/",
    "/v1/users//recommendations",
    "/v1/users/%ff/recommendations",
    "/v1/users/ada/similar?k=2",
    "/v1/users/nobody/similar",
    "/v1/items/dune/similar?k=2",
    "/v1/items/AC%2FDC",
    "/v1/items/nothing",
    "/v1/users/ada/history",
    "/v1/items:find?text=du",
    "/v1/map?limit=2",
    "/v1/nothing",
    "/livez",
)
# Of each list and each request another, and of problems that were answered.
_ITS_OWN = re.compile(r'"(recommendation_id|request_id)":"[^"]+"')


@pytest.fixture(scope="module")
def by_framework(started, store):
    """A service without direct routes."""
    service = started(Settings(store=store))
    service.app.user_middleware[0].kwargs["direct"] = DirectRoutes(())
    return service


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_reply_is_the_same(service, by_framework, method):
    for path in PATHS:
        direct, other = (each.send(method, path) for each in (service, by_framework))
        assert direct.status_code == other.status_code, path
        assert _ITS_OWN.sub("", direct.text) == _ITS_OWN.sub("", other.text), path
        kept = [{name: it for name, it in each.headers.items() if name != "x-request-id"} for each in (direct, other)]
        assert kept[0] == kept[1], path


def test_both_ways_are_counted_by_the_same_routes(service, by_framework):
    for each in (service, by_framework):
        for path in PATHS:
            each.get(path)
    routes = [
        set(re.findall(r'recsys_requests_total{method="GET",route="([^"]+)"', each.get("/metrics").text))
        for each in (service, by_framework)
    ]
    assert "/v1/users/{user_id}/recommendations" in routes[1] <= routes[0]


def test_lists_are_direct_and_what_takes_more_than_the_request_is_not(service):
    direct = service.app.user_middleware[0].kwargs["direct"]
    assert {"/v1/users/{user_id}/recommendations", "/v1/items/{item_id}/similar"} <= {*direct.paths}
    assert not {"/v1/recommendations", "/v1/model", "/readyz"} & {*direct.paths}
    assert DirectRoutes(()).paths == ()
