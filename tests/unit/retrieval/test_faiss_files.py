import json

import faiss
import numpy as np
import pytest

from recsys.errors import ArtifactError
from recsys.progress import silent
from recsys.retrieval.faiss_approximate import Effort
from recsys.retrieval.faiss_families import build_family
from recsys.retrieval.faiss_files import load_index, parsed_files, read_index, save_index
from recsys.retrieval.faiss_index import FaissIndex

SHAPE = (2000, 5)


@pytest.fixture(scope="module")
def exact():
    return FaissIndex(np.random.default_rng(1).normal(size=SHAPE).astype(np.float32))


def _verified(folder, name="index"):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in parsed_files(name)}


@pytest.mark.parametrize("family", ["exact", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"])
def test_an_index_survives_its_files(family, exact, tmp_path, rng, answers):
    index = exact
    if family != "exact":
        index = build_family(family, exact, seed=1, progress=silent).with_effort(Effort(5, 40))
    save_index(index, tmp_path, "index")
    again = read_index(tmp_path, "index", SHAPE)
    queries = rng.normal(size=(30, 5)).astype(np.float32)
    assert again.kind == family
    assert answers(again.search(queries, 9)) == answers(index.search(queries, 9))
    assert isinstance(again.vectors, np.memmap)
    if family == "ivf_pq":
        assert again.structure.implem == index.structure.implem == 11  # each query by itself
    assert (len(_verified(tmp_path)) == 0) == (family == "exact")


def test_a_file_of_the_first_release_still_loads(exact, tmp_path):
    flat = faiss.IndexFlatIP(5)
    flat.add(exact.vectors)
    faiss.write_index(flat, str(tmp_path / "index.faiss"))
    np.testing.assert_array_equal(read_index(tmp_path, "index", SHAPE).vectors, exact.vectors)


@pytest.fixture
def files(exact, tmp_path):
    save_index(build_family("ivf_sq8", exact, seed=1, progress=silent), tmp_path, "index")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.structure.faiss", b"", "not an index of a known family"),
        ("index.structure.faiss", b"no index at all", "not an index of a known family"),
        ("index.effort.json", b"{", "not an index of a known family"),
        ("index.effort.json", b"[]", "expected an object"),
        ("index.effort.json", b'{"kind": "ivf_sq8"}', "effort of kind; expected candidates, kind, probes"),
        ("index.effort.json", b'{"kind": "ivf_sq8", "probes": Infinity, "candidates": 9}', "infinity"),
        (
            "index.effort.json",
            b'{"kind": "ivf_sq8", "probes": 9, "candidates": 9, "query_length": 0.5}',
            "effort of candidates, kind, probes, query_length; expected",
        ),
        ("index.npy", b"", "expected item vectors"),
    ],
)
def test_files_that_hold_something_else_are_refused(files, name, content, message):
    (files / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        read_index(files, "index", SHAPE)


def test_probes_of_nothing_and_a_missing_effort_are_refused(files):
    settings = json.loads((files / "index.effort.json").read_text())
    (files / "index.effort.json").write_text(json.dumps(settings | {"probes": 0}))
    with pytest.raises(ArtifactError, match="probes 0"):
        read_index(files, "index", SHAPE)
    (files / "index.effort.json").unlink()
    with pytest.raises(ArtifactError, match=r"index\.effort\.json"):
        read_index(files, "index", SHAPE)


def test_a_flat_structure_and_other_shapes_are_refused(files, exact):
    flat = faiss.IndexFlatIP(5)
    (files / "index.structure.faiss").write_bytes(faiss.serialize_index(flat).tobytes())
    with pytest.raises(ArtifactError, match="IndexFlat"):
        read_index(files, "index", SHAPE)
    with pytest.raises(ArtifactError, match=r"vectors of shape \(2000, 5\), expected \(2000, 6\)"):
        load_index(files, "index", (2000, 6), verified=_verified(files))
