import shutil

import pytest

from api.settings import Settings
from recsys.artifacts.registry import Registry

KEY = "correct horse battery"
AUTHORISED = {"Authorization": f"Bearer {KEY}"}
PATHS = ["/admin/reload", "/admin/rollback"]


@pytest.fixture
def shop(store, tmp_path):
    """A copy of the published store, to be changed at will."""
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture
def admin(start, shop):
    return start(Settings(store=shop, admin_key=KEY, poll_seconds=3600))


@pytest.fixture(scope="module")
def behind(store, publish, started, tmp_path_factory):
    """A service and its store, which points at a version that the service does not serve yet."""
    shop = shutil.copytree(store, tmp_path_factory.mktemp("behind") / "store")
    service = started(Settings(store=shop, admin_key=KEY, poll_seconds=3600))
    publish(shop, seed=2)
    return service, shop


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_set_there_are_no_such_routes(service, path):
    reply = service.send("POST", path, headers=AUTHORISED)
    assert (reply.status_code, reply.json()["code"]) == (404, "unknown_route")
    assert path not in service.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "given", [None, "", KEY, "Bearer", "Bearer ", f"Bearer {KEY[:-1]}", f"Bearer {KEY}x", f"Basic {KEY}", "Bearer é"]
)
def test_any_other_key_is_a_401(behind, path, given):
    admin, store = behind
    headers = {} if given is None else {"Authorization": given.encode()}
    before = (store / "CURRENT").read_text()
    reply = admin.send("POST", f"{path}?nonsense=1", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == ("Bearer" if given is None else 'Bearer error="invalid_token"')
    assert (store / "CURRENT").read_text() == before != f"{reply.headers['x-model-version']}\n"


def test_get_is_a_405_that_says_post(admin):
    reply = admin.get("/admin/reload", headers=AUTHORISED)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


def test_reload_serves_what_was_published_without_waiting_for_the_poll(admin, shop, publish):
    version = publish(shop, seed=2)
    assert admin.get("/readyz").json()["model_version"] != version
    reply = admin.send("POST", "/admin/reload", headers=AUTHORISED)
    assert (reply.status_code, reply.json()) == (200, {"model_version": version})
    assert reply.headers["x-model-version"] == version
    assert admin.get("/readyz").json()["model_version"] == version


def test_reload_tries_again_what_failed_a_moment_ago(admin, shop, publish):
    serving = admin.get("/readyz").json()["model_version"]
    version = publish(shop, seed=2)
    path = shop / "versions" / version / "popularity.npy"
    sound = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(sound[:-1])
    for _ in range(2):
        reply = admin.send("POST", "/admin/reload", headers=AUTHORISED)
        assert (reply.status_code, reply.json()["code"]) == (409, "store_refused")
        assert str(shop) not in reply.text
        assert admin.get("/readyz").json()["model_version"] == serving
    path.write_bytes(sound)
    assert admin.send("POST", "/admin/reload", headers=AUTHORISED).json() == {"model_version": version}


def test_rollback_goes_back_for_every_reader_of_the_store(admin, shop, publish):
    first = Registry(shop).current()
    second = publish(shop, seed=2)
    third = publish(shop, seed=3)
    assert admin.send("POST", "/admin/rollback", headers=AUTHORISED).json() == {"model_version": second}
    assert Registry(shop).current() == admin.get("/readyz").json()["model_version"] == second
    reply = admin.send("POST", f"/admin/rollback?version={third}", headers=AUTHORISED)
    assert reply.json() == {"model_version": third}
    assert admin.send("POST", f"/admin/rollback?version={first}", headers=AUTHORISED).status_code == 200
    reply = admin.send("POST", "/admin/rollback", headers=AUTHORISED)
    assert (reply.status_code, reply.json()["code"]) == (409, "store_refused")
    assert str(shop) not in reply.text
    assert admin.get("/readyz").json()["model_version"] == first


@pytest.mark.parametrize("query", ["version=v0123456789abcdef"])
def test_a_version_that_is_not_there_is_a_409(admin, query):
    reply = admin.send("POST", f"/admin/rollback?{query}", headers=AUTHORISED)
    assert (reply.status_code, reply.json()["code"]) == (409, "store_refused")


@pytest.mark.parametrize("query", ["version=../../etc", "version=", "verzion=v0123456789abcdef"])
def test_what_cannot_be_a_version_is_a_422_that_does_not_repeat_it(admin, query):
    reply = admin.send("POST", f"/admin/rollback?{query}", headers=AUTHORISED)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert "etc" not in reply.text
    assert "verzion" not in reply.text
