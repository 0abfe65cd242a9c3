"""Pictures through a convolutional network in ONNX: the numbers of a late layer, as in Razavian et al. (2014).

CNN features off-the-shelf: an astounding baseline for recognition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from recsys.config import Duration, FilePath
from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, EncoderKind, Problems
from recsys.content.onnx_graph import OnnxGraph, unavailable
from recsys.content.picture import MOST_MEGAPIXELS, PictureError, Preparation, bombs_are_errors
from recsys.content.picture_download import Downloads
from recsys.content.picture_source import PictureSource
from recsys.content.texts import text_columns
from recsys.data.arrays import Floats
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError, DataError
from recsys.map_ordered import map_ordered
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

Channel = Annotated[float, Field(ge=-1000, le=1000)]
Triple = tuple[Channel, Channel, Channel]

_MOST_DIMENSIONS = 16_384


class ImageConfig(EncoderConfig):
    """Pictures by path or URL through a convolutional network in ONNX (ResNet, VGG, MobileNet ...)."""

    encoder: Literal["image"] = Field("image", description="how the vectors are made")
    column: str = Field(min_length=1, description="attribute of `[items]` with the picture's path or URL")
    folder: FilePath = Field(description="of the pictures; relative paths start here, and none outside is read")
    model: FilePath = Field(description="the network, an .onnx file")
    layer: str = Field(
        min_length=1, description="whose numbers are the vector, by its output's name; maps are averaged"
    )
    size: int = Field(256, ge=8, le=4096, description="pixels of the shorter side after resizing")
    crop: int | None = Field(None, ge=8, le=4096, description="side of the centred square; by default `size`")
    mean: Triple = Field(
        (0.485, 0.456, 0.406), description="subtracted from each channel, in the order of `channels`"
    )
    std: Triple = Field((0.229, 0.224, 0.225), description="that each channel is then divided by")
    scale: float = Field(1 / 255, gt=0, le=1000, description="that pixels, 0 to 255, are multiplied by before `mean`")
    channels: Literal["rgb", "bgr"] = Field("rgb", description="their order")
    layout: Literal["nchw", "nhwc"] = Field("nchw", description="channels before or after height and width")
    urls: bool = Field(False, description="fetch pictures by https, from public addresses alone")
    timeout: Duration = Field(10, ge=1, le=600, description="for one picture by URL")
    megabytes: int = Field(20, ge=1, le=1000, description="of a file; a larger one is left out")
    megapixels: int = Field(50, ge=1, le=MOST_MEGAPIXELS, description="of a picture; a larger one is left out")
    batch: int = Field(16, ge=1, le=1024, description="pictures that go through the network at once")
    threads: int = Field(0, ge=0, le=1024, description="of the network; 0: one per processor")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.columns:
            raise ValueError("columns: pictures are in one column; set `column`")
        if self.crop is not None and self.crop > self.size:
            raise ValueError(f"crop: {self.crop} is more than size, {self.size}")
        if min(self.std) <= 0:
            raise ValueError(f"std: {min(self.std)}, expected numbers above zero")
        return self

    @property
    def source(self) -> PictureSource:
        """Where the pictures lie."""
        most = self.megabytes * 1_000_000
        return PictureSource(self.folder, most, Downloads(self.timeout, most) if self.urls else None)

    @property
    def preparation(self) -> Preparation:
        """What is done with the pixels."""
        crop = self.crop or self.size
        how = (self.scale, self.channels, self.layout, self.megapixels)
        return Preparation(self.size, crop, self.mean, self.std, *how)


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """`graph`: the network, with the layer as its output. `batch`: pictures at once."""

    column: str
    source: PictureSource
    preparation: Preparation
    graph: OnnxGraph
    batch: int
    dimension: int

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`; zero for an item whose picture is missing or cannot be used."""
        places = items.table.column(self.column).to_pylist()
        vectors, problems = np.zeros((len(places), self.dimension), np.float32), Problems()
        with bombs_are_errors():
            read = enumerate(map_ordered(self._pixels, places))
            while some := list(islice(read, self.batch)):
                progress("encode: image", some[0][0], len(places))
                good = [(at, pixels) for at, pixels in some if isinstance(pixels, np.ndarray)]
                for at, fault in some:
                    if isinstance(fault, PictureError):
                        problems.add(fault.reason, f"item {items.ids.id_at(at)!r}: {fault.detail}")
                if good:
                    rows = [at for at, _ in good]
                    made = features(self.graph, np.stack([pixels for _, pixels in good]), self.batch)
                    vectors[rows] = _without_bad(made, problems, [repr(items.ids.id_at(at)) for at in rows])
        progress("encode: image", len(places), len(places))
        return Encoded(normalised(vectors), problems)

    def _pixels(self, place: str | None) -> Floats | PictureError:
        try:
            if not place or not place.strip():
                raise PictureError("no picture", f"{self.column} is unknown")
            data = self.source.read(place.strip())
            try:
                return self.preparation.prepared(data)
            except PictureError as error:
                raise PictureError(error.reason, f"{place.strip()}: {error.detail}") from error
        except PictureError as error:
            return error

    def save(self, folder: Path) -> None:
        """Nothing: a network of this size is not sealed into a version."""


