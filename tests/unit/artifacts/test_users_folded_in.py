"""Users served from their histories alone: the same lists, and no vectors of users anywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import load_bundle, seal_bundle, verify_bundle
from recsys.artifacts.contents import USER_VECTORS, Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.engine import Engine, Question
from recsys.engine.rehearsal import check_serves
from recsys.errors import ArtifactError, NoUserVectorsError
from recsys.models.registry import fit_model, model_config
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

N_USERS, N_ITEMS = 120, 80


def seal(store: Path, algorithm: str, *, config: dict[str, Any] | None = None, **settings: Any) -> Path:
    """A version of a model that was really trained, on a log in which every user has items."""
    rng = np.random.default_rng(5)
    log = sp.random(N_USERS, N_ITEMS, density=0.08, format="lil", rng=rng, dtype=np.float32)
    log[:, 0] = 1
    csr = log.tocsr()
    csr.data = np.ceil(csr.data * 4)
    csr.indices, csr.indptr = csr.indices.astype(np.int32), csr.indptr.astype(np.int32)
    users, _ = IdMap.of([f"u{number:03}" for number in range(N_USERS)])
    items, _ = IdMap.of([f"i{number:03}" for number in range(N_ITEMS)])
    told = model_config({"algorithm": algorithm, "factors": 8, **settings})
    model = fit_model(InteractionMatrix(users, items, csr), told)
    contents = Contents(
        users=users,
        items=Items.without_attributes(items),
        model=model,
        history=csr,
        popularity=model.item_degree,
        index=build_index(model.embeddings.scoring_items),
        similar=build_index(normalised(model.embeddings.items)),
    )
    manifest = seal_bundle(store, contents, VersionFacts(config=config or {}))
    Registry(store, check=check_serves).publish(manifest.version)
    return store / "versions" / manifest.version


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seal(tmp_path_factory.mktemp("als"), "als", neighbours=10)


def without_vectors(version: Path) -> Path:
    """The same version in a folder whose file of users' vectors was never there."""
    version.chmod(0o755)
    (version / "model").chmod(0o755)
    (version / USER_VECTORS).unlink()
    return version


def test_lists_are_those_of_the_trained_vectors_to_the_bit(version: Path) -> None:
    stored, folded = Engine(load_bundle(version)), Engine(load_bundle(version, users="fold_in"))
    for user in range(N_USERS):
        question = Question(user_id=f"u{user:03}", k=20, explain=True)
        assert folded.ask(question) == stored.ask(question)


def test_everybodys_list_is_the_same_too(version: Path) -> None:
    stored, folded = load_bundle(version), load_bundle(version, users="fold_in")
    pairs = zip(Engine(stored).iter_all(10, batch=50), Engine(folded).iter_all(10, batch=50), strict=True)
    for (names, lists), (same_names, same) in pairs:
        assert names == same_names
        np.testing.assert_array_equal(lists.indices, same.indices)
        np.testing.assert_array_equal(lists.scores, same.scores)


def test_what_is_stored_of_a_user_is_the_same(version: Path) -> None:
    stored, folded = Engine(load_bundle(version)), Engine(load_bundle(version, users="fold_in"))
    assert folded.stored_data("u007") == stored.stored_data("u007")


@pytest.mark.parametrize("algorithm", ["svd", "item2vec", "glove"])
def test_other_models_whose_users_follow_from_their_histories(tmp_path: Path, algorithm: str) -> None:
    if algorithm == "item2vec":
        pytest.importorskip("gensim")
    version = seal(tmp_path, algorithm)
    stored, folded = Engine(load_bundle(version)), Engine(load_bundle(version, users="fold_in"))
    for user in range(0, N_USERS, 10):
        assert folded.recommend(f"u{user:03}") == stored.recommend(f"u{user:03}")


def test_a_model_whose_users_have_vectors_of_their_own_is_refused(tmp_path: Path) -> None:
    version = seal(tmp_path, "bpr", iterations=2)
    load_bundle(version)
    with pytest.raises(ArtifactError, match=r"made by 'bpr'.*cannot be folded in.*expected users = \"stored\""):
        load_bundle(version, users="fold_in")


def test_the_file_of_the_vectors_need_not_be_there(tmp_path: Path) -> None:
    version = without_vectors(seal(tmp_path, "als"))
    with pytest.raises(ArtifactError, match=r"users\.npy: is missing"):
        load_bundle(version)
    assert verify_bundle(version, users="fold_in").version == version.name
    bundle = load_bundle(version, users="fold_in")
    assert bundle.folds_users and len(bundle.model.embeddings.users) == 0
    check_serves(bundle)


def test_the_file_of_the_vectors_is_not_even_opened(tmp_path: Path) -> None:
    version = seal(tmp_path, "als")
    version.chmod(0o755)
    (version / "model").chmod(0o755)
    (version / USER_VECTORS).unlink()
    (version / USER_VECTORS).mkdir()  # whoever opens this for reading fails
    assert load_bundle(version, users="fold_in").folds_users


def test_any_other_file_is_needed(tmp_path: Path) -> None:
    version = seal(tmp_path, "als")
    (version / "model").chmod(0o755)
    (version / "model" / "items.npy").unlink()
    with pytest.raises(ArtifactError, match=r"items\.npy: is missing"):
        load_bundle(version, users="fold_in")


@pytest.mark.parametrize(("users", "folds"), [("stored", False), ("fold_in", True), (None, True)])
def test_the_configuration_of_the_version_is_the_default(tmp_path: Path, users: Any, folds: bool) -> None:
    version = seal(tmp_path, "als", config={"serve": {"users": "fold_in"}})
    assert Registry(tmp_path, users=users).load().folds_users == folds
    assert load_bundle(version).folds_users is False


def test_without_a_word_of_it_the_vectors_are_loaded(version: Path) -> None:
    assert not load_bundle(version, users=None).folds_users


def test_users_cannot_be_compared(version: Path) -> None:
    with pytest.raises(NoUserVectorsError, match='expected users = "stored"'):
        Engine(load_bundle(version, users="fold_in")).similar_users("u000")


def test_a_version_that_answers_its_users_otherwise_is_refused(tmp_path: Path) -> None:
    """The golden questions compare lists by fold-in with those of the vectors that were sealed."""
    store = tmp_path / "store"
    sealed = load_bundle(seal(store, "als"))
    other = sealed.model.with_embeddings(sealed.model.embeddings)
    object.__setattr__(other.embeddings, "users", np.ascontiguousarray(other.embeddings.users[::-1]))
    contents = {name: getattr(sealed, name) for name in Contents.__dataclass_fields__}
    manifest = seal_bundle(tmp_path / "wrong", Contents(**contents | {"model": other}), VersionFacts())
    with pytest.raises(ArtifactError, match="golden question of a user"):
        load_bundle(tmp_path / "wrong" / "versions" / manifest.version, users="fold_in")


def test_it_cannot_be_sealed_without_the_vectors(version: Path, tmp_path: Path) -> None:
    loaded = load_bundle(version, users="fold_in")
    contents = Contents(**{name: getattr(loaded, name) for name in Contents.__dataclass_fields__})
    with pytest.raises(ArtifactError, match="without its users' vectors"):
        seal_bundle(tmp_path, contents, VersionFacts())
