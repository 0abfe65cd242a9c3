"""Lists as keys of Redis: one JSON list per user, under a generation that one small key points at.

`PREFIX` + `GENERATION:USER_ID` holds a user's list, `PREFIX` + `current` the generation that is whole. docs/export.md
says how to read them.
"""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from recsys.address import Address
from recsys.config import seconds_of
from recsys.errors import ConfigError, ExportError
from recsys.export.formats import json_objects
from recsys.export.lists import SCHEMA
from recsys.export.target import ListWriter
from recsys.export.url_parts import UrlParts

GRACE_SECONDS = 60
"""A replaced list lives so much longer: for who read the old generation just before the switch."""

_LOCK_SECONDS = 120
_CONNECT_SECONDS, _REPLY_SECONDS = 10, 120
_SCANNED = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RedisTarget:
    """Keys with the prefix that the query of `address` gives (`?prefix=recs:`), kept for `&ttl=` or for ever."""

    address: Address

    def __str__(self) -> str:
        return str(self.address)

    @property
    def lasts(self) -> bool:
        """See `Target`."""
        return self._places()[2] is None

    def check(self) -> None:
        """See `Target`."""
        self._places()

    def scrub(self) -> None:
        """Old keys end by themselves, within `GRACE_SECONDS`."""

    @contextmanager
    def open(self, version: str) -> Iterator[ListWriter]:
        """See `Target`. Other generations are removed: the old one, and what killed exports left."""
        url, prefix, ttl = self._places()
        with closing(self._connected(url)) as client, self._errors():
            keys = _Generation(client, prefix, f"{version}-{secrets.token_hex(4)}", ttl)
            if not keys.begin():
                raise ExportError(
                    f"{self}: another export is writing lists with this prefix, or one was killed less than"
                    f" {_LOCK_SECONDS} s ago; the lists are as they were"
                )
            try:
                yield keys
                if not keys.switch():
                    raise ExportError(
                        f"{self}: took so long that another export began; the lists are its or as before"
                    )
            except BaseException:
                with suppress(redis.RedisError):
                    keys.give_up()
                raise
        self._tidy(url, keys)

    def _places(self) -> tuple[str, str, int | None]:
        """The URL that the client takes, the prefix of all keys, and their time to live in seconds."""
        parts = UrlParts.of(self.address.resolved())
        query = parts.query
        prefix, ttl = query.pop("prefix", "recs:"), query.pop("ttl", None)
        try:
            seconds = None if ttl is None else seconds_of(ttl if not ttl.isdigit() else int(ttl))
        except ValueError as error:
            raise ConfigError(f"{self}: ttl: got {ttl!r}, {error}") from None
        if not prefix or (seconds is not None and seconds < 1):
            raise ConfigError(f"{self}: expected a prefix that is not empty, and a ttl of at least one second")
        return parts.with_query(query), prefix, seconds

    def _connected(self, url: str) -> "redis.Redis":
        """Raises ConfigError if the client does not understand the URL, ExportError if nothing answers."""
        retry = Retry(ExponentialWithJitterBackoff(base=0.1, cap=1), 3)
        times = {"socket_connect_timeout": _CONNECT_SECONDS, "socket_timeout": _REPLY_SECONDS}
        try:
            with self._errors():
                client = redis.Redis.from_url(url, retry=retry, **times)
                client.ping()
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{self}: {self.address.hide(str(error))}") from None
        return client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            said = self.address.hide(" ".join(str(error).split())).rstrip(".")
            raise ExportError(f"{self}: {said}; the lists are as they were") from None

    def _tidy(self, url: str, keys: "_Generation") -> None:
        """Remove other generations. If that fails, the new lists serve all the same, and the next export does it."""
        try:
            with closing(self._connected(url)) as client:
                _Generation(client, keys.prefix, keys.name, None).remove_others()
        except (redis.RedisError, ExportError) as error:
            log.warning("%s: old lists are not removed yet: %s", self, self.address.hide(str(error)))


@dataclass(frozen=True)
class _Generation:
    """The keys of one export. `ttl`: seconds that they live, None for ever."""

    client: "redis.Redis"
    prefix: str
    name: str
    ttl: int | None

    def begin(self) -> bool:
        """Take the lock, and write down the generation so that its keys are found if this process dies.

        False if another export has the lock.
        """
        if not self.client.set(f"{self.prefix}exporting", self.name, nx=True, ex=_LOCK_SECONDS):
            return False
        self.client.sadd(f"{self.prefix}generations", self.name)
        return True

    def write(self, lists: pa.Table) -> None:
        """Set the keys of some users, in one round trip."""
        users, texts = _json_lists(lists.cast(SCHEMA))
        with self.client.pipeline(transaction=False) as pipe:
            for user_id, text in zip(users, texts, strict=True):
                pipe.set(f"{self.prefix}{self.name}:{user_id}", text, ex=self.ttl)
            pipe.expire(f"{self.prefix}exporting", _LOCK_SECONDS)
            pipe.execute()

    def switch(self) -> bool:
        """Let readers find this generation. False if it is not the one that has the lock."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.watch(lock := f"{self.prefix}exporting")
            if _texts([pipe.get(lock) or ""]) != [self.name]:
                return False
            pipe.multi()
            pipe.set(f"{self.prefix}current", self.name, ex=self.ttl)
            pipe.delete(lock)
            pipe.execute()
        return True

    def give_up(self) -> None:
        """Remove what was written, and the lock if it is this generation's."""
        self._remove(self.name, grace=None)
        if _texts([self.client.get(lock := f"{self.prefix}exporting") or ""]) == [self.name]:
            self.client.delete(lock)

    def remove_others(self) -> None:
        """Remove every other generation; the lists of the one before live a little longer."""
        for name in _texts(self.client.smembers(f"{self.prefix}generations")):
            if name != self.name:
                self._remove(name, grace=GRACE_SECONDS)

    def _remove(self, name: str, *, grace: int | None) -> None:
        pattern = re.sub(r"([][*?\\^-])", r"\\\1", f"{self.prefix}{name}:") + "*"
        cursor, pipe = 0, self.client.pipeline(transaction=False)
        while True:
            cursor, found = self.client.scan(cursor, match=pattern, count=_SCANNED)
            for key in found:
                pipe.unlink(key) if grace is None else pipe.expire(key, grace)
            pipe.execute()
            if cursor == 0:
                break
        self.client.srem(f"{self.prefix}generations", name)


def _texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _json_lists(lists: pa.Table) -> tuple[list[str], list[str]]:
    """The users of some lists, and the list of each as JSON: items with their scores, best first."""
    rank = lists["rank"].to_numpy()
    starts = np.flatnonzero(rank == 1)
    items = json_objects(lists.select(["item_id", "score"]))
    groups = pa.ListArray.from_arrays(pa.array(np.append(starts, len(rank)).astype(np.int32)), items)
    texts = pc.binary_join_element_wise("[", pc.binary_join(groups, ","), "]", "")
    return lists["user_id"].take(pa.array(starts)).to_pylist(), texts.to_pylist()
