"""Where a service that answers everybody may listen: on this machine's own address, unless it is told so in words."""

import ipaddress
import socket

from api.settings import Settings
from recsys.errors import ConfigError

MESSAGE = """\
--host {host}: others can reach this address, and nothing under /v1 needs a key; expected one of
  --keys FILE       with keys (`recsys keys new --name shop --scopes read,events` makes one and its file)
  --without-keys    to answer everybody who can reach it, because something else keeps others away
or --host 127.0.0.1 to answer this machine alone"""


def check_exposure(settings: Settings) -> None:
    """Raise ConfigError if others can reach a service that needs no keys and was not told to be open."""
    if settings.keys is None and not settings.without_keys and not is_loopback(settings.host):
        raise ConfigError(MESSAGE.format(host=settings.host))


def is_loopback(host: str) -> bool:
    """Whether every address of `host` reaches this machine alone. A name without an address is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    addresses = [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    return all(address.is_loopback for address in addresses)
