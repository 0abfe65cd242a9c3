"""Whether a version fits on the disk, known before anything is written."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from recsys.artifacts.contents import Contents
from recsys.data.matrix import Csr
from recsys.errors import ArtifactError

_MIB = 2**20
_STRUCTURE_SHARE = 0.3
"""Size of an approximate index's structure beside its vectors, at the least."""


def check_room(contents: Contents, folder: Path) -> None:
    """Raise ArtifactError if `folder`, which exists, has less room than `contents` need."""
    needed, free = forecast_bytes(contents), shutil.disk_usage(folder).free
    if needed > free:
        raise ArtifactError(
            f"{folder}: the version needs about {needed / _MIB:,.1f} MiB, and {free / _MIB:,.1f} MiB are free;"
            " nothing was written. `recsys prune` removes old versions"
        )


def forecast_bytes(contents: Contents) -> int:
    """The bytes of the large arrays of `contents`: the least that the version takes."""
    return sum(_sizes(contents))


def _sizes(contents: Contents) -> Iterator[int]:
    vectors, folded = contents.model.embeddings, contents.folded_in
    yield from (contents.users.ids.nbytes, contents.items.ids.ids.nbytes, contents.items.table.nbytes)
    yield from (vectors.users.nbytes, vectors.items.nbytes, contents.popularity.nbytes)
    for rows in (contents.history, contents.seen, *(() if folded is None else (folded.history, folded.seen))):
        yield _of_rows(rows)
    for index in (contents.index, contents.similar):
        yield int(index.vectors.nbytes * (1 if index.exact is index else 1 + _STRUCTURE_SHARE))
    if contents.content is not None:
        yield from (source.vectors.nbytes for source in contents.content.sources)
    if contents.model.neighbours is not None:
        yield _of_rows(contents.model.neighbours.weights)


def _of_rows(rows: Csr | None) -> int:
    return 0 if rows is None else int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)
