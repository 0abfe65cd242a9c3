"""StoreReader: what a store says: its versions, which one serves, which served before, what is held."""

import logging
import re
from contextlib import suppress
from pathlib import Path

from recsys.artifacts.bundle import VERSIONS, Bundle, load_bundle
from recsys.artifacts.experiment import read_experiment
from recsys.artifacts.files import list_files
from recsys.artifacts.history import ExperimentEntry, HistoryEntry, ancestry, parse_experiments, parse_history
from recsys.artifacts.hold import Hold, read_hold
from recsys.artifacts.manifest import VERSION_PATTERN, Manifest, read_manifest
from recsys.artifacts.signature import SigningKey
from recsys.config.serve import Users
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain

CURRENT, HISTORY, HOLD, EXPERIMENT = "CURRENT", "HISTORY", "HOLD", "EXPERIMENT"

_POINTER_BYTES = 4096

logger = logging.getLogger(__name__)


class StoreReader:
    """A store's versions and its pointer, as they are now.

    Readers take no lock: the pointer is one small file that changes by rename, and versions never change.
    """

    def __init__(self, store: Path | str, *, key: SigningKey | None = None, users: Users | None = "stored") -> None:
        """`store`: its folder. `key`: every version that is loaded must be signed with it. `users`: how versions are
        loaded, see `load_bundle`.
        """
        self.store = Path(store)
        self._key = key
        self._users = users

    def __str__(self) -> str:
        """Where the store is, for messages."""
        return str(self.store)

    def place(self, name: str) -> str:
        """Where a small file is kept, such as HISTORY, for messages."""
        return str(self.store / name)

    def path(self, version: str) -> Path:
        """The folder of a version, which may not exist. Raises ArtifactError if `version` cannot be a name."""
        if re.fullmatch(VERSION_PATTERN, version) is None:
            raise ArtifactError(f"{self}: {version[:64]!r} is not a version's name, such as v0123456789abcdef")
        return self.store / VERSIONS / version

    def current(self) -> str | None:
        """The version that serves, None before the first publish. Raises ArtifactError if CURRENT is damaged."""
        path = self.store / CURRENT
        try:
            line = read_plain(path, most=_POINTER_BYTES).decode("ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{path}: cannot be read: {error}") from error
        if re.fullmatch(rf"{VERSION_PATTERN}\n?", line) is None:
            raise ArtifactError(f"{path}: {line[:64]!r}, expected one line with a version's name")
        return line.rstrip("\n")

    def load(self, version: str | None = None) -> Bundle:
        """Verify and load a version, by default the one that serves. Raises ArtifactError if it is damaged."""
        return load_bundle(self.path(version or self._serving()), self._key, users=self._users)

    def serving_manifest(self) -> Manifest | None:
        """The manifest of the version that serves, None before the first publish. Raises ArtifactError."""
        version = self.current()
        return None if version is None else self.manifest(version)

    def manifest(self, version: str) -> Manifest:
        """The manifest of a version, of which no other file is looked at. Raises ArtifactError if it is damaged."""
        return read_manifest(self.path(version))

    def has(self, version: str) -> bool:
        """Whether the store has a version, damaged or not."""
        return self.path(version).is_dir()

    def size(self, version: str) -> int:
        """Bytes of the files of a version. Raises ArtifactError if it holds links or special files."""
        folder = self.path(version)
        return sum((folder / name).stat().st_size for name in list_files(folder))

    def refresh(self) -> None:
        """Look at the store anew; on a disk every look is. Raises ArtifactError if the store cannot be read."""

    def names(self) -> list[str]:
        """The names of all versions, sorted, damaged ones too."""
        folder = self.store / VERSIONS
        found = folder.iterdir() if folder.is_dir() else iter(())
        return sorted(path.name for path in found if re.fullmatch(VERSION_PATTERN, path.name))

    def held(self) -> str | None:
        """The version that is held, None if publishing moves the pointer. Raises ArtifactError if HOLD is damaged."""
        hold = self.hold_now()
        return None if hold is None else hold.version

    def hold_now(self) -> Hold | None:
        """The held version with the date and the reason. Raises ArtifactError if HOLD is damaged."""
        return read_hold(self.store / HOLD)

    def history(self) -> list[HistoryEntry]:
        """Every publish and rollback, oldest first. Raises ArtifactError if HISTORY is damaged."""
        path = self.store / HISTORY
        return parse_history(path, self._history_bytes().decode("utf-8", "replace"))

    def experiment_history(self) -> list[ExperimentEntry]:
        """Every change of an experiment, oldest first. Raises ArtifactError if HISTORY is damaged."""
        path = self.store / HISTORY
        return parse_experiments(path, self._history_bytes().decode("utf-8", "replace"))

    def in_experiment(self) -> set[str]:
        """The versions that the arms of a running experiment name. Raises ArtifactError if EXPERIMENT is damaged."""
        found = read_experiment(self.store / EXPERIMENT)
        return found.versions if found is not None and found.runs else set()

    def renamed(self, version: str) -> str:
        """The present name of a version: another one if people were taken out of it. Raises nothing."""
        if self.has(version):
            return version
        for name in self.names():
            with suppress(ArtifactError):
                if version in self.manifest(name).earlier_names:
                    return name
        return version

    def rollback_target(self) -> str | None:
        """The version that a rollback would return to, None if there is none.

        Versions that are no longer in the store are passed over, with a warning. Raises ArtifactError if CURRENT or
        HISTORY is damaged.
        """
        for version in reversed(ancestry(self.history(), self.current())[:-1]):
            if self.has(version):
                return version
            logger.warning("%s served before, but is no longer in %s; it is passed over", version, self)
        return None

    def _serving(self) -> str:
        if (current := self.current()) is None:
            raise ArtifactError(f"{self}: nothing has been published yet")
        return current

    def _named(self) -> str | None:
        """The version that CURRENT names, None if it is missing or damaged."""
        with suppress(ArtifactError):
            return self.current()
        return None

    def _served_last(self) -> str | None:
        """As `current`; if CURRENT is damaged, the last version of HISTORY, so that a rollback is still possible."""
        try:
            return self.current()
        except ArtifactError as error:
            logger.warning("%s", error)
        with suppress(ArtifactError):
            return next((entry.version for entry in reversed(self.history())), None)
        return None

    def _before_current(self) -> str:
        current = self._serving()
        if (target := self.rollback_target()) is None:
            none = (
                "none that served before {} is left"
                if ancestry(self.history(), current)[:-1]
                else "no version served before {}"
            )
            raise ArtifactError(f"{self.place(HISTORY)}: {none.format(current)}; name one to go to")
        return target

    def _history_bytes(self) -> bytes:
        path = self.store / HISTORY
        try:
            return read_plain(path)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
