"""Registry: how it changes which version of a store serves."""

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from recsys.artifacts.bundle import Bundle, load_bundle
from recsys.artifacts.files import replace_durably, warn_if_world_writable
from recsys.artifacts.forgotten_people import forgotten_in
from recsys.artifacts.history import ExperimentEntry, HistoryEntry
from recsys.artifacts.hold import Hold, remove_hold, replaced_hold, write_hold
from recsys.artifacts.lock import POINTER_LOCK, exclusive
from recsys.artifacts.set_aside import delete_set_aside, remove_leftovers, set_aside
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.store_reader import CURRENT, HISTORY, HOLD, StoreReader
from recsys.config.serve import Users
from recsys.errors import ArtifactError, ForgottenError, SupersededError
from recsys.forgotten import read_forgotten

ANY_PARENT = "*"
"""Publish whatever serves now."""

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Registry(StoreReader):
    """A store whose pointer is moved here.

    Only one process moves it at a time. Before the pointer moves to a version, every byte of it is verified and it is
    loaded once; every later load verifies it again.
    """

    def __init__(
        self,
        store: Path | str,
        *,
        lock_wait_seconds: float = 10.0,
        check: Callable[[Bundle], None] = lambda bundle: None,
        key: SigningKey | None = None,
        users: Users | None = "stored",
        read_only: str | None = None,
    ) -> None:
        """`store`: its folder, which publishing makes if it is missing.

        `lock_wait_seconds`: how long moving the pointer waits for another process that moves it. `check`: called with
        a version that was loaded before the pointer moves to it; it raises ArtifactError if the version cannot serve.
        `recsys.engine.rehearsal.check_serves` asks it what the service asks. `key`: every version that is loaded must
        be signed with it. `users`: how versions are loaded, see `load_bundle`.
        `read_only`: why the store is not changed here; whoever tries gets an ArtifactError that says so.
        """
        super().__init__(store, key=key, users=users)
        self._check = check
        self._read_only = read_only
        self._lock_wait_seconds = lock_wait_seconds

    def publish(self, version: str, *, parent: str | None = ANY_PARENT) -> bool:
        """Verify and load a sealed version, then let it serve; False if another version is held and serves on.

        `parent`: the version that it was compared with (None: nothing served), which must still serve. Raises
        SupersededError if another version has begun to serve since, ForgottenError if `version` holds people who were
        forgotten since its log was read, ArtifactError if it is damaged; the serving version stays the same.
        """
        warn_if_world_writable(self.store)
        self.verify(version)
        self.add(version)
        return self.changing(lambda: self._publish(version, parent))

    def _publish(self, version: str, parent: str | None) -> bool:
        if self.held() not in (None, version):
            return False
        if self._is_superseded(version, parent):
            return True
        if not self.has(version):
            raise ArtifactError(f"{self}: {version} was removed before it could serve; seal it again")
        self._refuse_forgotten(version)
        self._point_to(version, "publish", previous=self.current())
        return True

    def add(self, version: str) -> None:
        """Let a version that was sealed in `store` be one of the store's; on a disk it is one already.

        Raises ArtifactError if it is damaged, or the store refuses.
        """

    def verify(self, version: str) -> None:
        """Verify and load a version, and `check` it. Raises ArtifactError."""
        self._check(load_bundle(self.path(version), self._key, users=self._users))

    def _earlier_names(self, version: str) -> tuple[str, ...]:
        """None of a version that is gone or damaged: whatever it is, it is not the one that is looked for."""
        try:
            return self.manifest(version).earlier_names
        except ArtifactError:
            return ()

    def _is_superseded(self, version: str, parent: str | None) -> bool:
        """True if `version` already serves, though `parent` was expected to; raises if a third one does."""
        if parent == ANY_PARENT or (serving := self.current()) == parent:
            return False
        if serving is not None and parent in self._earlier_names(serving):
            return False  # the same version, without people who were forgotten since
        if serving == version:
            return True
        raise SupersededError(
            f"not published: {serving or 'nothing'} serves, expected {parent or 'nothing'}, with which {version} was "
            "compared: another job or a rollback came first; run `recsys publish CONFIG` to compare it anew"
        )

    def _refuse_forgotten(self, version: str) -> None:
        """Raise ForgottenError if a version holds people who were forgotten. The caller has the lock."""
        n_people = len(forgotten_in(self.path(version), read_forgotten(self.store)))
        if n_people:
            raise ForgottenError(
                f"{self.path(version)}: holds {n_people} people who were forgotten since its log was read;"
                f" `recsys forget --pending --store {self}` takes them out"
            )

    def rollback(self, version: str | None = None) -> str:
        """Verify and load an earlier version, by default the one that served before, then let it serve again.

        Rolling back twice goes two versions back. A version given by name serves again even if CURRENT is damaged.
        A hold goes on with the version that serves now.
        Returns the version that serves now. Raises ArtifactError if there is none or it is damaged; the serving
        version then stays the same.
        """
        return self.changing(lambda: self._roll_back(version or self._before_current()))

    def leave(self, version: str) -> bool:
        """Roll back from `version`; False if it serves no longer, because another process was quicker.

        Raises ArtifactError as `rollback` does.
        """

        def roll_back() -> bool:
            if self.current() != version:
                return False
            self._roll_back(self._before_current())
            return True

        return self.changing(roll_back)

    def _roll_back(self, target: str) -> str:
        hold = self.hold_now()
        self._go_back_to(target, hold=None if hold is None else hold.model_copy(update={"version": target}))
        return target

    def hold(self, version: str | None = None, *, reason: str = "") -> str:
        """Let a version serve as `rollback` does, and keep it: publishing moves the pointer only after `release`.

        Returns the version. Raises ArtifactError as `rollback` does.
        """

        def hold() -> str:
            target = version or self._before_current()
            if target == self._named():
                write_hold(self.store / HOLD, Hold.of(target, reason))
            else:
                self._go_back_to(target, hold=Hold.of(target, reason))
            return target

        return self.changing(hold)

    def release(self) -> None:
        """End a hold, a damaged one too; the pointer stays until the next publish. Raises ArtifactError."""
        self.changing(lambda: remove_hold(self.store / HOLD))

    def append_history(self, entry: ExperimentEntry) -> None:
        """Add a line about an experiment; call it while `locked`. Raises ArtifactError if the disk refuses."""
        line = entry.model_dump_json().encode() + b"\n"
        try:
            replace_durably(self.store / HISTORY, self._history_bytes() + line)
        except OSError as error:
            raise ArtifactError(f"{self.place(HISTORY)}: could not be written: {error.strerror}") from error

    def _go_back_to(self, target: str, *, hold: Hold | None) -> None:
        """Let `target` serve, and write `hold` if it is given; if one of the two fails, neither has happened."""
        self.verify(target)
        if not self.has(target):
            raise ArtifactError(f"{self}: has no version {target}; `recsys models --store {self}` lists them")
        self._refuse_forgotten(target)
        with replaced_hold(self.store / HOLD, hold):
            self._point_to(target, "rollback", previous=self._served_last())

    def locked(self) -> AbstractContextManager[None]:
        """While it lasts, no other process moves the pointer or prunes.

        Raises ArtifactError if another one does for longer than `lock_wait_seconds`.
        """
        if self._read_only is not None:
            raise ArtifactError(f"{self.store}: {self._read_only}")
        return exclusive(self.store / POINTER_LOCK, doing="moving the pointer", wait=self._lock_wait_seconds)

    def changing(self, change: Callable[[], Result]) -> Result:
        """Call `change` while no other process changes the store; what it returns.

        All changes of `store` and of what it names are made so. Raises as `locked` and `change` do.
        """
        with self.locked():
            return change()

    def set_aside(self, versions: Iterable[str]) -> None:
        """Let versions be none of the store's any more; call it in `changing`. Raises ArtifactError."""
        set_aside(self.store, versions)

    def delete_set_aside(self) -> None:
        """Delete what was set aside, also by a process that was stopped. Raises ArtifactError."""
        delete_set_aside(self.store)

    def delete_leftovers(self) -> None:
        """Delete what was set aside, and what jobs that were stopped left. Raises ArtifactError."""
        remove_leftovers(self.store)

    def sign(self, version: str, key: SigningKey) -> None:
        """Sign a version. Raises OSError, or ArtifactError if the store refuses."""
        key.sign(self.path(version))

    def _point_to(self, version: str, action: Literal["publish", "rollback"], *, previous: str | None) -> None:
        history = self._history_bytes()
        entry = HistoryEntry(at=_now(), action=action, version=version, previous=previous)
        try:
            replace_durably(self.store / HISTORY, history + entry.model_dump_json().encode() + b"\n")
            replace_durably(self.store / CURRENT, f"{version}\n".encode("ascii"))
        except OSError as error:
            self._after_failure(error, version, history)
        logger.info("%s: %s serves, %s did", action, version, previous or "nothing")

    def _after_failure(self, error: OSError, version: str, history: bytes) -> None:
        """A failed fsync may come after the rename, so CURRENT is read again and reported."""
        if (serving := self._named()) == version:
            logger.warning("%s serves, but the disk did not confirm it: %s", version, error)
            return
        self._restore_history(history)
        raise ArtifactError(
            f"{self.place(CURRENT)}: could not move to {version}, {serving or 'nothing'} still serves: {error}"
        ) from error

    def _restore_history(self, history: bytes) -> None:
        try:
            replace_durably(self.store / HISTORY, history)
        except OSError as error:
            logger.warning("%s keeps a line of a move that failed: %s", self.place(HISTORY), error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
