"""WrongKeys: addresses that send wrong keys may not try many."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10
"""Wrong keys of one address within `SECONDS`."""

SECONDS = 60.0

MAX_ADDRESSES = 10_000
"""Addresses that are remembered; the one that was seen longest ago is forgotten first."""


class WrongKeys:
    """Counts wrong keys: by address (IPv4), or by the network of 64 bits that one sender has (IPv6)."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._seen)

    def wait(self, address: str) -> float:
        """Seconds for which the address may try no other key; 0 if it may."""
        if not self._seen:
            return 0.0
        began, count = self._seen.get(network_of(address), (0.0, 0))
        return max(0.0, began + SECONDS - self._clock()) if count >= MOST else 0.0

    def add(self, address: str) -> None:
        """The address has sent a wrong key."""
        network, now = network_of(address), self._clock()
        began, count = self._seen.pop(network, (now, 0))
        self._seen[network] = (began, count + 1) if now < began + SECONDS else (now, 1)
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)


def network_of(address: str) -> str:
    """What is counted together: all addresses that one sender may choose from."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
