"""With a key, only what was signed with it serves."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.bundle import VERSIONS, load_bundle, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import MANIFEST, SIGNATURE, VersionFacts
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import VARIABLE, SigningKey
from recsys.errors import ArtifactError, ConfigError
from torture.versions import reseal

KEY = SigningKey("correct horse battery")


@pytest.fixture
def sealed(store: Path, parts: dict[str, Any]) -> Any:
    """Seal a version with a key, or without one."""

    def seal(seed: int, key: SigningKey | None) -> str:
        return seal_bundle(store, Contents(**parts), VersionFacts(config={"seed": seed}), key=key).version

    return seal


def test_a_signed_version_serves_with_the_key_and_without(store: Path, sealed: Any) -> None:
    version = sealed(1, KEY)
    for key in (KEY, None):
        registry = Registry(store, key=key)
        assert registry.publish(version)
        assert registry.load().manifest.version == version


@pytest.mark.parametrize("key", [None, SigningKey("incorrect horse battery")])
def test_one_without_the_right_signature_is_refused_by_publish_rollback_and_load(
    store: Path, sealed: Any, key: SigningKey | None
) -> None:
    registry = Registry(store, key=KEY)
    good, bad = sealed(1, KEY), sealed(2, key)
    registry.publish(good)
    for refused in (registry.publish, registry.rollback, registry.load):
        with pytest.raises(ArtifactError, match=r"manifest\.json\.hmac"):
            refused(bad)
    assert registry.current() == good


def test_an_insider_who_recomputes_every_hash_is_refused(store: Path, sealed: Any) -> None:
    version = sealed(1, KEY)
    folder = Path(shutil.copytree(store / VERSIONS / version, store / VERSIONS / "changing"))
    fields = json.loads((folder / MANIFEST).read_bytes())
    fields["metrics"] = {"ndcg@20": 1.0}
    (folder / MANIFEST).chmod(0o644)
    (folder / "manifest.json.sha256").chmod(0o644)
    (folder / MANIFEST).write_text(json.dumps(fields))
    (folder / SIGNATURE).rename(store / "signature")
    name = reseal(folder)
    (store / "signature").rename(folder / SIGNATURE)
    shutil.rmtree(store / VERSIONS / version)
    changed = folder.rename(store / VERSIONS / name)
    load_bundle(changed)
    with pytest.raises(ArtifactError, match="signed with another key"):
        load_bundle(changed, KEY)


def test_sealing_the_same_again_without_a_signature_is_refused_with_a_key(sealed: Any) -> None:
    sealed(1, None)
    with pytest.raises(ArtifactError, match="is not signed"):
        sealed(1, KEY)


def test_the_key_is_read_from_the_environment_and_never_shown() -> None:
    assert SigningKey.of({}) is None
    key = SigningKey.of({VARIABLE: KEY.secret})
    assert key == KEY
    assert KEY.secret not in repr(key)
    with pytest.raises(ConfigError, match="at least 16") as refused:
        SigningKey.of({VARIABLE: "too short"})
    assert "too short" not in str(refused.value)
