"""A version is whole, the same for the same content, and refused when a single byte of it is not."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.artifacts.bundle import Bundle, load_bundle, verify_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.folded_users import FoldedUsers
from recsys.artifacts.manifest import CHECKSUM, MANIFEST, Manifest
from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.matrix import presence
from recsys.errors import ArtifactError
from recsys.progress import silent
from recsys.retrieval.approximate_index import build_approximate
from recsys.retrieval.exact import normalised
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex, build_index

Seal = Callable[..., Manifest]

FILES = [
    MANIFEST,
    CHECKSUM,
    "catalogue.arrow",
    "golden.json",
    "index.npy",
    "items.arrow",
    "popularity.npy",
    "seen.data.npy",
    "seen.indices.npy",
    "seen.indptr.npy",
    "similar.npy",
    "users.arrow",
]
"""Those of the model follow from what it saves; `test_the_files_are_known` adds them up."""

MODEL_FILES = ["item_degree.npy"]


@pytest.fixture
def folder(store: Path, seal: Seal) -> Path:
    return store / "versions" / seal().version


def writable(folder: Path, name: str) -> Path:
    (folder / name).chmod(0o644)
    return folder / name


def test_a_loaded_version_is_what_was_sealed(folder: Path, parts: dict[str, Any]) -> None:
    bundle = load_bundle(folder)
    assert bundle.users.ids.equals(parts["users"].ids)
    assert bundle.items.ids.ids.equals(parts["items"].ids.ids)
    assert bundle.items.table.equals(parts["items"].table)
    assert (bundle.history != parts["history"]).nnz == 0
    np.testing.assert_array_equal(bundle.popularity, parts["popularity"])
    for name in ("users", "items", "item_scale"):
        np.testing.assert_array_equal(
            getattr(bundle.model.embeddings, name), getattr(parts["model"].embeddings, name)
        )
    np.testing.assert_array_equal(bundle.model.item_degree, parts["model"].weighting.item_degree)
    assert bundle.model.weighting.settings == parts["model"].weighting.settings
    assert bundle.model.regularization == 30.0
    vectors = parts["model"].embeddings.users
    for name in ("index", "similar"):
        found, expected = (source.search(vectors, 3) for source in (getattr(bundle, name), parts[name]))
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_large_arrays_are_mapped_not_read(folder: Path) -> None:
    bundle = load_bundle(folder)
    for array in (bundle.model.embeddings.users, bundle.model.embeddings.items, bundle.popularity):
        assert _mapped_from(array)
        assert not array.flags.writeable


def _mapped_from(array: Any) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def test_the_same_content_is_the_same_version_and_touches_nothing(store: Path, folder: Path, seal: Seal) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in store.rglob("*") if path.is_file()}
    again = seal(metrics={"ndcg@20": 0.1}, verdict="other")
    after = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in store.rglob("*") if path.is_file()}
    assert again == load_bundle(folder).manifest
    lock = store / ".seal.lock"
    assert {path: after[path] for path in after if path != lock} == {
        path: before[path] for path in before if path != lock
    }
    assert list((store / "versions").iterdir()) == [folder]


def test_other_vectors_are_another_version(seal: Seal, parts: dict[str, Any]) -> None:
    popularity = parts["popularity"] + np.float32(1)
    assert seal(popularity=popularity).version != seal().version


def test_two_stores_give_the_same_name(tmp_path: Path, store: Path, seal: Seal) -> None:
    first = seal().version
    shutil.rmtree(store)
    assert seal().version == first


def test_sealing_over_a_damaged_version_is_refused(folder: Path, seal: Seal) -> None:
    writable(folder, "popularity.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"popularity\.npy"):
        seal()


def test_files_cannot_be_written_and_folders_can(folder: Path) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert all(mode & 0o222 == (0 if path.is_file() else mode & 0o222) for path, mode in modes.items())
    assert os.access(folder, os.W_OK)


def test_the_index_kind_and_its_summary_are_kept(seal: Seal, parts: dict[str, Any]) -> None:
    assert seal(index_facts={"recall@100": 1.0}).index == {"kind": parts["index"].kind, "recall@100": 1.0}


def test_no_file_is_a_pickle(folder: Path) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not content.startswith(b"\x80"), path
        assert b"numpy.core" not in content, path


# --- damage ------------------------------------------------------------------------------------------------------


def names_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_files_are_known(folder: Path) -> None:
    outside_model = [name for name in names_of(folder) if not name.startswith("model/")]
    assert outside_model == sorted(FILES)
    assert len(names_of(folder)) > len(FILES)


def damaged_everywhere(folder: Path, damage: Callable[[bytes], list[bytes]]) -> None:
    """Put every damaged form of every file in its place, one at a time; each must be refused by name."""
    for name in names_of(folder):
        path = writable(folder, name)
        whole = path.read_bytes()
        for content in damage(whole):
            path.write_bytes(content)
            with pytest.raises(ArtifactError, match=path.name.replace(".", r"\.")):
                load_bundle(folder)
        path.write_bytes(whole)
    load_bundle(folder)


def test_a_flipped_byte_anywhere_in_any_file_is_refused(folder: Path) -> None:
    def flipped(whole: bytes) -> list[bytes]:
        places = sorted({0, len(whole) // 3, len(whole) // 2, len(whole) - 1})
        return [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]

    damaged_everywhere(folder, flipped)


def test_a_file_cut_short_or_grown_is_refused(folder: Path) -> None:
    damaged_everywhere(folder, lambda whole: [b"", whole[:-1], whole + b"\0"])


def test_a_missing_file_is_refused_by_name(folder: Path) -> None:
    for name in names_of(folder):
        hidden = (folder / name).rename(folder.parent / "hidden")
        with pytest.raises(ArtifactError, match=Path(name).name.replace(".", r"\.")):
            load_bundle(folder)
        hidden.rename(folder / name)
    load_bundle(folder)


@pytest.mark.parametrize("name", ["extra", "model/extra", "new/extra", ".hidden"])
def test_an_extra_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"extra|hidden"):
        load_bundle(folder)


def test_a_link_to_the_right_content_is_refused(folder: Path, tmp_path: Path) -> None:
    moved = (folder / "users.arrow").rename(tmp_path / "users.arrow")
    (folder / "users.arrow").symlink_to(moved)
    with pytest.raises(ArtifactError, match=r"users\.arrow: is a link"):
        load_bundle(folder)


def test_a_linked_manifest_is_refused(folder: Path, tmp_path: Path) -> None:
    moved = (folder / MANIFEST).rename(tmp_path / MANIFEST)
    (folder / MANIFEST).symlink_to(moved)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        load_bundle(folder)


def test_a_linked_or_missing_folder_is_no_version(folder: Path) -> None:
    link = folder.with_name(f"v{'1' * 16}")
    link.symlink_to(folder)
    for path in (link, folder.with_name(f"v{'2' * 16}")):
        with pytest.raises(ArtifactError, match="no such version"):
            load_bundle(path)


def test_no_parser_sees_a_byte_before_all_are_verified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last file in the list is the damaged one, the first parsers are those of the id maps."""
    writable(folder, "users.arrow").write_bytes(b"\0" * (folder / "users.arrow").stat().st_size)

    def parsed(*_: Any) -> None:
        raise AssertionError("a parser was called")

    for parser in ("numpy.load", "pyarrow.ipc.open_file", "faiss.read_index"):
        monkeypatch.setattr(parser, parsed)
    with pytest.raises(ArtifactError, match=r"users\.arrow: its content changed"):
        load_bundle(folder)


