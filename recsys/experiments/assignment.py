"""Which arm a user is in: a salted hash, the same on every machine, without state."""

from hashlib import blake2b
from typing import Literal, TypeAlias

from recsys.errors import ConfigError

ArmName: TypeAlias = Literal["control", "treatment"]
"""The two arms of an experiment."""

ARMS: tuple[ArmName, ArmName] = ("control", "treatment")

_BITS = 53


def place_of(unit_id: str, *, salt: str) -> float:
    """Where a user (or a session) stands in [0, 1), evenly spread, and independently so for another `salt`.

    The first 53 bits of BLAKE2b (RFC 7693; 8 bytes, big-endian) of `unit_id` in UTF-8, keyed with the UTF-8 of `salt`
    (1 to 64 bytes), over 2^53: exact in a double. Raises ConfigError if the salt is empty or longer.
    """
    key = salt.encode()
    if not 0 < len(key) <= 64:
        raise ConfigError(f"salt: {len(key)} bytes; expected 1 to 64")
    digest = blake2b(unit_id.encode(), digest_size=8, key=key).digest()
    return (int.from_bytes(digest, "big") >> (64 - _BITS)) / float(1 << _BITS)


def arm_of(unit_id: str, *, salt: str, share: float) -> ArmName:
    """The arm of a user: treatment if the user's place is below `share`.

    So a larger share moves users from control to treatment only, and a smaller one only back, no more of them than
    the change.
    """
    return "treatment" if place_of(unit_id, salt=salt) < share else "control"
