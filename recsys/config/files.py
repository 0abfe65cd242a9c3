"""FileFormat: how the files of a log or a catalogue are written."""

import codecs
from typing import Literal

from pydantic import Field, field_validator

from recsys.config.base import Section
from recsys.suggestions import nearest_name

_ENCODINGS = (
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "cp1252",
    "cp1251",
    "cp1250",
    "shift_jis",
    "gb18030",
)


class FileFormat(Section):
    """How files are written. `[log]` and `[items]` have these keys, each for its own files."""

    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "delta", "iceberg"] = Field(
        "auto",
        description="`auto` takes it from the file's name; `jsonl` and `json`: one JSON object per line, or an array "
        "of objects; `delta`: the path is the folder of a Delta Lake table; `iceberg`: the folder or a metadata file "
        "of an Apache Iceberg table (extra `lake`)",
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        description="between the fields of csv and tsv files: one or several characters, such as `;` or `::`; "
        "a comma or a tab if unset",
    )
    quoting: Literal["auto", "double", "none"] = Field(
        "auto",
        description='of csv and tsv files: with `double`, "a,b" in double quotes is one field and may span lines; '
        "with `none`, quotes are text; `auto` is double for csv and none for tsv",
    )
    encoding: str = Field("utf-8", description="of text files, such as `latin-1`, `cp1252` or `utf-16`")
    columns: tuple[str, ...] = Field(
        (), description="names of all columns of csv and tsv files without a header, in order"
    )
    decimal: Literal[".", ","] = Field(
        ".", description="decimal sign of values, and of times given as numbers, in text files"
    )

    max_expansion: float = Field(
        200,
        ge=1,
        le=1_000_000,
        exclude=True,  # it does not change what is read
        description="a compressed file may become this many times as large when it is decompressed; up to 256 MiB "
        "it always may",
    )
    max_decompressed_gib: float = Field(
        1024, gt=0, le=1_048_576, exclude=True, description="GiB that one file may have, decompressed"
    )

    @field_validator("delimiter")
    @classmethod
    def _can_delimit(cls, text: str | None) -> str | None:
        text = "\t" if text == "\\t" else text
        if text is not None and any(sign in text for sign in '"\r\n'):
            raise ValueError("expected one or several characters, without quotes and line ends")
        return text

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            "a".encode(name)
            b"a\xff".decode(name, "replace")  # some codecs, as idna, do not go on after a byte that they lack
            return codecs.lookup(name).name
        except (LookupError, ValueError, TypeError) as error:
            nearest = nearest_name(name, _ENCODINGS)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            raise ValueError(
                f"expected an encoding that Python knows, such as {', '.join(_ENCODINGS[:6])}{hint}"
            ) from error

    @field_validator("columns")
    @classmethod
    def _names_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is named more than once; expected one name per column")
        return names
