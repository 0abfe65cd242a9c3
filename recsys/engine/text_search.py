"""TextSearch: items found by words, through the sources of content whose encoder makes a vector of a text."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from recsys.content.registry import ENCODERS
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.items import TITLE, Items
from recsys.engine.comparison import Comparison, by_content
from recsys.errors import InvalidRequestError

MAX_TEXT = 1_000
"""Characters of the longest text."""


@dataclass(frozen=True, eq=False)
class TextSearch:
    """The sources of `content` that read texts, and the `comparison` by their vectors alone.

    `schema`: of the table of items, which encoders read.
    """

    content: ContentSpace
    comparison: Comparison
    schema: pa.Schema

    @staticmethod
    def of(content: ContentSpace, items: Items) -> "TextSearch | None":
        """The search by words that `content` allows; None if no source reads texts."""
        reading = [source if _column(source, items.table.schema) is not None else None for source in content.sources]
        if not TextSearch.reads(content, items):
            return None
        of_texts = content.with_weights([0 if each is None else each.weight for each in reading])
        return TextSearch(of_texts, by_content(of_texts), items.table.schema)

    @staticmethod
    def reads(content: ContentSpace, items: Items) -> bool:
        """Whether a source of `content` reads texts."""
        return any(_column(source, items.table.schema) is not None for source in content.sources)

    def query(self, text: str) -> Floats:
        """Float32 (1, d): the query of `text`; zero if no encoder knows one of its words."""
        parts = []
        for source in self.content.sources:
            encoded = None if source.fitted is None else source.fitted.encode(self._item(text, source)).vectors
            parts.append(np.zeros((1, source.vectors.shape[1]), np.float32) if encoded is None else encoded)
        one = ContentSpace(
            tuple(replace(source, vectors=part) for source, part in zip(self.content.sources, parts, strict=True))
        )
        return self.comparison.query_of([one.vectors])

    def _item(self, text: str, source: ContentSource) -> Items:
        """One item of which only the text is known, in a column that `source` reads."""
        column, ids = _column(source, self.schema), IdMap.of(["text"])[0]
        is_list = pa.types.is_list(self.schema.field(column).type)
        given = {column: [text] if is_list else text}
        values = [pa.array([given.get(field.name)], field.type) for field in self.schema]
        return Items(ids, pa.table(values, schema=self.schema))


def _column(source: ContentSource, schema: pa.Schema) -> str | None:
    """The column that a text is put into: the title if `source` reads it, else the first text; None if none is."""
    if source.fitted is None or not ENCODERS[source.encoder].reads_text:
        return None
    texts = [name for name in source.columns if name in schema.names and _is_text(schema.field(name).type)]
    return TITLE if TITLE in texts else next(iter(texts), None)


def _is_text(kind: pa.DataType) -> bool:
    of_list = pa.types.is_list(kind) and _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or of_list)


def checked_text(text: object) -> str:
    """`text` without blanks around it. Raises InvalidRequestError unless it has 1 to MAX_TEXT characters of UTF-8."""
    if not isinstance(text, str):
        raise InvalidRequestError(f"text: expected a text, got {type(text).__name__}")
    stripped = text.strip()
    if not 1 <= len(stripped) <= MAX_TEXT:
        raise InvalidRequestError(f"text: {len(stripped)} characters; expected 1 to {MAX_TEXT}")
    try:
        stripped.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequestError("text: holds a character that UTF-8 cannot encode") from error
    return stripped
