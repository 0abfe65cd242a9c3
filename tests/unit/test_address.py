"""Addresses: variables are filled in, and no text of an address shows a secret."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from recsys.address import Address, is_address
from recsys.errors import ConfigError


class Table(BaseModel):
    source: Address


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ("postgresql://shop:${PW}@db:5432/shop", "postgresql://shop:p%40%2Fw@db:5432/shop"),
        (
            "postgresql://${WHO}:${PW}@${HOST}/shop?sslmode=${MODE}",
            "postgresql://ada:p%40%2Fw@db/shop?sslmode=require",
        ),
        ("${URL}", "postgresql://u:raw@h/d"),
        ("sqlite:///events.db", "sqlite:///events.db"),
        ("s3://bucket/a@b/part", "s3://bucket/a@b/part"),
    ],
)
def test_variables_are_filled_in_and_encoded_in_the_login_alone(written: str, resolved: str) -> None:
    environ = {"PW": "p@/w", "WHO": "ada", "HOST": "db", "MODE": "require", "URL": "postgresql://u:raw@h/d"}
    assert Address(written).resolved(environ) == resolved


@pytest.mark.parametrize("environ", [{}, {"PW": ""}])
def test_a_variable_that_is_not_set_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"PW is not set.*\$\{PW\}"):
        Address("postgresql://u:${PW}@h/d").resolved(environ)


def test_a_variable_that_holds_no_url_is_refused_without_its_value() -> None:
    with pytest.raises(ConfigError, match="to hold a URL") as raised:
        Address("${URL}").resolved({"URL": "hunter2"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://u:${PW}@h/d", "postgresql://u:${PW}@h/d"),
        ("postgresql://u:hunter2@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:hunter2${PW}@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d?user=u&password=hunter2", "postgresql://h/d?user=u&password=***"),
        ("https://h/log.csv?X-Amz-Signature=hunter2", "https://h/log.csv?X-Amz-Signature=***"),
        ("${URL}", "${URL}"),
    ],
)
def test_no_text_of_an_address_shows_a_secret(written: str, shown: str) -> None:
    assert str(Address(written)) == shown
    assert repr(Address(written)) == f"Address({shown!r})"


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=30))
def test_messages_are_cleared_of_the_secret_in_every_form(password: str) -> None:
    environ = {"PW": password}
    address = Address("postgresql://u:${PW}@h/d")
    message = f"cannot connect to {address.resolved(environ)} with {password}"
    assert password not in address.hide(message, environ)
    assert address.hide(message, environ) == "cannot connect to postgresql://u:***@h/d with ***"


def test_messages_are_cleared_of_the_password_within_a_variable_that_is_a_url() -> None:
    environ = {"URL": "postgresql://u:hunter2@h/d"}
    assert "hunter2" not in Address("${URL}").hide(
        'password "hunter2" refused at postgresql://u:hunter2@h/d', environ
    )


@pytest.mark.parametrize("written", ["postgresql://u:hunter2@h/d", "s3://b/k?secret_key=hunter2"])
def test_a_section_refuses_a_secret_that_is_written_out_and_does_not_repeat_it(written: str) -> None:
    with pytest.raises(ValidationError, match="written out") as raised:
        Table(source=written)  # type: ignore[arg-type]
    assert "hunter2" not in "; ".join(str(each["msg"]) for each in raised.value.errors())


def test_a_section_keeps_the_name_of_the_variable() -> None:
    table = Table.model_validate({"source": "postgresql://u:${PW}@h/d"})
    assert json.loads(table.model_dump_json()) == {"source": "postgresql://u:${PW}@h/d"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://b/k", True),
        ("${URL}", True),
        ("events/*.csv", False),
        ("${RECSYS_DATA_DIR}/log.csv", False),
        ("a:b", False),
    ],
)
def test_addresses_and_paths_are_told_apart(text: str, expected: bool) -> None:
    assert is_address(text) is expected
