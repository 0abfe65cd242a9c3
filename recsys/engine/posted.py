"""Posted items: items that came after the version was made, scored by their content until a next version has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import isfinite
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.content.space import ContentSpace
from recsys.data.arrays import Floats, read_only
from recsys.data.arrow_values import array_of
from recsys.data.attributes import Kind, kind_of
from recsys.data.id_map import IdMap
from recsys.data.items import TITLE, Items
from recsys.data.matrix import Csr, empty_csr
from recsys.engine.comparison import Comparison, needs_content
from recsys.engine.content_mapping import ContentMapping
from recsys.engine.filters import FilterCache
from recsys.engine.ids import check_kept_id
from recsys.errors import InvalidRequestError

MAX_POSTED = 10_000
"""The most posted items."""

MAX_ATTRIBUTE_TEXT, MAX_ATTRIBUTE_LIST = 10_000, 100
"""Characters of the longest text of a title or an attribute, and the most texts of a list."""


@dataclass(frozen=True)
class PostedItem:
    """One item: its title, None if unknown, and its attributes by name, as JSON holds them."""

    item_id: str
    title: str | None = None
    attributes: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False)
class Posted:
    """The posted items of one version.

    `items`: titles and attributes. `vectors`: float32 (m, d), what lists score; zero if too little is known.
    `added_by`: float32 CSR (m, n_items), at least 0: what each item of a history adds to the score of a posted one.
    """

    items: Items
    vectors: Floats
    added_by: Csr
    filters: FilterCache

    def __len__(self) -> int:
        return len(self.items.ids)


def no_posted(bundle: Bundle) -> Posted:
    """None at all."""
    items = Items.without_attributes(IdMap(pa.nulls(0, pa.string())))
    vectors = np.zeros((0, bundle.model.embeddings.factors), np.float32)
    return Posted(items, vectors, empty_csr((0, len(bundle.items.ids))), FilterCache(items))


class PostedEncoder:
    """Makes vectors of posted items for one version. Threads may share it."""

    def __init__(self, bundle: Bundle, comparison: Comparison) -> None:
        self._bundle = bundle
        self._content: ContentSpace = needs_content(bundle.content)
        self._mapping = ContentMapping(bundle, comparison)
        self._made: dict[PostedKey, tuple[Floats, Csr]] = {}

    def encode(self, posted: Sequence[PostedItem]) -> Posted:
        """Vectors of those that the version does not have; those made before are used again.

        Items that do not fit the attributes of this version are left out.
        """
        ids = self._bundle.items.ids
        fitting = {it.item_id: it for it in posted if it.item_id not in ids and self._fits(it)}
        order = sorted(fitting, key=str.encode)
        kept = {_key(fitting[item_id]): fitting[item_id] for item_id in order}
        made = {key: self._made[key] if key in self._made else self._make(it) for key, it in kept.items()}
        self._made = made
        vectors = [vector for vector, _ in made.values()]
        shape = (0, self._bundle.model.embeddings.factors)
        items = Items(IdMap.of(order)[0], table_of([fitting[it] for it in order], self._bundle.items.table.schema))
        return Posted(
            items,
            read_only(np.vstack(vectors) if vectors else np.zeros(shape, np.float32)),
            sp.vstack([added for _, added in made.values()], "csr") if made else empty_csr((0, len(ids))),
            FilterCache(items),
        )

    def _fits(self, item: PostedItem) -> bool:
        try:
            check_posted(item, self._bundle.items)
        except InvalidRequestError:
            return False
        return True

    def _make(self, item: PostedItem) -> tuple[Floats, Csr]:
        one = Items(IdMap.of([item.item_id])[0], table_of([item], self._bundle.items.table.schema))
        return self._mapping.made_of(self._content.encode(one))


PostedKey = tuple[str, str | None, str]


def _key(item: PostedItem) -> PostedKey:
    return item.item_id, item.title, repr(sorted(item.attributes.items()))


def check_posted(item: PostedItem, items: Items) -> None:
    """Raise InvalidRequestError unless the attributes are those of `items`, of their kinds and within bounds."""
    check_kept_id(item.item_id, "item_id")
    if item.title is not None:
        _checked_text(item.title, "title")
    check_attributes(item.attributes, items)


def check_attributes(attributes: Mapping[str, object], items: Items) -> None:
    """Raise InvalidRequestError unless these are attributes of `items`, of their kinds and within bounds."""
    known = [name for name in items.table.column_names if name != TITLE]
    for name, value in attributes.items():
        if name not in known:
            raise InvalidRequestError(
                "attributes: holds a name that is no attribute of this version's items; "
                f"known: {', '.join(known) or 'none'}"
            )
        typed_value(value, items.table.schema.field(name).type, f"attributes.{name}")


def table_of(posted: Sequence[PostedItem], schema: pa.Schema) -> pa.Table:
    """The titles and attributes as a table of `schema`; what is unknown is null. Raises InvalidRequestError."""
    columns = []
    for each in schema:
        told = [it.title if each.name == TITLE else it.attributes.get(each.name) for it in posted]
        columns.append(array_of([typed_value(value, each.type, each.name) for value in told], each.type))
    return pa.table(columns, schema=schema)


def typed_value(value: object, kind: pa.DataType, name: str) -> object:
    """The value as a column of type `kind` holds it, None if unknown. Raises InvalidRequestError."""
    if value is None:
        return None
    of_kind = kind_of(kind)
    if of_kind == "text":
        return _checked_text(value, name)
    if of_kind == "list" and isinstance(value, list | tuple) and len(value) <= MAX_ATTRIBUTE_LIST:
        return [_checked_text(each, name) for each in value]
    if of_kind == "boolean" and isinstance(value, bool):
        return value
    if of_kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return _checked_number(value, kind, name)
    if of_kind == "date" and isinstance(value, str):
        return _checked_date(value, kind, name)
    raise InvalidRequestError(f"{name}: expected {_EXPECTED[of_kind]}")


def _checked_number(value: float, kind: pa.DataType, name: str) -> float:
    if (isinstance(value, int) and abs(value) >= 2**63) or not isfinite(value):
        raise InvalidRequestError(f"{name}: expected a number, whole ones below 2^63")
    if pa.types.is_integer(kind) and not (float(value).is_integer() and abs(value) < 2**63):
        raise InvalidRequestError(f"{name}: expected a whole number below 2^63")
    return int(value) if pa.types.is_integer(kind) else float(value)


def _checked_date(value: str, kind: pa.DataType, name: str) -> date | datetime:
    try:
        if pa.types.is_date(kind):
            return date.fromisoformat(value)
        at = datetime.fromisoformat(value)
        return at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:  # a zone may lead out of the years 1 to 9999
        raise InvalidRequestError(f"{name}: expected {_EXPECTED['date']}") from error


def _checked_text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_ATTRIBUTE_TEXT:
        raise InvalidRequestError(f"{name}: expected a text of up to {MAX_ATTRIBUTE_TEXT} characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{name}: holds a character that UTF-8 cannot encode") from error
    return value


_EXPECTED: Mapping[Kind, str] = {
    "text": f"a text of up to {MAX_ATTRIBUTE_TEXT} characters",
    "number": "a number",
    "boolean": "true or false",
    "date": "a day or a time in UTC as ISO 8601 text",
    "list": f"a list of up to {MAX_ATTRIBUTE_LIST} texts",
}
