"""Address: the URL of a database, an object store or a server, whose secrets come from the environment.

`${NAME}` in an address stands for an environment variable, so that a configuration, and the manifest that keeps it,
hold the name of a secret and never the secret.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from recsys.errors import ConfigError

HIDDEN = "***"
"""Stands for a secret wherever an address or a message is shown."""

_SHOWN = 80
"""Characters of what is no address in a message."""

_LEAST_WITHIN = 4
"""Fewer characters within a variable's value that is no URL are not taken for a secret: any text has them."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}$")
_PASSWORD = re.compile(r":[^:@/\s]+@")
_SETTING = re.compile(r"([?&][^=&\s]*(?:pass|secret|token|key|sig|credential)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)
_SECRET_KEY = re.compile(r"pass|secret|token|key|sig|credential", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether `text` is a URL, or one variable that stands for a URL, and no path."""
    return _URL.match(text) is not None or _WHOLE.match(text) is not None


def without_passwords(text: str) -> str:
    """`text` without what may be passwords in URLs, even in those that are misspelt."""
    return _SETTING.sub(rf"\1{HIDDEN}", _PASSWORD.sub(f":{HIDDEN}@", text))


@dataclass(frozen=True)
class Address:
    """One URL, as a person writes it: `postgresql://shop:${PGPASSWORD}@db/shop`, or `${DATABASE_URL}`.

    `str` and `repr` never show a secret. `resolved` is the URL to connect with; keep it out of messages, and pass the
    messages of libraries that know it through `hide`.
    """

    written: str

    @property
    def scheme(self) -> str:
        """`postgresql`, `s3` ...; of a variable that stands for a URL, that of its value. Raises ConfigError."""
        return self.resolved().partition("://")[0].lower()

    @property
    def place(self) -> str:
        """Host and path, without the login and the settings; of a variable that stands for a URL, its name."""
        if _WHOLE.match(self.written):
            return self.written
        head, authority, rest = _parts(self.written)
        return f"{head}{authority.rpartition('@')[2]}{rest.partition('?')[0]}"

    def resolved(self, environ: Mapping[str, str] = os.environ) -> str:
        """The URL with every variable filled in; in user name and password its value is percent-encoded.

        Raises ConfigError if a variable is not set, or the result is no URL.
        """
        if (whole := _WHOLE.match(self.written)) is not None:
            url = _value(whole[1], environ)
            if _URL.match(url) is None:
                raise ConfigError(f"{self}: expected the variable to hold a URL such as postgresql://user@host/name")
            return url
        head, authority, rest = _parts(self.written)
        login, at, host = authority.rpartition("@")
        return "".join((head, _filled(login, environ, encoded=True), at, _filled(host + rest, environ)))

    def check_without_secret(self) -> None:
        """Raise ConfigError if a password or a key is written out, as a file that others read must not hold one."""
        if _WHOLE.match(self.written):
            return
        _, authority, rest = _parts(self.written)
        password = authority.rpartition("@")[0].partition(":")[2]
        keys = [key for key, value in _query(rest) if _SECRET_KEY.search(key) and not _VARIABLE.search(value)]
        if (password and not _VARIABLE.search(password)) or keys:
            what = f"the value of {keys[0]}" if keys else "the password"
            raise ConfigError(
                f"{self}: {what} is written out; put it into an environment variable and name that here: "
                "postgresql://user:${PGPASSWORD}@host/name"
            )

    def hide(self, message: str, environ: Mapping[str, str] = os.environ) -> str:
        """`message` without the secrets of this address: passwords, keys, and what its variables hold."""
        for secret in sorted(self._secrets(environ), key=len, reverse=True):
            message = message.replace(secret, HIDDEN)
        return message

    def _secrets(self, environ: Mapping[str, str]) -> set[str]:
        secrets = {environ.get(name, "") for name in _VARIABLE.findall(self.written)}
        for url in (self.written, *secrets):
            head, authority, rest = _parts(url)
            password = authority.rpartition("@")[0].partition(":")[2]
            of_query = [value for key, value in _query(rest) if _SECRET_KEY.search(key)]
            least = 0 if head else _LEAST_WITHIN
            secrets |= {it for it in (password, *of_query) if len(it) >= least and not _VARIABLE.search(it)}
        return {form for secret in secrets if secret for form in (secret, unquote(secret), quote(secret, safe=""))}

    def __str__(self) -> str:
        if _VARIABLE.match(self.written) and _WHOLE.match(self.written):
            return self.written
        head, authority, rest = _parts(self.written)
        login, at, host = authority.rpartition("@")
        user, colon, password = login.partition(":")
        shown = password if _VARIABLE.fullmatch(password) else HIDDEN
        return "".join((head, user, colon and f":{shown}", at, host, _without_secrets(rest)))

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """As a field of a section: read from text, refused if a secret is written out, written as it was."""
        return core_schema.no_info_plain_validator_function(
            check_field,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda it: it.written),
            json_schema_input_schema=core_schema.str_schema(),
        )


def check_field(value: object) -> Address:
    """The address in a field of a configuration. Raises ValueError if it is none, or if a secret is written out."""
    if isinstance(value, Address):
        return value
    if not isinstance(value, str) or not is_address(value):
        got = f"got {without_passwords(value[:_SHOWN])!r}; " if isinstance(value, str) else ""
        raise ValueError(
            f"{got}expected a URL such as postgresql://user:${{PGPASSWORD}}@host/name, or a variable ${{NAME}}"
        )
    address = Address(value)
    try:
        address.check_without_secret()
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return address


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme with its slashes, user with host, and the rest: path, query and fragment."""
    head = match[0] if (match := _URL.match(url)) else ""
    rest = url[len(head) :]
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return head, rest[:end], rest[end:]


def _query(rest: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(rest).query, keep_blank_values=True)


def _without_secrets(rest: str) -> str:
    if not any(_SECRET_KEY.search(key) for key, _ in _query(rest)):
        return rest
    split = urlsplit(rest)
    shown = [(key, HIDDEN if _SECRET_KEY.search(key) else value) for key, value in _query(rest)]
    return urlunsplit(split._replace(query=urlencode(shown, safe="*")))


def _filled(text: str, environ: Mapping[str, str], *, encoded: bool = False) -> str:
    def value(match: re.Match[str]) -> str:
        found = _value(match[1], environ)
        return quote(found, safe="") if encoded else found

    return _VARIABLE.sub(value, text)


def _value(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise ConfigError(f"the environment variable {name} is not set; the configuration names it as ${{{name}}}")
    return environ[name]
