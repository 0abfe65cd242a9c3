"""Several stores in one service: each request is answered by the store that its path names, and by no other."""

import logging
import shutil

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.settings import Settings

KEYS = {"shop": "correct horse battery", "blog": "staple battery horse"}
MESSIAH = {"title": "Dune Messiah", "attributes": {"price": 12.5}}


def authorised(name):
    return {"Authorization": f"Bearer {KEYS[name]}"}


@pytest.fixture
def folders(store, tmp_path, publish):
    """Two stores of different versions; the second has two."""
    shutil.copytree(store, tmp_path / "shop")
    shutil.copytree(store, tmp_path / "blog")
    publish(tmp_path / "blog", seed=2)
    return tmp_path


@pytest.fixture
def both(start, folders):
    keys = ",".join(f"{name}={key}" for name, key in KEYS.items())
    stores = f"shop={folders / 'shop'},blog={folders / 'blog'}"
    return start(Settings(store=stores, admin_key=keys, poll_seconds=3600))


@pytest.fixture(scope="module")
def kept(started, store):
    """Both names for one store, in a service that no test changes."""
    return started(Settings(store=f"shop={store},blog={store}", poll_seconds=3600))


@pytest.fixture
def versions(folders):
    return {name: (folders / name / "CURRENT").read_text().strip() for name in KEYS}


def samples(service):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(service.get("/metrics").text)
        for sample in family.samples
    }


def test_the_path_says_which_store_answers(both, versions):
    assert versions["shop"] != versions["blog"]
    for name, version in versions.items():
        for path in ("model", "users/ada/recommendations?k=3", "items/AC%2FDC/similar", "map"):
            reply = both.get(f"/v1/{name}/{path}")
            assert (reply.status_code, reply.json()["model_version"]) == (200, version)
        reply = both.send("POST", f"/v1/{name}/recommendations", json={"user_id": "ada"})
        assert reply.json()["model_version"] == reply.headers["x-model-version"] == version
        assert both.send("HEAD", f"/v1/{name}/model").headers["x-model-version"] == version


def test_lists_are_those_of_a_service_of_that_store_alone(both, start, folders):
    alone = start(Settings(store=folders / "shop"))
    path = "users/ada/recommendations?k=7"
    both_say, alone_says = both.get(f"/v1/shop/{path}").json(), alone.get(f"/v1/{path}").json()
    assert both_say.pop("recommendation_id") != alone_says.pop("recommendation_id")
    assert both_say == alone_says


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/users/ada/recommendations", "unknown_store"),
        ("/v1/nobody/model", "unknown_store"),
        ("/v1/SHOP/model", "unknown_store"),
        ("/v1/shop%2Fmodel", "unknown_store"),
        ("/v1//model", "unknown_store"),
        ("/v1/", "unknown_store"),
        ("/v1/shop/nothing", "unknown_route"),
        ("/v1/shop", "unknown_route"),
        ("/v1/shop/blog/model", "unknown_route"),
        ("/nothing", "unknown_route"),
        ("/shop/model", "unknown_route"),
    ],
)
def test_a_path_of_no_store_is_a_404_that_says_so(kept, path, code):
    reply = kept.get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, code)
    assert "x-model-version" not in reply.headers or path.startswith("/v1/shop")
    assert "blog" not in reply.text


def test_each_store_has_its_own_posted_items_and_its_own_key(both, folders):
    path = "items/dune%20messiah"
    assert both.send("PUT", f"/v1/shop/{path}", json=MESSIAH, headers=authorised("blog")).status_code == 403
    assert both.send("PUT", f"/v1/shop/{path}", json=MESSIAH, headers=authorised("shop")).status_code == 200
    assert [both.get(f"/v1/{name}/{path}").status_code for name in KEYS] == [200, 404]
    assert (folders / "shop" / "new-items.sqlite").exists()
    assert not (folders / "blog" / "new-items.sqlite").exists()


def test_each_store_is_reloaded_and_rolled_back_by_itself(both, folders, publish, versions):
    newer = publish(folders / "shop", seed=3)
    for name in KEYS:
        assert both.send("POST", f"/admin/{name}/reload", headers=authorised(name)).status_code == 200
    assert both.get("/readyz").json()["stores"] == {**versions, "shop": newer}
    back = both.send("POST", "/admin/shop/rollback", headers=authorised("shop"))
    assert back.json()["model_version"] == back.headers["x-model-version"] == versions["shop"]
    assert both.send("POST", "/admin/shop/rollback", headers=authorised("blog")).status_code == 403
    assert both.send("POST", "/admin/rollback", headers=authorised("shop")).json()["code"] == "unknown_store"


