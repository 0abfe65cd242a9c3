"""What is loaded from a version's files: whatever is wrong with them is an ArtifactError that names the file.

Bytes from a disk can make a parser raise anything: EOFError, TokenError, RecursionError, OverflowError, MemoryError.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from recsys.errors import ArtifactError
from recsys.plain_files import open_plain, read_plain

MOST_SETTING = 1e15
"""The largest setting of a model that is believed."""

_JSON_BYTES = 2**30
"""The most bytes of a JSON file: the words of a large vocabulary."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@contextmanager
def damage_named(where: Path | str, expected: str) -> Iterator[None]:
    """Turn whatever the block raises into an ArtifactError: `where`, what was `expected`, what came."""
    try:
        yield
    except ArtifactError:
        raise
    except FileNotFoundError as error:
        raise ArtifactError(f"{error.filename or where}: is missing; expected {expected}") from error
    except Exception as error:
        came = str(error)[:500] or type(error).__name__
        raise ArtifactError(f"{where}: expected {expected}: {came}") from error


def load_array(path: Path, *, private: bool = False) -> NDArray[Any]:
    """The array of an npy file, mapped, read-only. `private`: its pages can be made writeable, in this process alone.

    Raises ArtifactError if the file is missing, holds something else, or fewer or more bytes than its header says.
    """
    with damage_named(path, "an npy file"), open_plain(path) as file:
        shape, fortran_order, dtype = _header(file)
        size = file.tell() + math.prod(shape) * dtype.itemsize
        if dtype.hasobject or min(shape, default=0) < 0 or size != file.seek(0, 2):
            raise ValueError(f"the header says {dtype} {shape}, {size:,} bytes; the file has {file.tell():,}")
        offset = size - math.prod(shape) * dtype.itemsize
        array: NDArray[Any] = np.memmap(
            file,
            dtype,
            "c" if private else "r",
            offset,
            shape,
            "F" if fortran_order else "C",
        )
        array.flags.writeable = False
        return array


def _header(file: FileIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format")
    shape, fortran_order, dtype = _HEADERS[version](file)
    return shape, fortran_order, dtype


def number_in(settings: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """The finite number from 0 to `MOST_SETTING` that `settings` has by `name`. Raises ValueError if it has none."""
    value = settings[name] if default is None else settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_SETTING:
        raise ValueError(f"{name} is {str(value)[:40]!r}, expected a number from 0 to {MOST_SETTING:g}")
    return float(value)


def load_json(path: Path) -> Any:
    """The value of a JSON file. Raises ArtifactError if it is missing or something else."""
    with damage_named(path, "a JSON document"):
        return json.loads(read_plain(path, most=_JSON_BYTES))
