"""Keyring: the keys of a service, found by what a request carries."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from recsys.api_keys.key_text import hash_of
from recsys.api_keys.records import KeyRecord

_BLIND = secrets.token_bytes(32)


class Keyring:
    """Keys, found in a time that says nothing of them.

    What is looked up is not the hash of a key but a keyed hash of that, under a secret of this process: how far it
    agrees with an entry of the table tells a client nothing that it could compute. The one key found is compared in
    constant time. So the time does not depend on the number of keys either.
    """

    def __init__(self, records: Sequence[KeyRecord]) -> None:
        self.records = tuple(records)
        self._by_blinded = {_blinded(record.hash): record for record in self.records}

    def find(self, key: str) -> KeyRecord | None:
        """The record of `key`, expired or not; None if there is none."""
        hashed = hash_of(key)
        record = self._by_blinded.get(_blinded(hashed))
        return record if record is not None and hmac.compare_digest(record.hash, hashed) else None


def _blinded(hashed: str) -> bytes:
    return hashlib.blake2b(hashed.encode(), key=_BLIND, digest_size=16).digest()
