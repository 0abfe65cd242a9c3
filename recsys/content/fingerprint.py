"""What a content vector depends on: the encoder's settings and files, and the item's own columns."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.content.config import EncoderConfig
from recsys.content.registry import kind_of_encoder
from recsys.data.items import Items

RowKeys = NDArray[np.bytes_]
"""One hash of 16 bytes per item, dtype S16."""

_FORM = 1
"""Part of every fingerprint; raise it if an encoder makes other vectors of the same input."""

_WITHOUT_EFFECT = {"name", "weight", "threads", "batch"}
"""Keys that change no vector, or only its last bits."""

_ROWS_AT_ONCE = 8192
_KEY_BYTES = 16


def encoder_fingerprint(config: EncoderConfig) -> str:
    """SHA-256 of the settings that vectors depend on, and of the bytes of every file of the encoder.

    Raises OSError if a file cannot be read.
    """
    settings = config.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    files = [digest for path in kind_of_encoder(config).files(config) for digest in _digests(path)]
    told = json.dumps({"form": _FORM, "settings": settings, "files": files}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _digests(path: Path) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of a file, or of every file below a folder, in the order of their names."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as opened:
            yield str(file.relative_to(path)), hashlib.file_digest(opened, "sha256").hexdigest()


def row_fingerprints(items: Items, columns: Sequence[str], *, states: Iterable[str] = ()) -> RowKeys:
    """S16 (n_items,): a hash of the id, of the values of `columns` and of `states`, row i for position i.

    `states`: one text per item, or nothing.
    """
    table = items.table.select(list(columns))
    keys, state = bytearray(), iter(states)
    for start in range(0, len(items.ids), _ROWS_AT_ONCE):
        part = table.slice(start, _ROWS_AT_ONCE)
        ids = items.ids.ids.slice(start, _ROWS_AT_ONCE).to_pylist()
        for row in zip(ids, *(column.to_pylist() for column in part.columns), strict=True):
            text = json.dumps(row, default=str, ensure_ascii=False) + next(state, "")
            keys += hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).digest()
    return np.frombuffer(bytes(keys), f"S{_KEY_BYTES}")
