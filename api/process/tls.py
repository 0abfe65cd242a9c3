"""TLS: certificates that are looked at before anything listens, and handshakes that end in time."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import uvloop

from api.settings import Settings, flag, variable
from recsys.errors import ConfigError

HANDSHAKE_SECONDS = 10.0


class TlsLoop(uvloop.Loop):
    """uvloop's event loop; a connection whose TLS handshake takes longer than 10 s is closed (by default: 60 s)."""

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.AbstractServer:  # type: ignore[override]
        """As uvloop's, with a deadline for handshakes."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_SECONDS)
        server: asyncio.AbstractServer = await super().create_server(*arguments, **options)
        return server


def tls_options(settings: Settings) -> dict[str, Any]:
    """uvicorn's options for TLS; none if no certificate is given.

    With `ssl_ca_certs`, only clients with a certificate of one of these authorities are served. Raises ConfigError if
    a file is missing, cannot be read or used, or if key and certificate do not belong together.
    """
    if settings.ssl_certfile is None:
        for name in ("ssl_keyfile", "ssl_ca_certs"):
            if getattr(settings, name) is not None:
                raise ConfigError(f"{_shown(name)}: given without {_shown('ssl_certfile')}")
        return {}
    _check(settings, settings.ssl_certfile)
    options: dict[str, Any] = {
        "ssl_certfile": settings.ssl_certfile,
        "ssl_keyfile": settings.ssl_keyfile,
        "loop": "api.process.tls:TlsLoop",
    }
    if settings.ssl_ca_certs is not None:
        options |= {"ssl_ca_certs": settings.ssl_ca_certs, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


def _check(settings: Settings, certificate: Path) -> None:
    for name in ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs"):
        if (path := getattr(settings, name)) is not None:
            _check_readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = settings.ssl_keyfile or certificate
    try:
        context.load_cert_chain(certificate, settings.ssl_keyfile, password=_no_password)
    except _EncryptedError as error:
        raise ConfigError(f"{key}: the key is encrypted; expected one without a password") from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{key}: the key is not that of the certificate in {certificate}") from error
        alone = f"; a key in a file of its own is given by {_shown('ssl_keyfile')}" if key == certificate else ""
        files = ", ".join(dict.fromkeys((str(certificate), str(key))))
        raise ConfigError(f"{files}: expected a certificate and its key as PEM{alone}") from error
    if settings.ssl_ca_certs is not None:
        try:
            context.load_verify_locations(settings.ssl_ca_certs)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{settings.ssl_ca_certs}: expected certificates of authorities as PEM ({error.reason})"
            ) from error


class _EncryptedError(Exception):
    pass


def _no_password() -> str:
    raise _EncryptedError


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{_shown(name)}: {path}: {error.strerror}") from error


def _shown(name: str) -> str:
    return f"{flag(name)} ({variable(name)})"
