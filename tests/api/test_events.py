"""Events over HTTP: taken in, refused one by one, shown; and what they change in lists."""

import contextlib
import json
import shutil
import sqlite3
import time
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.settings import Settings
from recsys.artifacts.registry import Registry

KEY = {"Authorization": "Bearer correct horse battery"}
NOW = time.time()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where events are kept."""
    return tmp_path / "events.db" if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def settings(store, tmp_path):
    return Settings(store=store, events=tmp_path / "events.db", admin_key="correct horse battery", poll_seconds=3600)


@pytest.fixture
def shop(start, settings):
    return start(settings)


@pytest.fixture(scope="module")
def open_shop(started, store, tmp_path_factory):
    """A service for tests to which it is all the same what was posted before."""
    events = tmp_path_factory.mktemp("open") / "events.db"
    return started(Settings(store=store, events=events, admin_key="correct horse battery", poll_seconds=3600))


def post(service, *events, path="/v1/events"):
    return service.send("POST", path, json={"events": list(events)})


def until(read, condition, seconds=10.0):
    """What `read` gives as soon as it meets `condition`."""
    end = time.monotonic() + seconds
    while not condition(found := read()):
        assert time.monotonic() < end, found
    return found


def ids(reply):
    return [item["item_id"] for item in reply.json()["items"]]


def fresh_list(service, n, path="/v1/users/ada/recommendations", **body):
    """The list, once `n` fresh events count in it."""

    def ask():
        return service.send("POST", path, json=body) if body else service.get(path)

    return until(ask, lambda reply: reply.json().get("fresh_events", 0) == n).json()


def without_ids(reply):
    return {name: value for name, value in reply.items() if name not in ("recommendation_id", "fresh_events")}


class TestPosting:
    def test_events_are_kept_and_shown_latest_first(self, start, store, place):
        service = start(Settings(store=store, events=place, admin_key="correct horse battery"))
        events = [
            {"event_id": str(uuid.uuid4()), "user_id": "ada", "item_id": "dune", "event": "view", "timestamp": NOW},
            {"user_id": "ada", "item_id": "new", "value": 2.5, "timestamp": "2026-05-01T12:00:00+02:00"},
            {"session_id": "s", "item_id": "ubik", "recommendation_id": "r", "place": 3},
        ]
        assert post(service, *events).json() == {"accepted": 3, "duplicates": 0, "unknown_items": 1}
        assert post(service, events[0], events[0]).json() == {"accepted": 0, "duplicates": 2}
        page = service.get("/v1/events?user_id=ada&limit=1", headers=KEY).json()
        (shown,) = page["events"]
        assert (shown["item_id"], shown["value"], shown["timestamp"]) == ("new", 2.5, 1777629600.0)
        (shown,) = service.get(f"/v1/events?user_id=ada&before={page['next']}", headers=KEY).json()["events"]
        assert events[0].items() <= shown.items()
        (shown,) = service.get("/v1/events?session_id=s", headers=KEY).json()["events"]
        assert events[2].items() <= shown.items()
        assert abs(shown["timestamp"] - time.time()) < 60

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"user_id": None}, "missing_user"),
            ({"user_id": " "}, "missing_user"),
            ({"user_id": "NULL"}, "missing_user"),
            ({"item_id": ""}, "missing_item"),
            ({"item_id": "é" * 129}, "id_too_long"),
            ({"session_id": "x" * 257}, "id_too_long"),
            ({"event_id": "x" * 257}, "id_too_long"),
            ({"recommendation_id": "x" * 257}, "id_too_long"),
            ({"item_id": "1.23457E+18"}, "id_lost_digits"),
            ({"user_id": "a\0b"}, "bad_utf8"),
            ({"timestamp": NOW + 90_000}, "in_the_future"),
            ({"timestamp": 0}, "time_out_of_range"),
            ({"timestamp": 1e18}, "time_out_of_range"),
            ({"event": " "}, "unknown_event"),
            ({"value": 1e12}, "value_out_of_range"),
        ],
    )
    def test_an_event_that_no_night_could_use_is_refused_alone(self, open_shop, wrong, code):
        good = {"user_id": "ada", "item_id": "dune"}
        told = {name: value for name, value in (good | wrong).items() if value is not None}
        reply = post(open_shop, good, told, good).json()
        assert reply == {"accepted": 2, "duplicates": 0, "refused": [{"index": 1, "code": code}]}

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            (b"{", "body: invalid JSON, line 1, column 2"),
            (b'{"events": []}', "body.events: List should have at least 1 item"),
            (
                json.dumps({"events": [{"item_id": "a"}] * 1001}).encode(),
                "body.events: List should have at most 1000",
            ),
            (b'{"events": [{"user_id": "hunter2"}]}', "body.events.0.item_id: Field required"),
            (b'{"events": [{"item_id": "a", "hunter2": 1}]}', "body.events.0: holds an unknown field; expected only"),
            (b'{"events": [{"item_id": 7}]}', "body.events.0.item_id: expected a valid string"),
            (b'{"events": [{"item_id": "a", "value": NaN}]}', "body.events.0.value: expected a finite number"),
            (b'{"events": [{"item_id": "a", "timestamp": "hunter2"}]}', "body.events.0.timestamp: expected seconds"),
            (
                b'{"events": [{"item_id": "a", "place": 0}]}',
                "body.events.0.place: expected greater than or equal to 1",
            ),
        ],
    )
    def test_a_body_of_another_form_is_refused_whole(self, open_shop, body, detail):
        reply = open_shop.send("POST", "/v1/events", content=body)
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
        assert reply.json()["detail"].startswith(detail)
        assert "hunter2" not in reply.text.replace("holds an unknown field", "")

    def test_a_body_of_more_than_2_mib_is_refused(self, open_shop):
        reply = open_shop.send("POST", "/v1/events", content=b" " * (2**21 + 1))
        assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")

    def test_kinds_values_and_times_are_those_of_the_version(self, start, store, tmp_path, publish_log):
        folder = publish_log(
            {"event": "kind", "event_weights": {"view": 1, "buy": 5, "spam": 0}, "value": "n", "max_future": 10}
        )
        service = start(Settings(store=folder, events=tmp_path / "events.db"))
        one = {"user_id": "ada", "item_id": "dune"}
        wrong = [{"event": "View"}, {"value": 0}, {"value": 1e-60}, {"timestamp": time.time() + 60}]
        right = [{"event": "buy"}, {"event": "spam"}, {}]
        reply = post(service, *({**one, **each} for each in (*wrong, *right))).json()
        codes = [refused["code"] for refused in reply["refused"]]
        assert codes == ["unknown_event", "non_positive_value", "non_positive_value", "in_the_future"]
        assert reply["accepted"] == 3

    def test_events_are_kept_before_there_is_a_version(self, start, tmp_path):
        (tmp_path / "store").mkdir()
        service = start(Settings(store=tmp_path / "store", events=tmp_path / "events.db"))
        assert post(service, {"user_id": "ada", "item_id": "dune"}).json() == {"accepted": 1, "duplicates": 0}

    def test_without_the_setting_there_are_no_such_routes(self, service):
        for method, path in (("POST", "/v1/events"), ("GET", "/v1/events"), ("POST", "/v1/users/ada:merge")):
            reply = service.send(method, path)
            assert (reply.status_code, reply.json()["code"]) == (404, "unknown_route")
        assert service.get("/v1/users/ada/recommendations?fresh=true&session_id=s").status_code == 200

    def test_of_several_stores_each_keeps_its_own_and_one_may_keep_none(self, start, store, tmp_path):
        settings = Settings(store=f"shop={store},blog={store}", events=f"shop={tmp_path / 'shop.db'}")
        service = start(settings)
        event = {"user_id": "ada", "item_id": "dune"}
        assert post(service, event, path="/v1/shop/events").json()["accepted"] == 1
        reply = post(service, event, path="/v1/blog/events")
        assert (reply.status_code, reply.json()["code"]) == (404, "no_events")
        assert fresh_list(service, 1, "/v1/shop/users/ada/recommendations")["user"]["status"] == "folded_in"
        assert "fresh_events" not in service.get("/v1/blog/users/ada/recommendations").json()

    def test_reading_needs_the_admin_key_and_one_person(self, shop):
        assert shop.get("/v1/events?user_id=ada").status_code == 401
        for query in ("", "?user_id=a&session_id=b", "?user_id=", "?user_id=a&limit=0", "?user_id=a&before=x"):
            assert shop.get(f"/v1/events{query}", headers=KEY).status_code == 422

    def test_what_came_is_counted(self, shop):
        event = {"event_id": "1", "user_id": "ada", "item_id": "dune"}
        post(shop, event, event, {"user_id": "ada", "item_id": "new"}, {"item_id": "x"}, {"item_id": "y"})
        found = {
            sample.name + str(sample.labels.get("reason", "")): sample.value
            for family in text_string_to_metric_families(shop.get("/metrics").text)
            for sample in family.samples
            if sample.name.startswith("recsys_events_")
        }
        assert found["recsys_events_accepted_total"] == 2
        assert found["recsys_events_duplicate_total"] == 1
        assert found["recsys_events_unknown_item_total"] == 1
        assert found["recsys_events_refused_totalmissing_user"] == 2
        assert found["recsys_events_commit_seconds_count"] == 1


class TestFaults:
    def test_lists_go_on_while_the_store_is_away_and_nothing_is_acknowledged(self, shop, tmp_path):
        post(shop, {"user_id": "ada", "item_id": "AC/DC"})
        before = fresh_list(shop, 1)
        for file in tmp_path.glob("events.db*"):
            file.unlink()
        (tmp_path / "events.db").mkdir()
        reply = post(shop, {"user_id": "ada", "item_id": "Björk"})
        assert (reply.status_code, reply.json()["code"]) == (503, "events_unavailable")
        assert reply.headers["retry-after"] == "5"
        assert str(tmp_path) not in reply.text
        shop.wait(0.2)
        assert without_ids(shop.get("/v1/users/ada/recommendations").json()) == without_ids(before)
        assert shop.get("/v1/events?user_id=ada", headers=KEY).status_code == 503
        (tmp_path / "events.db").rmdir()
        assert post(shop, {"user_id": "ada", "item_id": "Björk"}).json()["accepted"] == 1

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/v1/events?user_id=%00", None),
            ("GET", "/v1/events?session_id=a%00", None),
            ("POST", "/v1/users/%00:merge", {"session_id": "s"}),
            ("POST", "/v1/users/ada:merge", {"session_id": "\0"}),
            ("PUT", "/v1/items/a%00b", {"title": "Dune"}),
            ("PATCH", "/v1/items/a%00b", {"title": "Dune"}),
            ("DELETE", "/v1/items/a%00b", None),
            ("POST", "/v1/items:update", {"items": [{"item_id": "\0", "title": "Dune"}]}),
        ],
    )
    def test_an_id_that_postgresql_cannot_hold_is_the_clients_mistake(self, shop, method, path, body):
        reply = shop.send(method, path, json=body, headers=KEY)
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
        assert "holds the character NUL, which cannot be kept" in reply.json()["detail"]

    def test_lists_for_ids_that_cannot_be_kept_do_not_keep_others_from_being_counted(self, start, store, place):
        service = start(Settings(store=store, events=place))
        for path in ("/v1/users/a%00b/recommendations", "/v1/users/ada/recommendations?session_id=%00"):
            assert service.get(path).status_code == 200
        written = 'recsys_impressions_total{result="written"} 2.0'
        until(lambda: service.get("/metrics").text, lambda text: written in text)

    def test_a_store_that_is_put_in_the_place_of_another_is_read_from_its_beginning(
        self, shop, store, start, tmp_path
    ):
        """Also one with as many events, so that its numbers do not show it."""
        other = start(Settings(store=store, events=tmp_path / "other.db"))
        post(other, {"user_id": "ada", "item_id": "AC/DC"}, {"user_id": "ada", "item_id": "Björk"})
        post(shop, {"user_id": "bob", "item_id": "AC/DC"})
        fresh_list(shop, 1, "/v1/users/bob/recommendations")
        with sqlite3.connect(tmp_path / "other.db") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        for file in tmp_path.glob("events.db*"):
            file.unlink()
        shutil.copy(tmp_path / "other.db", tmp_path / "events.db")
        fresh_list(shop, 2)
        fresh_list(shop, 0, "/v1/users/bob/recommendations")

    def test_a_database_that_may_only_be_read(self, start, store, postgres):
        one = start(Settings(store=store, events=postgres))
        post(one, {"user_id": "ada", "item_id": "AC/DC"})
        service = start(Settings(store=store, events=f"{postgres}&options=-cdefault_transaction_read_only%3Don"))
        reply = post(service, {"user_id": "ada", "item_id": "Björk"})
        assert (reply.status_code, reply.json()["code"]) == (503, "events_read_only")
        assert fresh_list(service, 1)["user"]["status"] == "folded_in"

    def test_a_file_that_may_only_be_read(self, shop, tmp_path):
        post(shop, {"user_id": "ada", "item_id": "AC/DC"})
        before = fresh_list(shop, 1)
        with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        newer_writer(tmp_path / "events.db")
        reply = post(shop, {"user_id": "ada", "item_id": "Björk"})
        assert (reply.status_code, reply.json()["code"]) == (503, "events_read_only")
        assert int(reply.headers["retry-after"]) > 0
        assert without_ids(shop.get("/v1/users/ada/recommendations").json()) == without_ids(before)
        assert len(shop.get("/v1/events?user_id=ada", headers=KEY).json()["events"]) == 1

    @pytest.mark.slow
    def test_a_file_that_another_program_has_locked(self, shop, tmp_path):
        post(shop, {"user_id": "ada", "item_id": "AC/DC"})
        before = fresh_list(shop, 1)
        event = {"event_id": "1", "user_id": "ada", "item_id": "Björk"}
        with contextlib.closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            reply = post(shop, event)
            assert (reply.status_code, reply.json()["code"]) == (503, "events_busy")
            assert int(reply.headers["retry-after"]) > 0
            assert without_ids(shop.get("/v1/users/ada/recommendations").json()) == without_ids(before)
            assert len(shop.get("/v1/events?user_id=ada", headers=KEY).json()["events"]) == 1
        assert post(shop, event).json() == {"accepted": 1, "duplicates": 0}


def newer_writer(path):
    """Let the file say that a later SQLite wrote it, which this one may only read."""
    replaced = path.with_name("replaced.db")
    content = bytearray(path.read_bytes())
    content[18] = 3  # "file format write version"
    replaced.write_bytes(content)
    replaced.replace(path)


class TestLists:
    def test_fresh_events_count_as_the_same_events_in_the_body_do(self, shop):
        """To the bit: scores, reasons and what is left out."""
        events = [
            {"item_id": "AC/DC", "timestamp": NOW - 5},
            {"item_id": "ubik", "value": 2.0, "timestamp": NOW - 4.5},
            {"item_id": "new", "timestamp": NOW - 3},
        ]
        post(shop, *({"user_id": "ada", **event} for event in events))
        asked = {"user_id": "ada", "k": 10, "explain": True}
        fresh = fresh_list(shop, 3, "/v1/recommendations", **asked)
        sent = shop.send("POST", "/v1/recommendations", json={**asked, "events": events, "fresh": False}).json()
        assert without_ids(fresh) == without_ids(sent)
        assert fresh["user"] == {"id": "ada", "status": "folded_in"}
        assert "AC/DC" not in [item["item_id"] for item in fresh["items"]]
        assert fresh["unknown_items"] == ["new"]
        by_path = shop.get("/v1/users/ada/recommendations?k=10").json()
        assert [(it["item_id"], it["score"]) for it in by_path["items"]] == [
            (it["item_id"], it["score"]) for it in fresh["items"]
        ]

    def test_fresh_false_is_what_the_version_knows(self, shop, service):
        known = service.get("/v1/users/ada/recommendations").json()
        post(shop, {"user_id": "ada", "item_id": "AC/DC"})
        fresh_list(shop, 1)
        assert without_ids(shop.get("/v1/users/ada/recommendations?fresh=false").json()) == without_ids(known)

    def test_every_way_to_ask_counts_them(self, shop):
        post(shop, {"user_id": "ada", "item_id": "AC/DC"}, {"session_id": "s", "item_id": "dune"})
        fresh_list(shop, 1)
        asked = [{"user_id": "ada"}, {"user_id": "eve"}, {"session_id": "s"}, {"user_id": "ada", "fresh": False}]
        batch = shop.send("POST", "/v1/recommendations:batch", json={"requests": asked}).json()
        assert [answer.get("fresh_events") for answer in batch["answers"]] == [1, None, 1, None]
        rank = {"item_ids": ["ubik", "Björk"]}
        ranked = shop.send("POST", "/v1/rank", json={**rank, "session_id": "s"}).json()
        assert (ranked["fresh_events"], ranked["user"]["status"]) == (1, "folded_in")
        assert ids(shop.send("POST", "/v1/rank", json={**rank, "session_id": "s"}))[0] == "ubik"
        assert (
            "fresh_events"
            not in shop.send("POST", "/v1/rank", json={**rank, "user_id": "ada", "fresh": False}).json()
        )

    def test_a_visitor_who_logs_in_takes_the_session_along(self, shop):
        post(shop, {"session_id": "s", "item_id": "AC/DC"}, {"user_id": "new", "item_id": "a b"})
        visitor = fresh_list(shop, 1, "/v1/recommendations", session_id="s")
        assert visitor["user"] == {"status": "folded_in"}
        fresh_list(shop, 2, "/v1/recommendations", session_id="s", user_id="new")
        assert fresh_list(shop, 1, "/v1/users/new/recommendations")
        merged = shop.send("POST", "/v1/users/new:merge", json={"session_id": "s"})
        assert merged.json() == {"user_id": "new", "session_id": "s"}
        fresh_list(shop, 2, "/v1/users/new/recommendations")
        post(shop, {"session_id": "s", "item_id": "Björk"})
        both = fresh_list(shop, 3, "/v1/users/new/recommendations?session_id=s&k=10")
        assert {"AC/DC", "a b", "Björk"}.isdisjoint(item["item_id"] for item in both["items"])
        assert len(shop.get("/v1/events?user_id=new", headers=KEY).json()["events"]) == 3
        again = shop.send("POST", "/v1/users/other:merge", json={"session_id": "s"})
        assert (again.status_code, again.json()["code"]) == (409, "session_taken")

    def test_another_process_lists_them_too_and_a_new_one_at_once(self, start, settings, shop):
        other = start(settings)
        post(shop, {"user_id": "ada", "item_id": "AC/DC"})
        fresh_list(other, 1)
        late = start(settings)
        assert late.get("/v1/users/ada/recommendations").json()["fresh_events"] == 1

    def test_what_a_version_knows_is_dropped_and_comes_back_with_an_older_version(
        self, start, store, tmp_path, publish_log
    ):
        middle = NOW - 1000
        folder = publish_log({}, newest=1_700_000_000)
        old = Registry(folder).current()
        service = start(Settings(store=folder, events=tmp_path / "events.db", poll_seconds=0.02))
        post(service, *({"user_id": "ada", "item_id": "dune", "timestamp": middle + at} for at in (-500, 0, 500)))
        fresh_list(service, 3)
        publish_log({}, newest=int(middle))
        reply = until(lambda: service.get("/v1/model"), lambda it: it.json()["model_version"] != old)
        assert reply.status_code == 200
        fresh_list(service, 1)
        Registry(folder).rollback(old)
        fresh_list(service, 3)

    def test_an_event_that_the_version_does_not_count_is_left_out(self, start, tmp_path, publish_log, settings):
        """It was kept under another version, or while there was none."""
        (tmp_path / "empty").mkdir()
        early = start(settings.model_copy(update={"store": type(settings.store)(str(tmp_path / "empty"))}))
        kinds = ["view", "odd", None, "spam"]
        post(early, *({"user_id": "ada", "item_id": "dune", "event": kind} for kind in kinds if kind))
        post(early, {"user_id": "ada", "item_id": "ubik"})
        folder = publish_log({"event": "kind", "event_weights": {"view": 1.0, "spam": 0.0}})
        service = start(settings.model_copy(update={"store": type(settings.store)(str(folder))}))
        reply = service.get("/v1/users/ada/recommendations").json()
        assert reply["fresh_events"] == 2
        assert not any("ignores" in warning for warning in reply["warnings"])

    def test_only_kinds_that_make_seen_leave_an_item_out(self, start, tmp_path, publish_log):
        log = {"event": "kind", "event_weights": {"view": 1.0, "buy": 5.0}, "seen_events": ["buy"]}
        service = start(Settings(store=publish_log(log), events=tmp_path / "events.db"))
        post(service, {"user_id": "new", "item_id": "dune", "event": "view"})
        assert "dune" in [it["item_id"] for it in fresh_list(service, 1, "/v1/users/new/recommendations")["items"]]
        post(service, {"user_id": "new", "item_id": "dune", "event": "buy"})
        assert "dune" not in [
            it["item_id"] for it in fresh_list(service, 2, "/v1/users/new/recommendations")["items"]
        ]


def test_popular_lately_counts_people(shop, store):
    rows = [{"kind": "popular_lately", "k": 2}]
    first = shop.send("POST", "/v1/pages", json={"rows": [{"kind": "popular", "k": 4}]}).json()["rows"][0]["items"]
    last, before_it = first[3]["item_id"], first[2]["item_id"]
    post(shop, *({"user_id": f"new-{n}", "item_id": last} for n in range(3)))
    post(shop, *({"session_id": "one", "item_id": before_it} for n in range(9)))
    (row,) = shop.send("POST", "/v1/pages", json={"rows": rows}).json()["rows"]
    assert [(item["item_id"], item["score"]) for item in row["items"]] == [(last, 3.0), (before_it, 1.0)]
    assert row["warnings"] == []
