"""What holds for every encoder of `[[content]]`, whatever it reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from recsys.content.encoder import EncoderKind
from recsys.content.registry import ENCODERS, content_config, kind_of_encoder
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix, csr_from_pairs

N_ITEMS, N_EMPTY = 60, 4
THEMES = (("red", "cotton", "shirt"), ("steel", "bread", "knife"), ("history", "war", "book"))


def _write_vectors(folder: Path) -> dict[str, Any]:
    lines = [f"{_id(at)} {at + 1} {at % 7} -1\n" for at in range(N_ITEMS - N_EMPTY)]
    (folder / "items.txt").write_text("".join(lines), encoding="utf-8")
    return {"path": folder / "items.txt"}


def _write_words(folder: Path) -> dict[str, Any]:
    words = sorted({word for theme in THEMES for word in theme})
    rows = np.random.default_rng(1).normal(size=(len(words), 8))
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, rows, strict=True)]
    (folder / "words.txt").write_text("".join(lines), encoding="utf-8")
    return {"path": folder / "words.txt"}


def _write_network(folder: Path) -> dict[str, Any]:
    """A network that looks up the vector of every token."""
    helper = pytest.importorskip("onnx.helper")
    words = ["[UNK]", *sorted({word for theme in THEMES for word in theme})]
    table = np.random.default_rng(1).normal(size=(len(words), 8)).astype(np.float32)
    table[0] = 0
    kinds = pytest.importorskip("onnx").TensorProto
    given = [helper.make_tensor_value_info(each, kinds.INT64, ["n", "t"]) for each in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("last_hidden_state", kinds.FLOAT, ["n", "t", 8])
    constant = helper.make_tensor("table", kinds.FLOAT, table.shape, table.ravel().tolist())
    look_up = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
    graph = helper.make_graph([look_up], "lookup", given, [output], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    tokenizers = pytest.importorskip("tokenizers")
    known = tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(known)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return {"folder": folder, "columns": ("title",), "pooling": "mean", "threads": 1}


def _write_pictures(folder: Path) -> dict[str, Any]:
    """A picture in one colour per item, and a network that averages each channel."""
    onnx, image = pytest.importorskip("onnx"), pytest.importorskip("PIL.Image")
    for at in range(N_ITEMS - N_EMPTY):
        image.new("RGB", (8, 8), (at + 1, 50 * (at % 3), 9)).save(folder / f"{at}.png")
    node = onnx.helper.make_node("GlobalAveragePool", ["pixels"], ["pool"])
    given = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["n", 3, 8, 8])
    made = onnx.helper.make_tensor_value_info("pool", onnx.TensorProto.FLOAT, ["n", 3, 1, 1])
    graph = onnx.helper.make_graph([node], "tiny", [given], [made])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    plain = {"size": 8, "mean": (0, 0, 0), "std": (1, 1, 1), "threads": 1}
    return {"column": "picture", "folder": folder, "model": folder / "net.onnx", "layer": "pool", **plain}


CASES: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "tfidf": ("tfidf", lambda folder: {"columns": ("title",)}),
    "attributes": ("attributes", lambda folder: {"columns": ("genre", "price", "tags")}),
    "vectors": ("vectors", _write_vectors),
    "static": ("static", lambda folder: {"columns": ("title",)}),
    "words": ("words", _write_words),
    "word2vec": ("word2vec", lambda folder: {"columns": ("title",)}),
    "word2vec on histories": ("word2vec", lambda folder: {"on": "histories"}),
    "fasttext": ("fasttext", lambda folder: {"columns": ("title",)}),
    "doc2vec": ("doc2vec", lambda folder: {"columns": ("title",)}),
    "sentence": ("sentence", _write_network),
    "image": ("image", _write_pictures),
    "doc2vec on histories": ("doc2vec", lambda folder: {"on": "histories"}),
}
"""The encoder and its settings, by case. An encoder that is not named here runs with its defaults."""


def _id(at: int) -> str:
    return f"i{at:03}"


def _items(positions: range | list[int]) -> Items:
    """Items of three themes; of the last N_EMPTY nothing is known."""
    known = [at if at < N_ITEMS - N_EMPTY else None for at in positions]
    titles = [None if at is None else " ".join((*THEMES[at % 3], THEMES[at % 3][at % 2])) for at in known]
    table = {
        "title": pa.array(titles, pa.string()),
        "picture": pa.array([None if at is None else f"{at}.png" for at in known], pa.string()),
        "genre": pa.array([None if at is None else f"g{at % 3}" for at in known], pa.string()),
        "price": pa.array([None if at is None else float(at) for at in known], pa.float64()),
        "tags": pa.array([None if at is None else [f"t{at % 3}", "all"] for at in known], pa.list_(pa.string())),
    }
    return Items(IdMap.of(pa.array([_id(at) for at in positions]))[0], pa.table(table))


@pytest.fixture(scope="module")
def items() -> Items:
    return _items(range(N_ITEMS))


@pytest.fixture(scope="module")
def histories(items: Items) -> InteractionMatrix:
    """30 users of ten items of one theme each; nobody chose an item of which nothing is known."""
    user = np.repeat(np.arange(30, dtype=np.int32), 10)
    rng = np.random.default_rng(3)
    column = np.concatenate(
        [rng.choice(np.arange(at % 3, N_ITEMS - N_EMPTY, 3), 10, replace=False) for at in range(30)]
    )
    csr = csr_from_pairs(user, column.astype(np.int32), np.ones(len(user), np.float32), (30, N_ITEMS))
    return InteractionMatrix(IdMap.of(pa.array([f"u{at:02}" for at in range(30)]))[0], items.ids, csr)


NAMES = [*CASES, *(name for name in ENCODERS if name not in {encoder for encoder, _ in CASES.values()})]


@pytest.fixture(scope="module", params=NAMES)
def case(request, tmp_path_factory) -> tuple[EncoderKind, Any]:
    encoder, settings = CASES.get(request.param, (request.param, lambda folder: {}))
    if encoder not in ENCODERS:
        pytest.skip(f"there is no encoder {encoder}")
    if reason := ENCODERS[encoder].unavailable():
        pytest.skip(f"{encoder}: {reason}")
    try:
        config = content_config({"encoder": encoder, **settings(tmp_path_factory.mktemp("encoder"))})
    except ValidationError as error:
        pytest.fail(f"{encoder} needs settings; add a case to {__name__}: {error}")
    return kind_of_encoder(config), config


@pytest.fixture(scope="module")
def fit(case, items, histories):
    """Fits the encoder of the case, each time anew."""
    kind, config = case
    given = histories if kind.learns_from_histories(config) else None
    return lambda: kind.fit(items, config, histories=given, progress=lambda stage, done, total: None)


@pytest.fixture(scope="module")
def fitted(fit):
    return fit()


@pytest.fixture(scope="module")
def encoded(fitted, items):
    return fitted.encode(items)


def test_every_item_has_a_vector_of_length_one_or_zero(encoded, fitted):
    assert encoded.vectors.shape == (N_ITEMS, fitted.dimension)
    length = np.linalg.norm(encoded.vectors, axis=1)
    np.testing.assert_allclose(length[: N_ITEMS - N_EMPTY], 1, atol=1e-3)
    np.testing.assert_array_equal(length[N_ITEMS - N_EMPTY :], 0)


def test_what_is_missing_is_counted_and_the_first_is_named(encoded):
    assert encoded.n_known + sum(encoded.problems.counts.values()) == N_ITEMS
    assert set(encoded.problems.first) == set(encoded.problems.counts)
    assert all(any(_id(at) in example for at in range(N_ITEMS)) for example in encoded.problems.first.values())


def test_vectors_cannot_be_written_to(encoded):
    with pytest.raises(ValueError, match="read-only"):
        encoded.vectors[0, 0] = 1


def test_the_vector_of_an_item_does_not_depend_on_the_others(encoded, fitted):
    few = [2, 17, N_ITEMS - 1]
    np.testing.assert_allclose(fitted.encode(_items(few)).vectors, encoded.vectors[few], atol=1e-5)
    assert fitted.encode(_items([])).vectors.shape == (0, fitted.dimension)


def test_the_same_input_gives_the_same_vectors(encoded, fit, items):
    np.testing.assert_allclose(fit().encode(items).vectors, encoded.vectors, atol=1e-5)


def test_it_reads_columns_of_the_items(case, items):
    kind, config = case
    assert set(kind.reads(items, config)) <= set(items.table.column_names)


def test_items_of_which_nothing_is_known_are_zero_also_if_they_come_later(fitted):
    ids, _ = IdMap.of(pa.array(["new 1", "new 2"]))
    table = _items([0, 1]).table
    nothing = pa.table({name: pa.nulls(2, table.schema.field(name).type) for name in table.column_names})
    later = fitted.encode(Items(ids, nothing))
    assert not later.vectors.any()
    assert sum(later.problems.counts.values()) >= 2


def test_what_is_saved_is_loaded_and_encodes_the_same(case, fitted, encoded, items, tmp_path):
    kind, _ = case
    if kind.load is None:
        pytest.skip("is not sealed into a version")
    fitted.save(tmp_path)
    loaded = kind.load(tmp_path)
    assert loaded.dimension == fitted.dimension
    np.testing.assert_allclose(loaded.encode(items).vectors, encoded.vectors, atol=1e-5)
    assert not [path.name for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_a_new_item_with_a_title_alone_has_a_vector_if_the_encoder_reads_text(case, fitted, encoded):
    kind, config = case
    if not kind.reads_text or kind.learns_from_histories(config):
        pytest.skip("is no help to a search by words")
    ids, _ = IdMap.of(pa.array(["new"]))
    table = _items([0]).table
    alone = {name: pa.nulls(1, table.schema.field(name).type) for name in table.column_names if name != "title"}
    (vector,) = fitted.encode(Items(ids, pa.table({"title": [" ".join(THEMES[1])], **alone}))).vectors
    cosine = encoded.vectors[: N_ITEMS - N_EMPTY] @ vector
    by_theme = [cosine[theme::3].mean() for theme in range(3)]
    assert int(np.argmax(by_theme)) == 1
