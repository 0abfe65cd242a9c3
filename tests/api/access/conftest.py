"""Keys of every kind, and services that ask for them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from recsys.api_keys.editing import add_key
from recsys.api_keys.key_text import hash_of, new_key
from recsys.api_keys.records import KeyRecord


@dataclass
class Keys:
    """A file of keys, and the keys themselves by name."""

    path: Path
    by_name: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *scopes: str, **fields: Any) -> dict[str, str]:
        """Make a key; returns the header that carries it."""
        key = self.by_name[name] = new_key()
        add_key(
            self.path,
            KeyRecord.model_validate({"name": name, "hash": hash_of(key), "scopes": scopes, **fields}),
        )
        return self.header(name)

    def header(self, name: str) -> dict[str, str]:
        """The header that carries the key `name`."""
        return {"Authorization": f"Bearer {self.by_name[name]}"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A file of keys of its own, still without any."""
    return Keys(tmp_path / "keys.toml")


@pytest.fixture(scope="module")
def module_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The same for all tests of a module."""
    return Keys(tmp_path_factory.mktemp("keys") / "keys.toml")
