"""Contents: the parts of a version, and the file of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.artifacts.folded_users import FoldedUsers
from recsys.artifacts.manifest import MAP
from recsys.content.space import ContentSpace
from recsys.data.arrays import Floats, Indices, read_only, save_array
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.loading import load_array
from recsys.data.matrix import Csr, check_canonical, load_csr, save_csr
from recsys.errors import ArtifactError, DataError
from recsys.models.factors.model import FactorModel
from recsys.models.registry import load_model
from recsys.retrieval.index_files import load_index, parsed_files, save_index
from recsys.retrieval.search import VectorIndex
from recsys.space.item_map import check_places

USERS = "users.arrow"
"""The ids of a version's users."""

_ITEMS, _CATALOGUE = "items.arrow", "catalogue.arrow"
_MODEL, _HISTORY, _SEEN, _POPULARITY = "model", "seen", "left_out", "popularity.npy"
_INDEX, _SIMILAR = "index", "similar"
_FOLDED_IN, _CONTENT = "folded_in", "content"

USER_VECTORS = f"{_MODEL}/users.npy"
"""The users' vectors, which are not needed if users are folded in."""

FOLDED_USERS = f"{_FOLDED_IN}/{USERS}"
"""The ids of the users who are folded in."""

PARSED_FROM_BYTES = parsed_files(_INDEX) | parsed_files(_SIMILAR)
"""Files that `load_contents` takes as bytes; it maps the others into memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """What one version holds; its large arrays may be mapped files, shared by the processes that load it.

    `users`: the rows. `items`: the columns, with titles and attributes. `history`: canonical float32 CSR
    (n_users, n_items), the weights of each user's items. `seen`: canonical float32 CSR (n_users, n_items), the items
    that lists leave out; None if those are the histories. `folded_in`: other users, whose vectors are folded in from
    their histories; None if there are none. `content`: vectors of what is known of the items beside their users; None
    if the configuration has no `[[content]]`. `map`: float32 (n_items, 2), see `recsys.space.item_map`; None if there
    is none. `popularity`: float32 (n_items,), what the fallback
    ranks by, see `recsys.data.popularity`.
    `folds_users`: the users' vectors are not loaded; they are folded in from the histories.
    `index`: searched by inner product with user vectors. `similar`: item vectors of length one, searched by cosine.
    Raises ArtifactError if shapes, dtypes or values do not match.
    """

    users: IdMap
    items: Items
    model: FactorModel
    history: Csr
    seen: Csr | None = None
    folded_in: FoldedUsers | None = None
    content: ContentSpace | None = None
    map: Floats | None = None
    popularity: Floats
    index: VectorIndex
    similar: VectorIndex
    folds_users: bool = False

    def __post_init__(self) -> None:
        for name, (found, expected) in _shapes(self).items():
            if found != expected:
                raise ArtifactError(f"bundle: {name} {found}, expected {expected} from the id maps")
        if self.popularity.dtype != np.float32 or not np.isfinite(self.popularity).all():
            raise ArtifactError(f"bundle: popularity is {self.popularity.dtype}, expected finite float32")
        _check_rows("histories", self.history)
        if self.seen is not None:
            _check_rows("seen items", self.seen)
        if self.folded_in is not None:
            _check_rows("histories of users to fold in", self.folded_in.history)
            _check_rows("seen items of users to fold in", self.folded_in.left_out)
        object.__setattr__(self, "popularity", read_only(self.popularity))
        if self.map is not None:
            _check_map(self.map, len(self.items.ids))
            object.__setattr__(self, "map", read_only(self.map))

    @property
    def left_out(self) -> Csr:
        """The items that lists leave out: `seen`, or else the histories."""
        return self.history if self.seen is None else self.seen

    def user_vectors(self, rows: Indices | slice) -> Floats:
        """Float32 (n, d): vectors of the users at `rows`, those of training, or folded in if they are not loaded."""
        if self.folds_users:
            return self.model.fold_in(self.history[rows])
        vectors: Floats = self.model.embeddings.users[rows]
        return vectors


def _check_map(places: Floats, n_items: int) -> None:
    try:
        check_places(places, n_items)
    except DataError as error:
        raise ArtifactError(f"bundle: {error}") from error


def _check_rows(name: str, rows: Csr) -> None:
    try:
        check_canonical(rows)
    except (DataError, ValueError) as error:
        raise ArtifactError(f"bundle: {name}: {error}") from error


def _shapes(parts: Contents) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """By part: its shape, and the shape that follows from the id maps."""
    vectors = parts.model.embeddings
    n_users, n_items = len(parts.users), len(parts.items.ids)
    expected = {
        "user vectors": (vectors.users.shape, (0 if parts.folds_users else n_users, vectors.factors)),
        "item vectors": (vectors.items.shape, (n_items, vectors.factors)),
        "item degrees": (parts.model.item_degree.shape, (n_items,)),
        "histories": (parts.history.shape, (n_users, n_items)),
        "seen items": (parts.left_out.shape, (n_users, n_items)),
        "popularity": (parts.popularity.shape, (n_items,)),
        "index": ((parts.index.n_items,), (n_items,)),
        "similar items": ((parts.similar.n_items,), (n_items,)),
    }
    if parts.content is not None:
        expected["content vectors"] = ((parts.content.n_items,), (n_items,))
    return expected if parts.folded_in is None else expected | _folded_shapes(parts.folded_in, n_items)


def _folded_shapes(folded: FoldedUsers, n_items: int) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    expected = (len(folded.users), n_items)
    return {
        "histories of users to fold in": (folded.history.shape, expected),
        "seen items of users to fold in": (folded.left_out.shape, expected),
    }


def save_contents(contents: Contents, folder: Path) -> None:
    """Write every part that there is into `folder`. Raises OSError, ArtifactError if users are folded in."""
    if contents.folds_users:
        raise ArtifactError("bundle: loaded without its users' vectors; a version cannot be sealed without them")
    contents.users.save(folder / USERS)
    contents.items.ids.save(folder / _ITEMS)
    contents.items.save(folder / _CATALOGUE)
    contents.model.save(folder / _MODEL)
    save_csr(contents.history, folder / _HISTORY)
    if contents.seen is not None:
        save_csr(contents.seen, folder / _SEEN)
    if contents.folded_in is not None:
        contents.folded_in.save(folder / _FOLDED_IN)
    if contents.content is not None:
        contents.content.save(folder / _CONTENT)
    if contents.map is not None:
        save_array(contents.map, folder / MAP)
    save_array(contents.popularity, folder / _POPULARITY)
    save_index(contents.index, folder, _INDEX)
    save_index(contents.similar, folder, _SIMILAR)


def load_contents(folder: Path, verified: Mapping[str, bytes | memoryview], *, folds_users: bool = False) -> Contents:
    """Load what `save_contents` wrote; `verified` holds the files `PARSED_FROM_BYTES`. Raises ArtifactError.

    `folds_users`: the file `USER_VECTORS` is not opened, and need not be there.
    """
    users, ids = IdMap.load(folder / USERS), IdMap.load(folder / _ITEMS)
    model = load_model(folder / _MODEL, users=not folds_users)
    shape = (len(ids), model.embeddings.factors)
    history = load_csr(folder / _HISTORY, (len(users), len(ids)))
    seen_apart = (folder / f"{_SEEN}.indptr.npy").exists()
    return Contents(
        users=users,
        items=Items.load(folder / _CATALOGUE, ids),
        model=model,
        history=history,
        seen=load_csr(folder / _SEEN, history.shape) if seen_apart else None,
        folded_in=FoldedUsers.load(folder / _FOLDED_IN, len(ids)) if (folder / _FOLDED_IN).exists() else None,
        content=ContentSpace.load(folder / _CONTENT) if (folder / _CONTENT).exists() else None,
        map=load_array(folder / MAP) if (folder / MAP).exists() else None,
        popularity=load_array(folder / _POPULARITY),
        index=load_index(folder, _INDEX, shape, verified=verified),
        similar=load_index(folder, _SIMILAR, shape, verified=verified),
        folds_users=folds_users,
    )
