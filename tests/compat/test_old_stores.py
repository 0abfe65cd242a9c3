"""Stores written by earlier releases still load and answer the same; see make_store.py."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from recsys.artifacts.inventory import take_inventory
from recsys.artifacts.manifest import UNDERSTOOD_SCHEMAS
from recsys.artifacts.registry import Registry
from recsys.engine import Engine

HERE = Path(__file__).parent
STORES = sorted(HERE.glob("schema-*"))


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_store", HERE / "make_store.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_alike(found: Any, expected: Any) -> None:
    """Equal, but for scores, which may differ by 1e-5, and for fields that there were none of then."""
    if isinstance(expected, dict):
        assert found.keys() >= expected.keys()
        for name, value in expected.items():
            assert_alike(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-5)
    else:
        assert found == expected


def test_there_is_a_store_for_every_schema_understood() -> None:
    assert {store.name for store in STORES} == {f"schema-{schema}" for schema in UNDERSTOOD_SCHEMAS}


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_it_loads_and_answers_the_same(store: Path) -> None:
    expected = json.loads((store / "answers.json").read_text(encoding="utf-8"))
    found = _maker().answers(Engine(Registry(store).load()))
    assert_alike(json.loads(json.dumps(found)), expected)


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_its_versions_are_listed_and_rolled_back_to(store: Path, tmp_path: Path) -> None:
    copied = Registry(Path(shutil.copytree(store, tmp_path / "store")))
    newest, oldest = (held.version for held in take_inventory(copied).versions)
    assert copied.current() == newest
    assert copied.rollback() == oldest
    assert [entry.version for entry in copied.history()] == [oldest, newest, oldest]


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_it_is_small(store: Path) -> None:
    assert sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) < 100_000


def test_the_maker_still_writes_a_store_that_answers_as_it_did(tmp_path: Path) -> None:
    maker, store = _maker(), tmp_path / "store"
    maker.make(store)
    written = json.loads((store / "answers.json").read_text(encoding="utf-8"))
    assert_alike(json.loads(json.dumps(maker.answers(Engine(Registry(store).load())))), written)
