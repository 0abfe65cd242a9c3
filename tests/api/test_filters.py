"""Filters over HTTP; of the shop's ten books only ubik has no price."""

import subprocess
import sys
from threading import current_thread

import pytest

from api.settings import Settings
from recsys.retrieval.selective import SubsetSearch

LIST = "/v1/users/cem/recommendations"
SIMILAR = "/v1/items/dune/similar"


def listed(reply):
    return {item["item_id"] for item in reply.json()["items"]}


@pytest.mark.parametrize("path", [LIST, "/v1/users/stranger/recommendations", SIMILAR])
def test_only_items_that_pass_are_listed(service, path):
    everything = listed(service.get(path, params={"k": 1000}))
    assert "ubik" in everything
    assert listed(service.get(path, params={"k": 1000, "filter": "price < 20"})) == everything - {"ubik"}
    only = service.get(path, params={"k": 5, "filter": "price is missing"})
    assert listed(only) == {"ubik"}
    assert only.json()["returned"] == 1
    assert "because of the filter" in only.json()["warnings"][-1]


@pytest.mark.parametrize("path", [LIST, SIMILAR])
@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        ("", "filter, character 1: expected an attribute, `not` or `(`"),
        ("hunter2 = 1", "filter, character 1: expected an attribute of the items (there are id, title, price)"),
        ("price < 'hunter2'", "filter, character 9: expected a number, because the attribute holds numbers"),
        ("x" * 4097, "filter: expected at most 4096 characters, found 4097"),
        ("(" * 4000, "filter, character 4001: expected an attribute, `not` or `(`"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(service, path, condition, detail):
    reply = service.get(path, params={"filter": condition})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert reply.json()["detail"] == detail
    assert "hunter2" not in reply.text


@pytest.mark.parametrize("path", [LIST, SIMILAR])
def test_it_is_compiled_beside_the_event_loop_and_then_searched_on_it(start, store, monkeypatch, path):
    service, threads = start(Settings(store=store)), []
    search = SubsetSearch.search
    monkeypatch.setattr(
        SubsetSearch, "search", lambda *given, **named: threads.append(current_thread()) or search(*given, **named)
    )
    for _ in range(2):
        assert listed(service.get(path, params={"filter": "price is missing"})) == {"ubik"}
    assert [thread is current_thread() for thread in threads] == [False, True]


def test_it_is_given_at_most_once(service):
    reply = service.get(f"{LIST}?filter=price%20%3C%201&filter=price%20%3C%202")
    assert reply.json()["detail"] == "query parameter filter: given 2 times; expected at most once"


_EVERY_KIND = """
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from api.metrics import Metrics
from api.engines.served_engine import ServedEngine
from recsys.artifacts.registry import Registry
from recsys.engine import Event, Question

bundle = replace(Registry(Path(sys.argv[1])).load(), content=None)  # scikit-learn would import it to read words
engine = ServedEngine(bundle, Metrics())
engine.warm_up()
condition = "price < 20 and id in ('ubik', 'dune') or title contains 'D' and title != 'x' or price is missing"
answer = asyncio.run(engine.ask(Question(events=(Event("solaris"),), filter=condition)))
print(len(answer.items), "pandas" in sys.modules)
"""


def test_no_filter_makes_a_worker_import_pandas(store):
    """It would wait for that, and keep the memory."""
    answered = subprocess.run([sys.executable, "-c", _EVERY_KIND, str(store)], capture_output=True, text=True)
    assert answered.stdout == "2 False\n", answered.stderr
