"""The text of an API key: `recsys_`, 256 random bits, and a checksum by which scanners for leaked secrets know it.

Only its SHA-256 is kept. A slow hash protects passwords, which people choose from few; nobody can try 2^256 keys,
however fast the hash is, and a slow one would cost the service milliseconds per request.
"""

import hashlib
import re
import secrets
import zlib

PREFIX = "recsys_"
"""Beginning of every key that `recsys keys new` makes."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES = 32
_RANDOM_DIGITS = 43  # 62^43 > 2^256
_CHECK_DIGITS = 6  # 62^6 > 2^32
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_DIGITS + _CHECK_DIGITS}}}")


def new_key() -> str:
    """A key that nobody had before: 256 bits of the system's randomness."""
    body = PREFIX + _digits(int.from_bytes(secrets.token_bytes(_RANDOM_BYTES)), _RANDOM_DIGITS)
    return body + _checksum(body)


def is_made_key(text: str) -> bool:
    """Whether `text` has the form and the checksum of a key that `new_key` made."""
    return _SHAPE.fullmatch(text) is not None and _checksum(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]


def hash_of(key: str) -> str:
    """What is kept of a key: `sha256:` and the hexadecimal SHA-256 of its UTF-8."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def without_keys(text: str) -> str:
    """`text` with everything in it that looks like a key replaced."""
    return re.sub(rf"{PREFIX}[0-9A-Za-z]{{20,}}", f"{PREFIX}...", text)


def _checksum(body: str) -> str:
    return _digits(zlib.crc32(body.encode("ascii")), _CHECK_DIGITS)


def _digits(number: int, length: int) -> str:
    """`number` to the base 62, with leading zeros."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
