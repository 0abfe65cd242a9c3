"""Against a real server of https on this machine, whose certificate openssl makes."""

import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recsys.content.picture import PictureError
from recsys.content.picture_download import Downloads, is_public

BODY = b"not really a picture"
CUT = threading.Event()
"""Set if a client hangs up before all is sent."""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/picture?size=1":
            self._answer(200, BODY)
        elif self.path.startswith("/redirect?"):
            self._answer(302, b"", Location=self.path.partition("?")[2])
        elif self.path == "/large":
            self._answer(200, bytes(5000))
        elif self.path == "/trickle":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(600):
                    self.wfile.write(b".")
                    time.sleep(0.05)
            except OSError:
                CUT.set()
        else:
            self._answer(404, b"nothing here")

    def _answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hung up is no fault."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of the server, and a context that trusts it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("https")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        ["openssl", *options.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    running = Server(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{running.server_port}", ssl.create_default_context(cafile=certificate)
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def fetch(server):
    """fetch(path): from the server, with this machine's own addresses allowed."""
    address, context = server

    def fetched(path, **limits):
        limits = {"seconds": 30, "most_bytes": 4000, **limits}
        return Downloads(**limits, may_connect=lambda ip: ip in ("127.0.0.1", "::1"), context=context).fetch(
            address + path if path.startswith("/") else path
        )

    return fetched


def test_a_picture_is_fetched_also_over_redirects(fetch, server):
    assert fetch("/picture?size=1") == BODY
    assert fetch("/redirect?/picture?size=1") == BODY
    assert fetch(f"/redirect?{server[0]}/redirect?/redirect?/picture?size=1") == BODY


@pytest.mark.parametrize(
    ("path", "reason", "detail"),
    [
        ("/none", "a URL that cannot be fetched", "status 404"),
        ("/large", "a file that is too large", "more than 4,000 bytes"),
        ("/redirect?/redirect?/redirect?/redirect?/picture?size=1", "a URL that cannot be fetched", "3 redirects"),
        ("/redirect?file:///etc/hostname", "a URL that is refused", "file:///etc/hostname: expected https"),
        ("/redirect?http://localhost/", "a URL that is refused", "expected https"),
        ("/redirect?https://169.254.169.254/latest", "a URL that is refused", "169.254.169.254 is not a public"),
        ("http://localhost/", "a URL that is refused", "expected https"),
        ("https://user:word@localhost/", "a URL that is refused", "without a user's name"),
        ("https://localhost:99999/", "a URL that is refused", r"[Pp]ort"),
        ("https://localhost/a b", "a URL that is refused", "expected https"),
        ("https://localhost/a\r\nHost: b", "a URL that is refused", "expected https"),
        ("https:///a", "a URL that is refused", "expected https"),
        ("https://localhost:1/", "a URL that cannot be fetched", "refused"),
    ],
)
def test_other_urls_are_refused_with_the_reason(fetch, path, reason, detail):
    with pytest.raises(PictureError, match=detail) as refused:
        fetch(path)
    assert refused.value.reason == reason


def test_a_server_that_sends_a_byte_now_and_then_is_cut_off(fetch):
    with pytest.raises(PictureError, match=r"timed out|cannot be fetched"):
        fetch("/trickle", seconds=2)
    assert CUT.wait(60)


def test_addresses_of_this_machine_are_refused_by_default(server):
    address, context = server
    with pytest.raises(PictureError, match=r"localhost: .* is not a public address") as refused:
        Downloads(30, 4000, context=context).fetch(f"{address}/picture?size=1")
    assert refused.value.reason == "a URL that is refused"


def test_a_certificate_that_nobody_vouches_for_is_refused(server):
    with pytest.raises(PictureError, match="certificate"):
        Downloads(30, 4000, may_connect=lambda ip: True).fetch(f"{server[0]}/picture?size=1")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public
