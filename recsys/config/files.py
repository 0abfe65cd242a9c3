"""FileFormat: how the files of a log or a catalogue are written."""

from typing import Literal

from pydantic import Field, field_validator

from recsys.config.base import Section


class FileFormat(Section):
    """How files are written. `[log]` and `[items]` have these keys, each for its own files."""

    format: Literal["auto", "csv", "tsv", "jsonl", "parquet"] = Field(
        "auto", description="`auto` takes it from the file's name"
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="between the fields of csv and tsv files; a comma or a tab if unset",
    )

    @field_validator("delimiter")
    @classmethod
    def _can_delimit(cls, text: str | None) -> str | None:
        if text is not None and (not text.isascii() or text in '"\r\n'):
            raise ValueError("expected one ASCII character that is no quote or line end")
        return text