@pytest.fixture
def approximate(parts: dict[str, Any]) -> dict[str, Any]:
    """The two searches as approximations."""
    exact = {"index": parts["model"].embeddings.scoring_items, "similar": normalised(parts["model"].embeddings.items)}
    families = {"index": "ivf_sq8", "similar": "hnsw"}
    return {
        name: build_approximate(FAMILIES[families[name]], build_index(vectors), seed=1, progress=silent)
        for name, vectors in exact.items()
    }


def test_the_index_is_parsed_from_the_bytes_that_were_hashed(
    store: Path, seal: Seal, approximate: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store / "versions" / seal(**approximate).version
    seen: list[bytes] = []

    def parsed(self: Any, data: memoryview, shape: tuple[int, int]) -> Any:
        seen.append(bytes(data))
        (folder / "index.structure").rename(folder / "moved")
        (folder / "moved").rename(folder / "index.structure")
        return parse[type(self)](self, data, shape)

    parse = {type(FAMILIES[name]): type(FAMILIES[name]).load for name in ("ivf_sq8", "hnsw")}
    for family in parse:
        monkeypatch.setattr(family, "load", parsed)
    expected = {(folder / f"{name}.structure").read_bytes() for name in ("index", "similar")}
    load_bundle(folder)
    assert set(seen) == expected


def test_an_approximate_version_is_loaded_as_sealed_and_damage_is_found(
    store: Path, seal: Seal, approximate: dict[str, Any], parts: dict[str, Any]
) -> None:
    folder = store / "versions" / seal(**approximate).version
    bundle = load_bundle(folder)
    assert (bundle.index.kind, bundle.similar.kind) == ("ivf_sq8", "hnsw")
    vectors = parts["model"].embeddings.users
    np.testing.assert_array_equal(
        bundle.index.search(vectors, 3).indices, approximate["index"].search(vectors, 3).indices
    )
    damaged_everywhere(folder, lambda whole: [whole[:-1] + bytes([whole[-1] ^ 1])])


def test_verifying_alone_finds_the_same_damage(folder: Path) -> None:
    assert verify_bundle(folder).version == folder.name
    writable(folder, "seen.data.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"seen\.data\.npy"):
        verify_bundle(folder)


# --- parts that do not belong together ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("popularity", "popularity"),
        ("history", "histories"),
        ("seen", "seen items"),
        ("users", "user vectors"),
        ("similar", "similar items"),
    ],
)
def test_parts_of_different_sizes_are_refused_before_anything_is_written(
    store: Path, seal: Seal, parts: dict[str, Any], part: str, message: str
) -> None:
    cut = {
        "popularity": lambda: parts["popularity"][1:],
        "history": lambda: parts["history"][1:],
        "seen": lambda: parts["history"][1:],
        "users": lambda: parts["users"].take(np.arange(3, dtype=np.int32)),
        "similar": lambda: _index_of(parts["model"].embeddings.items[1:]),
    }
    with pytest.raises(ArtifactError, match=message):
        seal(**{part: cut[part]()})
    assert not store.exists()


