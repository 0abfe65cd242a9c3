"""HTTPS by flag, with certificates that an authority made for these tests; clients with certificates of their own."""

import asyncio
import ssl
import time

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from api.process import tls
from api.process.tls import TlsLoop, tls_options
from api.settings import Settings
from recsys.errors import ConfigError
from tests.api.protocol_server import Running


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An authority, a certificate of the service, another one, and one of a client, as PEM files."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    for name in ("127.0.0.1", "localhost", "client@example.org"):
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        for part in issued.cert_chain_pems:
            part.write_to_path(folder / f"{name}.pem", append=True)
        issued.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.both")
    key = load_pem_private_key((folder / "localhost.key").read_bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (folder / "encrypted.key").write_bytes(encrypted)
    (folder / "no.pem").write_text("not a certificate")
    return folder


@pytest.fixture(scope="module")
def server(files):
    """A server that serves HTTPS to clients with certificates."""
    options = tls_options(
        Settings(
            store="store",
            ssl_certfile=files / "127.0.0.1.pem",
            ssl_keyfile=files / "127.0.0.1.key",
            ssl_ca_certs=files / "authority.pem",
        )
    )
    with Running(**options) as server:
        yield server


def _context(files, *, with_certificate=True):
    context = ssl.create_default_context(cafile=files / "authority.pem")
    if with_certificate:
        context.load_cert_chain(files / "client@example.org.both")
    return context


def test_a_client_with_a_certificate_is_served(server, files):
    with httpx.Client(verify=_context(files)) as client:
        assert client.get(f"https://127.0.0.1:{server.port}/v1/model").text == "ok"


def test_nobody_else_is(server, files):
    n_seen, url = len(server.seen), f"https://127.0.0.1:{server.port}/livez"
    for context in (_context(files, with_certificate=False), ssl.create_default_context()):
        with httpx.Client(verify=context) as client, pytest.raises(httpx.TransportError):
            client.get(url)
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https", "http"))
    assert len(server.seen) == n_seen


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ssl_keyfile": "localhost.key"}, "--ssl-keyfile .*given without --ssl-certfile"),
        ({"ssl_ca_certs": "authority.pem"}, "--ssl-ca-certs .*given without --ssl-certfile"),
        ({"ssl_certfile": "missing.pem"}, "--ssl-certfile .*missing.pem: No such file"),
        ({"ssl_certfile": "."}, "--ssl-certfile .*Is a directory"),
        ({"ssl_certfile": "no.pem"}, "no.pem.*expected a certificate and its key as PEM"),
        ({"ssl_certfile": "localhost.pem"}, "expected a certificate and its key as PEM"),
        ({"ssl_certfile": "localhost.pem", "ssl_keyfile": "127.0.0.1.key"}, "the key is not that of the certificate"),
        (
            {"ssl_certfile": "localhost.both", "ssl_ca_certs": "no.pem"},
            "no.pem: expected certificates of authorities",
        ),
        ({"ssl_certfile": "localhost.pem", "ssl_keyfile": "encrypted.key"}, "the key is encrypted"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(files, store, options, message):
    settings = Settings(store=store, **{name: files / value for name, value in options.items()})
    with pytest.raises(ConfigError, match=message):
        tls_options(settings)


def test_one_file_may_hold_both(files, store):
    options = tls_options(Settings(store=store, ssl_certfile=files / "localhost.both"))
    assert "ssl_cert_reqs" not in options
    assert tls_options(Settings(store=store)) == {}


def test_a_handshake_that_does_not_come_is_given_up(files, monkeypatch):
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "localhost.both")

    async def wait() -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
            server.close()

    started = time.monotonic()
    with asyncio.Runner(loop_factory=TlsLoop) as runner:
        runner.get_loop().set_exception_handler(lambda *_: None)
        assert runner.run(wait()) == b""
    assert time.monotonic() - started < 4
