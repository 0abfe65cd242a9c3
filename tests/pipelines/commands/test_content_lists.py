"""Lists by content on the command line, from a version whose items have vectors of their titles."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.store import engine_of
from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.space import ContentSource, ContentSpace
from recsys.engine import Engine


@pytest.fixture(scope="module")
def store(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = Registry(finished[0].publish.store).load()
    words = fit_tfidf(bundle.items, TfidfConfig(columns=("title",), dimension=64))
    source = ContentSource("words", "tfidf", ("title",), words.encode(bundle.items).vectors, 1.0, words)
    parts = {each.name: getattr(bundle, each.name) for each in fields(Contents)}
    facts = {each.name: getattr(bundle.manifest, each.name) for each in fields(VersionFacts)}
    folder = tmp_path_factory.mktemp("content") / "store"
    contents = Contents(**{**parts, "content": ContentSpace((source,))})
    Registry(folder).publish(seal_bundle(folder, contents, VersionFacts(**facts)).version)
    return folder


@pytest.fixture(scope="module")
def engine(store: Path) -> Engine:
    return engine_of(store)


def test_similar_by_content(recsys: Callable[..., Any], store: Path, engine: Engine) -> None:
    item = engine.item_ids.id_at(0)
    for by in ("content", "both"):
        reply = json.loads(recsys("similar", "--store", store, "--item", item, "--by", by, "--json").stdout)
        expected = [other.item_id for other in engine.similar(item, by=by).items]
        assert [other["item_id"] for other in reply["items"]] == expected
    wrong = recsys("similar", "--store", store, "--item", item, "--by", "looks")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "by: expected one of behaviour, content, both" in wrong.stderr
    assert recsys("similar", "--store", store, "--user", "u", "--by", "content").returncode == 2


def test_search_finds_an_item_by_its_title(recsys: Callable[..., Any], store: Path, engine: Engine) -> None:
    view = engine.item(engine.item_ids.id_at(0))
    assert view.title
    reply = json.loads(recsys("search", "--store", store, view.title, "-k", 5, "--json").stdout)
    assert view.title in {item["title"] for item in reply["items"]}
    assert reply["text"] == view.title
    assert view.title in recsys("search", "--store", store, view.title, "-k", 5).stdout


def test_a_version_without_content_says_what_to_add(recsys: Callable[..., Any], finished: Any) -> None:
    result = recsys("search", "--store", finished[0].publish.store, "red")
    assert (result.returncode, result.stdout) == (2, "")
    assert "[[content]]" in result.stderr