def _index_of(vectors: Any) -> FlatIndex:
    return build_index(vectors.copy())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_popularity_that_is_not_a_number_is_refused(seal: Seal, parts: dict[str, Any], bad: float) -> None:
    popularity = parts["popularity"].copy()
    popularity[0] = bad
    with pytest.raises(ArtifactError, match="popularity"):
        seal(popularity=popularity)


@pytest.mark.parametrize(("part", "message"), [("history", "histories"), ("seen", "seen items")])
def test_histories_and_seen_items_must_be_canonical(
    seal: Seal, parts: dict[str, Any], part: str, message: str
) -> None:
    rows = parts["history"].copy()
    rows.data[0] = 0
    with pytest.raises(ArtifactError, match=message):
        seal(**{part: rows})


def test_seen_items_are_the_histories_unless_they_are_given(store: Path, seal: Seal, parts: dict[str, Any]) -> None:
    together = load_bundle(store / "versions" / seal().version)
    assert together.left_out is together.history
    fewer = parts["history"].copy()
    fewer.data[fewer.indptr[0] : fewer.indptr[1]] = 0
    fewer.eliminate_zeros()
    apart = load_bundle(store / "versions" / seal(seen=fewer).version)
    assert (apart.left_out != fewer).nnz == 0
    assert (apart.history != parts["history"]).nnz == 0


def test_a_bundle_is_its_contents_and_a_manifest(folder: Path) -> None:
    assert issubclass(Bundle, Contents)
    assert load_bundle(folder).manifest.version == folder.name


# --- users whom training left out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("has_seen", [False, True])
def test_users_to_fold_in_are_sealed_too(store: Path, seal: Seal, parts: dict[str, Any], has_seen: bool) -> None:
    history = parts["history"][:2] * 2
    others = FoldedUsers(IdMap.of(["x", "y"])[0], history, presence(history[:, :]) if has_seen else None)
    folder = store / "versions" / seal(folded_in=others).version
    found = load_bundle(folder).folded_in
    assert found is not None
    assert found.users.ids.to_pylist() == ["x", "y"]
    assert (found.history != others.history).nnz == 0
    assert (found.left_out != others.left_out).nnz == 0
    assert load_bundle(store / "versions" / seal(seed=1).version).folded_in is None
    (folder / "folded_in").chmod(0o755)
    writable(folder, "folded_in/history.data.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"folded_in/history\.data\.npy"):
        load_bundle(folder)


def test_users_to_fold_in_are_over_the_items_of_the_version(seal: Seal, parts: dict[str, Any]) -> None:
    narrow = FoldedUsers(IdMap.of(["x"])[0], parts["history"][:1, :2])
    with pytest.raises(ArtifactError, match=r"histories of users to fold in \(1, 2\), expected \(1, 5\)"):
        seal(folded_in=narrow)


def _content(parts: dict[str, Any]) -> ContentSpace:
    encoder = fit_tfidf(parts["items"], TfidfConfig(min_items=1))
    vectors = encoder.encode(parts["items"]).vectors
    return ContentSpace((ContentSource("words", "tfidf", ("title",), vectors, 2.0, encoder),))


def test_a_version_keeps_content_vectors_and_encodes_further_items(
    store: Path, seal: Seal, parts: dict[str, Any]
) -> None:
    space = _content(parts)
    loaded = load_bundle(store / "versions" / seal(content=space).version).content
    assert loaded is not None
    np.testing.assert_array_equal(loaded.vectors, space.vectors)
    np.testing.assert_allclose(loaded.encode(parts["items"]), space.vectors, atol=1e-6)


def test_a_version_without_content_has_none(folder: Path) -> None:
    assert load_bundle(folder).content is None


def test_content_is_hashed_like_every_other_file(store: Path, seal: Seal, parts: dict[str, Any]) -> None:
    folder = store / "versions" / seal(content=_content(parts)).version
    vectors = writable(folder, "content/words/vectors.npy")
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ArtifactError, match=r"vectors\.npy"):
        load_bundle(folder)


def test_content_of_other_items_is_refused(seal: Seal) -> None:
    vectors = np.ones((6, 1), np.float32)  # the version has five items
    with pytest.raises(ArtifactError, match="content vectors"):
        seal(content=ContentSpace((ContentSource("words", "tfidf", (), vectors),)))
