"""Versions without some of their people: what is cut, what stays, and what names the new one."""

import numpy as np
import pytest

from recsys.artifacts.folded_users import FoldedUsers
from recsys.artifacts.forgotten_people import forgotten_in
from recsys.artifacts.purging import holding, purge
from recsys.artifacts.rewriting import cleaned_pages, publish_without_forgotten, rewrite
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.tombstones import add_tombstones
from recsys.data.id_map import IdMap
from recsys.errors import ArtifactError, ForgottenError, SupersededError
from recsys.forgotten import Forgotten, read_forgotten

GONE = "user 2"


def test_rows_are_cut_and_all_else_stays(registry, seal, parts):
    folded = FoldedUsers(IdMap.of(["folded a", "folded b"])[0], parts["history"][:2], parts["history"][1:3])
    before = registry.load(seal(folded_in=folded, seen=parts["history"]).version)
    version = rewrite(registry, before.manifest.version, frozenset({GONE, "folded b"}))
    after = registry.load(version)
    kept = [at for at in range(len(before.users)) if before.users.id_at(at) != GONE]
    assert after.users.ids.to_pylist() == [before.users.id_at(at) for at in kept]
    assert np.array_equal(after.model.embeddings.users, before.model.embeddings.users[kept])
    assert (after.history != before.history[kept]).nnz == (after.left_out != before.left_out[kept]).nnz == 0
    assert after.folded_in.users.ids.to_pylist() == ["folded a"]
    for part in ("items", "item_scale"):
        assert np.array_equal(getattr(after.model.embeddings, part), getattr(before.model.embeddings, part))
    assert np.array_equal(after.model.item_degree, before.model.item_degree)
    assert (after.manifest.forgotten, after.manifest.earlier_names) == (2, (before.manifest.version,))
    assert (after.manifest.created_at, after.manifest.counts["users"]) == (before.manifest.created_at, len(kept))
    assert registry.names() == [version]


def test_people_are_found_if_the_tombstone_is_not_older_than_the_log(registry, versions):
    folder = registry.path(versions[0])
    assert forgotten_in(folder, Forgotten.as_if([GONE, "nobody"], at=1e10)) == {GONE}
    assert forgotten_in(folder, Forgotten.as_if([GONE], at=1.0)) == frozenset()


def test_history_pointer_and_rollbacks_go_on_under_the_new_names(registry, versions):
    add_tombstones(registry, [GONE])
    assert holding(registry, read_forgotten(registry.store)) == sorted(versions)
    now = purge(registry).rewritten
    assert next(iter(now)) == versions[-1]  # the one that serves comes first
    assert registry.current() == now[versions[2]]
    assert [entry.version for entry in registry.history()] == [now[version] for version in versions]
    assert (registry.rollback(), registry.rollback()) == (now[versions[1]], now[versions[0]])
    assert purge(registry).rewritten == {} and holding(registry, read_forgotten(registry.store)) == []


def test_a_night_is_not_superseded_by_the_version_it_was_compared_with(registry, versions, seal):
    night = seal(9).version
    add_tombstones(registry, [GONE])
    rewrite(registry, versions[-1], frozenset({GONE}))
    with pytest.raises(ForgottenError):
        registry.publish(night, parent=versions[-1])
    version, published = publish_without_forgotten(registry, night, parent=versions[-1])
    assert published and registry.current() == version != night
    assert registry.renamed(night) == version
    with pytest.raises(SupersededError):
        registry.publish(seal(10).version, parent=versions[0])


def test_a_version_that_was_rewritten_meanwhile_is_published_under_its_new_name(registry, versions, seal):
    night = seal(9).version
    add_tombstones(registry, [GONE])
    now = purge(registry).rewritten
    assert publish_without_forgotten(registry, night, parent=versions[-1]) == (now[night], True)


def test_a_damaged_version_is_deleted_unless_it_serves(registry, versions):
    for version in versions[1:]:
        path = registry.path(version) / "popularity.npy"
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    add_tombstones(registry, [GONE])
    done = purge(registry)
    assert (done.removed, len(done.problems), [*done.rewritten]) == ((versions[1],), 1, [versions[0]])
    assert versions[2] in done.problems[0] and registry.current() == versions[2]


def test_a_signed_version_is_signed_again_and_not_rewritten_without_the_key(registry, versions):
    key = SigningKey("correct horse battery")
    key.sign(registry.path(versions[0]))
    with pytest.raises(ArtifactError, match="RECSYS_SIGNING_KEY"):
        rewrite(registry, versions[0], frozenset({GONE}))
    version = rewrite(registry, versions[0], frozenset({GONE}), key=key)
    assert (registry.path(version) / "manifest.json.hmac").exists()


def test_a_report_loses_its_lists_only_if_one_is_of_them():
    example = '{"examples": [{"user_id": "%s"}], "regressed": null, "models": {}}'
    for name, shown in ((GONE, True), ("9b3f8a2c1d4e", False)):
        pages = {"report.json": example % name, "report.md": f"list of {name}"}
        cleaned = cleaned_pages(pages, frozenset({GONE}))
        assert (cleaned != pages) == shown
        assert (GONE in str(cleaned)) is False or not shown
    numbered = {"report.json": example % "1", "report.md": "list of 1"}
    assert cleaned_pages(numbered, frozenset({GONE})) == numbered
    assert "list of" not in str(cleaned_pages(numbered, frozenset({GONE}), numbered=True))
