import pytest
from pydantic import SecretStr

from api.by_store import ByStore, joined
from api.settings import Settings, admin_key_of, check_names, load_settings, variable
from recsys.errors import ConfigError

KEY = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


@pytest.mark.parametrize("text", ["store", "/data/a,b", "./x=y", "C:/stores", "a/b=c", "A=b"])
def test_a_value_without_a_name_is_that_of_the_only_store(text):
    found = ByStore(text)
    assert (found.names, found.are_named, found.of(""), str(found)) == (("",), False, text, text)
    assert found.of("shop") is None


def test_values_have_names():
    found = ByStore("shop=stores/a,b=c/d,blog=e,f")
    assert found.names == ("shop", "b", "blog")
    assert [*map(found.of, (*found.names, "none"))] == ["stores/a", "c/d", "e,f", None]
    assert ByStore(str(found)) == found != ByStore("shop=stores/a")


@pytest.mark.parametrize("text", ["", "a=,b=c", "a=b,a=c"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        ByStore(text)


def test_an_option_that_is_repeated_is_joined():
    given = ["--store", "a=1", "--port", "80", "--store=b=2", "--new-items"]
    assert joined(given, ("--store", "--new-items")) == ["--port", "80", "--new-items", "--store", "a=1,b=2"]
    with pytest.raises(ValueError, match=r"--store: given 2 times; expected a name for each"):
        joined(["--store", "a", "--store", "b=2"], ("--store",))


def test_options_and_variables_have_the_same_form(monkeypatch):
    settings = load_settings(["--store", "shop=a", "--store=blog=b", "--new-items", "blog=c"])
    assert [settings.store.of(name) for name in ("shop", "blog")] == ["a", "b"]
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings
    monkeypatch.setenv("RECSYS_STORE", "other=x,blog=y")
    assert load_settings().store.names == ("other", "blog")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--store", "a", "--store", "b"], r"--store: given 2 times; expected a name for each: --store NAME=VALUE"),
        (["--store", "a=b,a=c"], r"--store \(RECSYS_STORE\): expected each name once"),
        (
            ["--store", "shop=a", "--new-items", "shob=c"],
            r"--new-items .*there is no store 'shob'; did you mean 'shop'",
        ),
        (
            ["--store", "shop=a", "--new-items", "c"],
            r"--new-items \(RECSYS_NEW_ITEMS\): expected NAME=VALUE, once per",
        ),
        (["--store", "a", "--new-items", "shop=c"], r"--new-items .*there is no store 'shop'; known here: \(without"),
    ],
)
def test_what_does_not_fit_together_is_an_error_that_names_the_option(options, message):
    with pytest.raises(ConfigError, match=message):
        load_settings(options)


def test_an_admin_key_is_that_of_all_stores_or_of_one():
    of_all = Settings(store="shop=a,blog=b", admin_key=KEY)
    assert {admin_key_of(of_all, name) for name in ("shop", "blog")} == {SecretStr(KEY)}
    with_equals = Settings(store="shop=a", admin_key="c2hvcDphYmNkZWZnaA==")
    assert admin_key_of(with_equals, "shop") == with_equals.admin_key
    own = Settings(store="shop=a,blog=b,news=c", admin_key=f"shop={KEY},blog={KEY[::-1]}")
    assert [admin_key_of(own, name) for name in own.store.names] == [SecretStr(KEY), SecretStr(KEY[::-1]), None]
    with pytest.raises(
        ConfigError, match=r"^RECSYS_ADMIN_KEY: store 'blog': expected a key of at least 16"
    ) as refused:
        check_names(Settings(store="shop=a,blog=b", admin_key=f"shop={KEY},blog=short key"))
    assert "short key" not in str(refused.value)


def test_no_password_is_shown():
    value = ByStore("shop=postgresql://ada:hunter2@db/shop,blog=events.db")
    assert repr(value) == "ByStore({'shop': 'postgresql://ada:***@db/shop', 'blog': 'events.db'})"
    assert "hunter2" in str(value)  # which worker processes get
