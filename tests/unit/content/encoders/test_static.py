import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from recsys.content.encoders.static import STATIC, StaticConfig, StaticEncoder, fit_static, unavailable
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ArtifactError, ConfigError, DataError

pytestmark = pytest.mark.skipif(unavailable() is not None, reason="the extra `text` is not installed")
needs_wordllama = pytest.mark.skipif(
    importlib.util.find_spec("wordllama") is None, reason="the package wordllama is not installed"
)

WORDS = ["[UNK]", "red", "blue", "shirt", "knife", "steel"]
VECTORS = np.array(
    [[9, 9, 9], [1, 0, 0.25], [0.5, 1, 0], [0, 0, 1], [-1, 0.5, 0], [-1, 0, 0.125]], np.float32
)  # exact in float16
TITLES = ["red shirt", "blue shirt red", "steel knife", "steel zzz", "zzz", "", None]


def items_of(titles):
    ids, _ = IdMap.of(pa.array([f"i{at}" for at in range(len(titles))]))
    return Items(ids, pa.table({"title": pa.array(titles, pa.string())}))


def write_model(folder, **tensors):
    """A model2vec folder of the words of WORDS."""
    from safetensors.numpy import save_file  # noqa: PLC0415  (an extra)
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415

    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"embeddings": VECTORS, **tensors}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"normalize": True}), encoding="utf-8")
    return folder


def fitted(folder, **keys):
    return fit_static(items_of(TITLES), StaticConfig(folder=folder, **keys))


def unit(*vectors):
    return np.array([vector / np.linalg.norm(vector) for vector in vectors], np.float32)


def test_a_text_is_the_direction_of_the_sum_of_its_words(tmp_path):
    encoded = fitted(write_model(tmp_path)).encode(items_of(TITLES))
    expected = unit([1, 0, 1.25], [1.5, 1, 1.25], [-2, 0.5, 0.125], [-1, 0, 0.125])
    np.testing.assert_allclose(encoded.vectors[:4], expected, atol=1e-6)
    assert not encoded.vectors[4:].any()
    assert encoded.problems.counts == {"no text": 2, "no known word": 1}
    assert encoded.problems.first["no known word"] == "item 'i4': 'zzz'"


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"weights": np.array([1, 2, 0.5, 1, 4, 1])},
        {"mapping": np.array([0, 1, 2, 3, 3, 1])},
        {"mapping": np.array([0, 1, 1, 0, 0, 1]), "weights": np.arange(1.0, 7), "embeddings": VECTORS[1:3]},
    ],
)
def test_vectors_are_those_of_model2vec(tmp_path, tensors):
    model2vec = pytest.importorskip("model2vec")
    folder = write_model(tmp_path, **tensors)
    theirs = model2vec.StaticModel.from_pretrained(folder).encode([text or "" for text in TITLES])
    np.testing.assert_allclose(fitted(folder).encode(items_of(TITLES)).vectors, theirs, atol=1e-3)


@needs_wordllama
def test_vectors_of_wordllama_are_its_own(tmp_path):
    """In a process of its own, because importing wordllama changes the log's settings."""
    titles = ["The Hunger Games", "Harry Potter and the Sorcerer's Stone", "Größe 38 ✓", "一", "a" * 3000]
    script = (
        "import json, os, sys, wordllama, numpy as np\n"
        "package = os.path.dirname(wordllama.__file__)\n"
        "model = wordllama.WordLlama.load(cache_dir=package, disable_download=True)\n"
        f"np.save(sys.argv[1], model.embed(json.loads({json.dumps(titles)!r}), norm=True))\n"
    )
    path = tmp_path / "theirs.npy"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True)
    encoder = fit_static(items_of(titles), StaticConfig(max_tokens=10_000))
    assert encoder.dimension == 256
    np.testing.assert_allclose(encoder.encode(items_of(titles)).vectors, np.load(path), atol=1e-5)


@needs_wordllama
def test_texts_of_one_topic_are_near_in_wordllama():
    titles = [
        "cooking italian pasta",
        "recipes for spaghetti",
        "history of the roman army",
        "legions of ancient rome",
    ]
    cosine = (vectors := fit_static(items_of(titles), StaticConfig()).encode(items_of(titles)).vectors) @ vectors.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2], cosine[0, 3], cosine[1, 2], cosine[1, 3])


def test_a_row_alone_has_the_same_bits(tmp_path):
    encoder = fitted(write_model(tmp_path))
    together = encoder.encode(items_of(TITLES)).vectors
    for at, title in enumerate(TITLES):
        np.testing.assert_array_equal(encoder.encode(items_of([title])).vectors[0], together[at])


def test_what_follows_the_last_token_is_left_out(tmp_path):
    encoder = fitted(write_model(tmp_path), max_tokens=2)
    short, long = encoder.encode(items_of(["red shirt", "red shirt" + " knife" * 100_000])).vectors
    np.testing.assert_array_equal(short, long)


