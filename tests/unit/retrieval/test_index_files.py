import numpy as np
import pytest

from recsys.errors import ArtifactError
from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.index_files import load_index, parsed_files, read_index, save_index

SHAPE = (2000, 5)


@pytest.fixture(scope="module")
def exact():
    return FlatIndex(np.random.default_rng(1).normal(size=SHAPE).astype(np.float32))


def _verified(folder, name="index"):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in parsed_files(name)}


@pytest.mark.parametrize("family", ["exact", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"])
def test_an_index_survives_its_files(family, exact, tmp_path, rng, answers):
    index = exact
    if family != "exact":
        index = build_approximate(FAMILIES[family], exact, seed=1, progress=silent).with_parameters(
            SearchParameters(5, 40)
        )
    save_index(index, tmp_path, "index")
    again = read_index(tmp_path, "index", SHAPE)
    queries = rng.normal(size=(30, 5)).astype(np.float32)
    assert again.kind == family
    assert answers(again.search(queries, 9)) == answers(index.search(queries, 9))
    assert isinstance(again.vectors, np.memmap)
    if family == "ivf_pq":
        assert again.structure.native.implem == index.structure.native.implem == 11  # each query by itself
    assert (len(_verified(tmp_path)) == 0) == (family == "exact")


@pytest.fixture
def files(exact, tmp_path):
    save_index(build_approximate(FAMILIES["ivf_sq8"], exact, seed=1, progress=silent), tmp_path, "index")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.structure", b"", "expected a structure of ivf_sq8"),
        ("index.structure", b"no index at all", "expected a structure of ivf_sq8"),
        ("index.parameters.json", b"{", "Invalid JSON"),
        ("index.parameters.json", b"[]", "should be an object"),
        ("index.parameters.json", b'{"kind": "ivf_sq8"}', "probes: Field required"),
        ("index.parameters.json", b'{"kind": "ivf", "probes": 9, "candidates": 9}', "kind: 'ivf', expected one of"),
        ("index.parameters.json", b'{"kind": "ivf_sq8", "probes": 0, "candidates": 9}', "probes: .* greater than"),
        ("index.parameters.json", b'{"kind": "ivf_sq8", "probes": 9.5, "candidates": 9}', "probes: .* integer"),
        ("index.parameters.json", b'{"kind": "ivf_sq8", "probes": 9, "candidates": 9, "x": 1}', "x: Extra inputs"),
        ("index.npy", b"", "expected an npy file"),
    ],
)
def test_files_that_hold_something_else_are_refused(files, name, content, message):
    (files / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name}: .*{message}"):
        read_index(files, "index", SHAPE)


def test_missing_parameters_are_refused(files):
    (files / "index.parameters.json").unlink()
    with pytest.raises(ArtifactError, match=r"index\.parameters\.json: is missing"):
        read_index(files, "index", SHAPE)


def test_a_structure_of_another_family_and_other_shapes_are_refused(files, exact):
    graph = build_approximate(FAMILIES["hnsw"], exact, seed=1, progress=silent).structure
    (files / "index.structure").write_bytes(graph.to_bytes())
    with pytest.raises(ArtifactError, match="IndexHNSWFlat, expected IndexIVF"):
        read_index(files, "index", SHAPE)
    with pytest.raises(ArtifactError, match=r"vectors of shape \(2000, 5\), expected \(2000, 6\)"):
        load_index(files, "index", (2000, 6), verified=_verified(files))


def test_a_structure_over_fewer_vectors_is_refused(files, exact):
    fewer = build_approximate(FAMILIES["ivf_sq8"], FlatIndex(exact.vectors[1:].copy()), seed=1, progress=silent)
    (files / "index.structure").write_bytes(fewer.structure.to_bytes())
    with pytest.raises(ArtifactError, match=r"over \(1999, 16\) does not fit vectors of shape \(2000, 5\)"):
        read_index(files, "index", SHAPE)
