"""What somebody without the right key might try: paths, methods, headers."""

import pytest

from api.settings import Settings
from tests.api.access.raw_request import ask_raw

SECRET = b'"items"'


@pytest.fixture(scope="module")
def guarded(started, store, module_keys):
    module_keys.add("reader", "read")
    return started(Settings(store=store, keys=str(module_keys.path), admin_key="correct horse battery"))


@pytest.fixture(scope="module")
def reader(module_keys, guarded):
    return module_keys.by_name["reader"].encode()


PATHS = [
    b"/v1/model",
    b"/v1/nothing",
    b"/v1",
    b"/v1/",
    b"//v1/model",
    b"///v1/model",
    b"/%761/model",
    b"/v%31/model",
    b"/v1%2fmodel",
    b"/v1/../metrics",
    b"/metrics/../v1/model",
    b"/livez/../v1/model",
    b"/v1/./model",
    b"/v1;x=1/model",
    b"/V1/model",
    b"/v1/model/",
    b"/v1/model?x=/livez",
    b"/v1/users/livez/recommendations",
    b"/v1/users/ada/recommendations#/livez",
    b"/admin/reload",
    b"/admin",
    b"/x/v1/model",
    b"/livez/v1/model",
    b"\\v1\\model",
    b"/v1/model\x00",
    b"/%ff/v1/model",
]


@pytest.mark.parametrize("root_path", ["", "/recsys"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G\tT"])
def test_no_path_and_no_method_is_a_way_around_the_key(guarded, method, root_path):
    for path in PATHS:
        reply = ask_raw(guarded.app, method, path, root_path=root_path)
        assert reply.status in {401, 404, 405, 422}, (method, path, reply)
        assert b"model_version" not in reply.body
        if path.startswith((b"/v1/", b"/admin")) and b"%" not in path:
            assert reply.status == 401, (method, path)


def test_the_key_is_good_for_these_paths(guarded, reader):
    headers = [(b"authorization", b"Bearer " + reader)]
    for root_path in ("", "/recsys"):
        assert ask_raw(guarded.app, "GET", b"/v1/model", headers, root_path=root_path).status == 200


@pytest.mark.parametrize(
    "header",
    [b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url", b"x-forwarded-uri"],
)
def test_headers_that_other_servers_follow_change_nothing(guarded, header):
    for value in (b"GET", b"/livez", b"/v1/model"):
        assert ask_raw(guarded.app, "POST", b"/v1/model", [(header, value)]).status == 401
        assert ask_raw(guarded.app, "GET", b"/livez", [(header, value)]).body == b'{"status":"alive"}'


def variants(key):
    """Headers Authorization that are not exactly one bearer's key, with the right key in them."""
    yield from ([(b"authorization", value)] for value in (b"", b"Bearer", b"Bearer ", key, b"Basic " + key))
    yield [(b"authorization", b"Bearer " + key + b" x")]
    yield [(b"authorization", b"Bearer " + key + b"," + key)]
    yield [(b"authorization", b"Bearer\t" + key)]
    yield [(b"authorization", b"Bearer=" + key)]
    yield [(b"authorization", b"Bearer " + key.lower())]
    yield [(b"authorization", b"Bearer " + key.swapcase())]
    yield [(b"authorization", b"Bearer " + key[:-1])]
    yield [(b"authorization", b"Bearer " + key + b"\x00")]
    yield [(b"authorization", b'Bearer "' + key + b'"')]
    yield [(b"authorization", b"Bearer " + key.replace(b"r", b"\xd0\xb3"))]
    yield [(b"authorization", b"Bearer \xff\xfe")]
    yield [(b"authorization", b"Bearer " + key * 200)]
    yield [(b"authorization", b"Bearer " + key)] * 2
    yield [(b"authorization", b"Bearer wrong"), (b"authorization", b"Bearer " + key)]
    yield [(b"authorization", b"Bearer " + key), (b"authorization", b"Basic x")]
    yield [(b"x-api-key", key)]
    yield [(b"cookie", b"authorization=Bearer " + key)]
    yield [(b"proxy-authorization", b"Bearer " + key)]


def test_nothing_but_one_bearers_key_is_taken(guarded, reader):
    tried = 0
    for at, headers in enumerate(variants(reader)):
        reply = ask_raw(guarded.app, "GET", b"/v1/model", headers, address=f"203.0.113.{at}")
        assert reply.status == 401, headers
        assert reader not in reply.body
        tried += 1
    assert tried >= 20
    assert ask_raw(guarded.app, "GET", b"/v1/model?key=" + reader).status == 401


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"Bearer  "])
def test_the_scheme_is_taken_in_any_case(guarded, reader, scheme):
    assert ask_raw(guarded.app, "GET", b"/v1/model", [(b"authorization", scheme + reader)]).status == 200


def test_a_conditional_request_says_nothing_without_a_key(guarded):
    for header in (b"if-none-match", b"if-modified-since", b"range"):
        assert ask_raw(guarded.app, "GET", b"/v1/model", [(header, b"*")]).status == 401


def test_the_admin_key_has_all_scopes(guarded):
    headers = [(b"authorization", b"Bearer correct horse battery")]
    assert ask_raw(guarded.app, "GET", b"/v1/model", headers).status == 200
    assert ask_raw(guarded.app, "POST", b"/admin/reload", headers).status == 200


def test_a_store_is_told_to_its_own_keys_only(start, store, keys, tmp_path):
    of_shop = keys.add("shop", "read", "admin", stores=["shop"])
    of_all = keys.add("all", "read")
    service = start(Settings(store=f"shop={store},blog={store}", keys=str(keys.path)))
    for name in ("shop", "blog", "nothing"):
        assert service.get(f"/v1/{name}/model").status_code == 401
    assert [service.get(f"/v1/{name}/model", headers=of_shop).status_code for name in ("shop", "blog")] == [200, 403]
    assert service.get("/v1/nothing/model", headers=of_shop).json()["code"] == "forbidden"
    assert service.get("/v1/nothing/model", headers=of_all).json()["code"] == "unknown_store"
    assert service.send("POST", "/admin/blog/reload", headers=of_shop).status_code == 403
    assert service.send("POST", "/admin/shop/reload", headers=of_shop).status_code == 200
