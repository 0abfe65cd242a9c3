"""A picture as the numbers that a network takes."""

import importlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recsys.data.arrays import Floats, read_only
from recsys.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Those that are read: others, such as EPS, start other programs or are rare on the web."""

MOST_MEGAPIXELS = 89
"""Above it Pillow itself warns of a decompression bomb."""


class PictureError(DataError):
    """A picture that cannot be used. `reason`: a few words, the same for all of this kind. `detail`: of this one."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Preparation:
    """What is done with the pixels.

    The shorter side becomes `size` pixels and the centred square of `crop` is taken; each channel, in the order of
    `channels`, becomes (pixel * scale - mean) / std, a pixel being 0 to 255.
    """

    size: int
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    channels: Literal["rgb", "bgr"]
    layout: Literal["nchw", "nhwc"]
    megapixels: int

    def prepared(self, data: bytes) -> Floats:
        """Float32 (3, crop, crop), or (crop, crop, 3) if the layout is "nhwc". Raises PictureError."""
        pixels = np.asarray(self._square(data), np.float32)
        if self.channels == "bgr":
            pixels = pixels[:, :, ::-1]
        made = (pixels * np.float32(self.scale) - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return read_only(np.ascontiguousarray(made.transpose(2, 0, 1) if self.layout == "nchw" else made))

    def _square(self, data: bytes) -> Any:
        """A Pillow image of `crop` pixels per side, in RGB."""
        library = importlib.import_module("PIL.Image")
        if not data:
            raise PictureError("an empty file", "0 bytes")
        try:
            with library.open(io.BytesIO(data), formats=FORMATS) as image:
                self._check_size(image)
                upright = importlib.import_module("PIL.ImageOps").exif_transpose(image)
                return self._resized(_as_rgb(upright), library.Resampling.BILINEAR)
        except PictureError:
            raise
        except (library.DecompressionBombWarning, library.DecompressionBombError) as error:
            raise PictureError("a picture of too many pixels", _first_line(error)) from error
        except library.UnidentifiedImageError as error:
            raise PictureError("not a picture", f"expected {', '.join(FORMATS)}") from error
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error ...
            raise PictureError("a damaged picture", _first_line(error)) from error

    def _check_size(self, image: Any) -> None:
        pixels = image.width * image.height
        if pixels == 0:
            raise PictureError("not a picture", f"{image.width} x {image.height} pixels")
        if pixels > self.megapixels * 1_000_000:
            detail = f"{image.width} x {image.height}, more than {self.megapixels} megapixels (`megapixels`)"
            raise PictureError("a picture of too many pixels", detail)

    def _resized(self, image: Any, resampling: Any) -> Any:
        """The centred square, cut before it is resized: a narrow picture would become a huge one otherwise."""
        side = min(image.size) * self.crop / self.size
        left, top = (image.width - side) / 2, (image.height - side) / 2
        return image.resize((self.crop, self.crop), resampling, box=(left, top, left + side, top + side))


@contextmanager
def bombs_are_errors() -> Iterator[None]:
    """Make Pillow raise its warning of decompression bombs, in all threads: filters of warnings are the process's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", importlib.import_module("PIL.Image").DecompressionBombWarning)
        yield


def _as_rgb(image: Any) -> Any:
    """The first frame of `image` in RGB: transparent parts on white, 16 bits as 8."""
    if image.mode == "F":
        raise PictureError("a picture of an unknown range", "pixels are fractions, expected 8 or 16 bits")
    if image.mode.startswith("I"):
        sixteen = np.asarray(image).astype(np.int64)
        eight = (sixteen.clip(0, 65535) // 257).astype(np.uint8)
        return importlib.import_module("PIL.Image").fromarray(eight).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = importlib.import_module("PIL.Image").new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white
    return image.convert("RGB")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
