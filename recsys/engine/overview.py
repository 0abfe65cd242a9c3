"""Overview: what a version has to look at: popular items, some users, attributes and their values."""

from dataclasses import dataclass

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.attributes import Kind
from recsys.data.items import TITLE
from recsys.engine.map_points import groups_of

_ITEMS, _USERS, _EXAMPLES = 12, 6, 5
_LOOKED_AT = 20_000
_SHORT_HISTORY, _LONG_HISTORY = 5, 40


@dataclass(frozen=True)
class PopularItem:
    """An item with many users."""

    item_id: str
    title: str | None
    n_users: int


@dataclass(frozen=True)
class AttributeSeen:
    """An attribute of the items; `examples`: its most frequent values among popular items, as text."""

    name: str
    kind: Kind
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """`users`: some with neither a short nor a long history, if there are any. `can_search`: by words."""

    model_version: str
    n_items: int
    n_users: int
    items: tuple[PopularItem, ...]
    users: tuple[str, ...]
    attributes: tuple[AttributeSeen, ...]
    has_map: bool
    has_content: bool
    can_search: bool


def overview_of(bundle: Bundle, *, can_search: bool) -> Overview:
    """The overview of one version."""
    items, degree = bundle.items, bundle.model.item_degree
    order = np.argsort(-degree, kind="stable")[:_LOOKED_AT].astype(np.int32)
    popular = [PopularItem(items.ids.id_at(at), items.title(at), int(degree[at])) for at in order[:_ITEMS].tolist()]
    attributes = []
    for name, kind in items.kinds.items():
        if name != TITLE:
            names = groups_of(items, order, name)[1][1:]
            attributes.append(AttributeSeen(name, kind, names[:_EXAMPLES]))
    return Overview(
        bundle.manifest.version,
        len(items.ids),
        len(bundle.users) + (0 if bundle.folded_in is None else len(bundle.folded_in.users)),
        tuple(popular),
        _some_users(bundle),
        tuple(attributes),
        bundle.map is not None,
        bundle.content is not None,
        can_search,
    )


def _some_users(bundle: Bundle) -> tuple[str, ...]:
    lengths = np.diff(bundle.history.indptr)
    fitting = np.flatnonzero((lengths >= _SHORT_HISTORY) & (lengths <= _LONG_HISTORY))
    among = fitting if len(fitting) else np.arange(len(lengths))
    n = min(_USERS, len(among))
    return tuple(bundle.users.decode([int(among[len(among) * (2 * at + 1) // (2 * n)]) for at in range(n)]))
