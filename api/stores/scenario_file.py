"""ScenarioFile: the named pages of a store, read again when their file changes."""

import logging
from collections.abc import Mapping
from pathlib import Path

from api.errors import UnknownScenarioError
from recsys.engine.scenarios import Scenario, read_scenarios
from recsys.errors import ConfigError

logger = logging.getLogger(__name__)


class ScenarioFile:
    """The scenarios in `path`, which need not exist. A wrong file is logged once; what was read before holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[int, int, int] | None = None
        self._scenarios: Mapping[str, Scenario] = {}

    def find(self, name: str) -> Scenario:
        """The scenario `name`, as the file says now. Raises UnknownScenarioError."""
        if (state := self._state_now()) != self._state:
            self._state = state
            try:
                self._scenarios = read_scenarios(self._path)
            except ConfigError as error:
                logger.error("scenarios: %s", error)
        if name not in self._scenarios:
            raise UnknownScenarioError
        return self._scenarios[name]

    def _state_now(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