def test_a_store_without_a_key_has_no_operator(start, folders):
    stores = f"shop={folders / 'shop'},blog={folders / 'blog'}"
    service = start(Settings(store=stores, admin_key=f"shop={KEYS['shop']}"))
    assert service.send("POST", "/admin/shop/reload").status_code == 401
    reply = service.send("POST", "/admin/blog/reload", headers=authorised("shop"))
    assert (reply.status_code, reply.json()["code"]) == (404, "unknown_route")


def test_readiness_names_the_store_that_cannot_serve(start, folders, versions):
    (folders / "empty").mkdir()
    stores = f"shop={folders / 'shop'},blog={folders / 'blog'}"
    ready = start(Settings(store=f"{stores},empty={folders / 'empty'}")).get("/readyz")
    assert ready.json() == {"status": "ready", "stores": versions, "waiting": ["empty"]}
    shutil.rmtree(folders / "blog" / "versions")
    service = start(Settings(store=stores))
    reply = service.get("/readyz")
    assert (reply.status_code, reply.json()["code"]) == (503, "model_not_loaded")
    assert reply.json()["detail"].startswith(f"store blog: version {versions['blog']} cannot be loaded")
    assert "shop" not in reply.text
    assert service.get("/v1/shop/model").status_code == 200
    assert service.get("/v1/blog/model").json()["code"] == "model_not_loaded"


def test_a_service_whose_stores_are_all_empty_is_not_ready(start, tmp_path):
    reply = start(Settings(store=f"a={tmp_path},b={tmp_path}")).get("/readyz")
    assert reply.status_code == 503
    assert "store a: no version" in reply.json()["detail"]


def test_metrics_are_labelled_by_store(both, versions):
    for path in ("/v1/shop/users/ada/recommendations", "/v1/blog/users/ada/recommendations", "/v1/x/model"):
        both.get(path)
    both.get("/v1/shop/users/stranger/recommendations")
    found = samples(both)
    route = ("route", "/v1/users/{user_id}/recommendations")
    asked = ("recsys_requests_total", ("method", "GET"), route, ("status", "200"))
    assert (found[*asked, ("store", "shop")], found[*asked, ("store", "blog")]) == (2, 1)
    assert found["recsys_requests_total", ("method", "GET"), ("route", "-"), ("status", "404"), ("store", "")] == 1
    lists = ("recsys_lists_total", ("kind", "recommendations"), ("store", "shop"))
    assert (found[*lists, ("user_status", "known")], found[*lists, ("user_status", "fallback")]) == (1, 1)
    for name, version in versions.items():
        assert found["recsys_model_info", ("store", name), ("version", version)] == 1
        assert found["recsys_reloads_total", ("result", "ok"), ("store", name)] == 1
    assert not [key for key in found if key[0].startswith("recsys_model") and ("store", "") in key]


def test_the_log_names_the_store(both, caplog):
    with caplog.at_level(logging.INFO, "api"):
        both.get("/v1/shop/model")
        both.get("/v1/nobody/model")
    shop, unknown = (record.getMessage() for record in caplog.records if record.name == "api.access")
    assert shop.startswith("method=GET route=/v1/model status=200 ")
    assert shop.endswith(" store=shop")
    assert "store=" not in unknown
    assert "nobody" not in unknown


def test_the_document_has_the_store_in_its_paths(both):
    document = both.get("/openapi.json").json()
    of_stores = [path for path in document["paths"] if path.startswith(("/v1/", "/admin/"))]
    assert len(of_stores) > 10
    for path in of_stores:
        assert path.startswith(("/v1/{store}/", "/admin/{store}/"))
        for method, operation in document["paths"][path].items():
            first = operation["parameters"][0]
            assert (first["name"], first["in"], first["required"]) == ("store", "path", True)
            assert "`unknown_store`" in operation["responses"]["404"]["description"]
            assert ("content" in operation["responses"]["404"]) == (method != "head")
    assert {"/livez", "/readyz", "/metrics"} <= document["paths"].keys()


def test_one_store_may_have_a_name(start, store):
    service = start(Settings(store=f"shop={store}"))
    assert service.get("/v1/shop/model").status_code == 200
    assert service.get("/v1/model").status_code == 404