def test_a_stored_encoder_makes_the_same_vectors_without_what_the_fit_needed(tmp_path, monkeypatch):
    encoder, folder = fitted(write_model(tmp_path / "model"), max_tokens=7), tmp_path / "sealed"
    folder.mkdir()
    encoder.save(folder)
    for library in ("model2vec", "safetensors", "wordllama"):
        monkeypatch.setitem(sys.modules, library, None)
    loaded = StaticEncoder.load(folder)
    assert (loaded.columns, loaded.max_tokens) == (("title",), 7)
    np.testing.assert_array_equal(loaded.encode(items_of(TITLES)).vectors, encoder.encode(items_of(TITLES)).vectors)


@pytest.mark.parametrize("name", ["static.json", "tokens.npy", "tokenizer.json"])
@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:40])]
)
def test_a_damaged_encoder_is_refused(tmp_path, name, damage):
    fitted(write_model(tmp_path / "model")).save(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(ArtifactError, match=re.escape(name)):
        StaticEncoder.load(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    folder = write_model(tmp_path, embeddings=VECTORS[:4])
    with pytest.raises(ConfigError, match=r"the tokenizer knows the token 5, but there are 4 vectors"):
        fitted(folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"embeddings": np.where(VECTORS == 9, np.nan, VECTORS)}, "embeddings is float32 .*, expected finite"),
        ({"embeddings": VECTORS * 70_000}, "expected finite float16"),
        ({"embeddings": VECTORS[0]}, r"embeddings is float32 \(3,\)"),
        ({"embeddings": VECTORS.astype(np.int32)}, "embeddings is int32"),
        ({"mapping": np.array([0, 1, 2, 3, 4, 6])}, r"mapping is int64 \(6,\), expected places in 6 vectors"),
        ({"weights": np.ones(5)}, r"weights is float64 \(5,\), expected one number per token, 6"),
    ],
)
def test_tensors_of_another_kind_are_named(tmp_path, tensors, message):
    with pytest.raises(ConfigError, match=rf"content 'static': .*model\.safetensors.*{message}"):
        fitted(write_model(tmp_path, **tensors))


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(
        ConfigError, match=rf"content 'static': folder {tmp_path / 'none'}: expected model\.safetensors"
    ):
        fitted(tmp_path / "none")
    weights = write_model(tmp_path) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-7])
    with pytest.raises(ConfigError, match=r"model\.safetensors and tokenizer\.json: not a safetensors file"):
        fitted(tmp_path)
    weights.write_bytes(whole)
    for text in ("{}", "[1]", "\ud800".encode("utf-8", "surrogatepass")):
        (tmp_path / "tokenizer.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError, match=r"content 'static': .*tokenizer\.json"):
            fitted(tmp_path)


def test_a_missing_tensor_names_those_that_are_there(tmp_path):
    from safetensors.numpy import save_file  # noqa: PLC0415

    save_file({"other": VECTORS}, write_model(tmp_path) / "model.safetensors")
    with pytest.raises(ConfigError, match=r"holds other, expected a tensor embeddings or embedding\.weight"):
        fitted(tmp_path)


def test_weights_within_a_sentence_transformers_folder_are_found(tmp_path):
    from safetensors.numpy import save_file  # noqa: PLC0415

    inner = write_model(tmp_path / "0_StaticEmbedding")
    save_file({"embedding.weight": VECTORS}, inner / "model.safetensors")
    assert fitted(tmp_path).dimension == 3
    assert STATIC.files(StaticConfig(folder=tmp_path)) == (inner / "model.safetensors", inner / "tokenizer.json")


def test_a_missing_package_is_named_with_what_to_install(monkeypatch, tmp_path):
    folder = write_model(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert unavailable() is not None and unavailable().startswith("needs tokenizers")
    with pytest.raises(ConfigError, match=r"content 'words': 'static' needs tokenizers.*locks/text\.lock"):
        fitted(folder, name="words")
    with pytest.raises(ArtifactError, match="its encoder 'static' needs tokenizers"):
        StaticEncoder.load(folder)


def test_a_version_serves_without_an_encoder_that_cannot_run_here(monkeypatch, tmp_path, caplog):
    encoder = fitted(write_model(tmp_path / "model"))
    vectors = encoder.encode(items_of(TITLES)).vectors
    ContentSpace((ContentSource("words", "static", ("title",), vectors, 1.0, encoder),)).save(tmp_path / "content")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    (source,) = ContentSpace.load(tmp_path / "content").sources
    assert source.fitted is None
    np.testing.assert_array_equal(source.vectors, vectors)
    assert "'static' needs tokenizers" in caplog.text


def test_vectors_that_are_not_float16_are_refused(tmp_path):
    text = (write_model(tmp_path) / "tokenizer.json").read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"tokens float32 \(6, 3\), expected finite float16"):
        StaticEncoder(("title",), VECTORS, text, 5)