def features(graph: OnnxGraph, pixels: Floats, batch: int) -> Floats:
    """Float32 (n, d): the layer for `pixels`, float32 (n, ...); maps, (n, d, height, width), are averaged.

    `batch`: what n is filled up to with zeros, if the network takes only this number. Raises DataError if it fails.
    """
    n = len(pixels)
    if isinstance(graph.shape[0], int) and n < batch:
        pixels = np.concatenate([pixels, np.zeros((batch - n, *pixels.shape[1:]), np.float32)])
    found = graph.run({graph.inputs[0]: pixels})
    if found.ndim not in (2, 4) or len(found) != len(pixels):
        raise DataError(
            f"{graph.path}: {graph.output!r} is {found.shape} for {len(pixels)} pictures; expected (n, d), or maps"
        )
    return np.ascontiguousarray((found.mean(axis=(2, 3)) if found.ndim == 4 else found)[:n])


def _without_bad(made: Floats, problems: Problems, named: Sequence[str]) -> Floats:
    """`made`, (n, d), with zeros in rows that hold NaN or infinity; these and rows of zeros are counted."""
    finite = np.asarray(np.isfinite(made).all(axis=1))
    kept = np.where(finite[:, None], made, np.float32(0))
    for at in np.flatnonzero(~kept.any(axis=1)).tolist():
        what = "zeros" if finite[at] else "NaN or infinity"
        problems.add(f"the network gave {what}", f"item {named[at]}")
    return kept


def fit_image(
    items: Items, config: ImageConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> ImageEncoder:
    """Open the network and try it on a grey picture; nothing is learned from `items`.

    Raises ConfigError if a library, file or layer is missing, or the network takes other input.
    """
    key = f"content {config.source_name!r}"
    (column,) = _reads(items, config)
    if items.kinds[column] != "text":
        raise ConfigError(f"{key}: column: {column!r} holds a {items.kinds[column]}, expected a path or URL")
    if not config.folder.is_dir():
        raise ConfigError(f"{key}: folder: {config.folder}: there is no such folder")
    if reason := unavailable("PIL"):
        raise ConfigError(f"{key}: 'image' {reason}")
    graph = OnnxGraph.open(config.model, key=f"{key}: model", layer=config.layer, threads=config.threads)
    batch = _checked_batch(graph, config, key)
    side = config.crop or config.size
    grey = np.zeros((1, 3, side, side) if config.layout == "nchw" else (1, side, side, 3), np.float32)
    try:
        d = features(graph, grey, batch).shape[1]
    except DataError as error:
        raise ConfigError(f"{key}: {error}") from error
    if not 0 < d <= _MOST_DIMENSIONS:
        raise ConfigError(f"{key}: layer {config.layer!r} has {d} numbers; expected 1 to {_MOST_DIMENSIONS:,}")
    return ImageEncoder(column, config.source, config.preparation, graph, batch, d)


def _checked_batch(graph: OnnxGraph, config: ImageConfig, key: str) -> int:
    """How many pictures go through the network at once: its own number, if that is fixed."""
    side = config.crop or config.size
    given = (3, side, side) if config.layout == "nchw" else (side, side, 3)
    shape, kind = graph.shape, graph.session.get_inputs()[0].type
    sizes_differ = len(shape) != 4 or any(
        isinstance(n, int) and n != m for n, m in zip(shape[1:], given, strict=False)
    )
    if len(graph.inputs) != 1 or kind != "tensor(float)" or sizes_differ:
        raise ConfigError(
            f"{key}: {config.model} takes {', '.join(graph.inputs)}, {kind} {list(shape)}; these settings give one "
            f"tensor(float) (n, {', '.join(map(str, given))}): see layout, size and crop"
        )
    return shape[0] if isinstance(shape[0], int) and shape[0] > 0 else config.batch


def _reads(items: Items, config: ImageConfig) -> tuple[str, ...]:
    return text_columns(items, (config.column,), key="content.column")


def _states(items: Items, config: ImageConfig) -> Iterator[str]:
    places: Sequence[Any] = items.table.column(config.column).to_pylist()
    return map(config.source.state, places)


IMAGE = EncoderKind(
    ImageConfig,
    fit_image,
    reads=_reads,
    files=lambda config: (config.model,),
    by_row=True,
    row_states=_states,
    unavailable=partial(unavailable, "PIL"),
)
