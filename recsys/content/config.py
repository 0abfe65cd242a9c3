"""The keys that every `[[content]]` table has."""

from typing import Annotated, Self

from pydantic import Field

from recsys.config import Section
from recsys.data.items import TITLE

Column = Annotated[str, Field(min_length=1)]


class EncoderConfig(Section):
    """`[[content]]`: one source of item vectors. `encoder` says which; each has further keys of its own."""

    encoder: str = Field(description="how the vectors are made")
    name: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="of the source in reports and files; by default that of the encoder",
    )
    columns: tuple[Column, ...] = Field(
        (),
        description="`title`, or the title's column, and attributes of `[items]` to read; by default all that the "
        "encoder can read",
    )
    weight: float | None = Field(
        None,
        gt=0,
        le=100,
        description="beside the other sources; by default chosen on hidden items (docs/embeddings.md)",
    )

    @property
    def source_name(self) -> str:
        """The name of the source."""
        return self.name or self.encoder

    def with_title(self, column: str | None) -> Self:
        """The same with TITLE in place of `column`, the title's own, each of `columns` once."""
        names = tuple(dict.fromkeys(TITLE if name == column else name for name in self.columns))
        return self.model_copy(update={"columns": names})
