"""KeySource: where a service has its keys from. A file is read again when it changes."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from api.access.keyring import Keyring
from api.settings import Settings, admin_key_of, variable
from recsys.api_keys.key_file import parse_keys, read_key_text, too_open
from recsys.api_keys.key_text import hash_of
from recsys.api_keys.records import KeyRecord, Scope
from recsys.errors import ConfigError

WATCH_SECONDS = 1.0
"""Time between two looks at the file of keys."""

OF_ADMIN = "RECSYS_ADMIN_KEY"
"""Name of the key in that variable, in logs."""

logger = logging.getLogger(__name__)


class KeySource:
    """The keys of a service: those of `--keys`, and that of RECSYS_ADMIN_KEY with the scope admin.

    `keyring` is None if the file could not be read when this process started; once there were keys, a file that
    cannot be read leaves them as they are.
    """

    def __init__(self, settings: Settings) -> None:
        self._admin = admin_records(settings)
        self._stores = settings.store.names
        self.given = settings.keys
        self.keyring: Keyring | None = Keyring(self._admin)
        self._seen: str | None = None
        self._problem: str | None = None
        if self.given is not None:
            self.keyring = None
            self.refresh()

    @property
    def are_required(self) -> bool:
        """Whether nobody is answered without a key: with `--keys`."""
        return self.given is not None

    def has_operator(self, store: str) -> bool:
        """Whether any key may do what only the operator may, in this store."""
        return self.are_required or any(record.is_for(store) for record in self._admin)

    def refresh(self) -> None:
        """Take what the file says now. What is wrong with it is logged, once."""
        try:
            text = key_text(self.given or "")
            if text == self._seen:
                self._problem = None
                return
            records = parse_keys(text, where=shown(self.given or ""))
        except ConfigError as error:
            if str(error) != self._problem:
                kept = "no key is good in this process" if self.keyring is None else "the keys before stay good"
                logger.error("%s; %s", error, kept)
            self._problem = str(error)
            return
        self._take(records)
        self._seen, self._problem = text, None

    def _take(self, records: Sequence[KeyRecord]) -> None:
        self.keyring = Keyring((*records, *self._admin))
        names = ", ".join(record.name for record in records) or "none"
        logger.info("keys: %s", names)
        for record in records:
            unknown = sorted({*(record.stores or ())} - {*self._stores})
            if unknown:
                logger.warning("key %s: there is no store %s here", record.name, ", ".join(unknown))
        if not is_text(self.given or "") and (problem := too_open(Path(self.given or ""))) is not None:
            logger.warning("%s", problem)

    async def watch(self) -> None:
        """Look at the file again and again, until cancelled."""
        while self.given is not None and not is_text(self.given):
            await asyncio.sleep(WATCH_SECONDS)
            await asyncio.to_thread(self.refresh)


def check_keys(settings: Settings) -> None:
    """Raise ConfigError if the keys that `settings` name cannot be read."""
    if settings.keys is not None and not parse_keys(key_text(settings.keys), where=shown(settings.keys)):
        raise ConfigError(f"{shown(settings.keys)}: has no keys; `recsys keys new` makes one")


def admin_records(settings: Settings) -> tuple[KeyRecord, ...]:
    """The keys of RECSYS_ADMIN_KEY, each for the stores that it is given for."""
    by_key: dict[SecretStr, list[str]] = {}
    for name in settings.store.names:
        if (key := admin_key_of(settings, name)) is not None:
            by_key.setdefault(key, []).append(name)
    return tuple(
        KeyRecord.model_construct(
            name=OF_ADMIN, hash=hash_of(key.get_secret_value()), scopes=(Scope.ADMIN,), stores=tuple(stores)
        )
        for key, stores in by_key.items()
    )


def is_text(given: str) -> bool:
    """Whether the setting is the text of a file, not a file: what a variable of a container holds."""
    return "sha256:" in given or "\n" in given


def key_text(given: str) -> str:
    """The text that the setting is, or that the file it names has. Raises ConfigError."""
    return given if is_text(given) else read_key_text(Path(given))


def shown(given: str) -> str:
    """The setting in a message."""
    return variable("keys") if is_text(given) else given
