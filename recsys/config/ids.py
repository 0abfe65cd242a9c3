"""IdSpelling: which spellings of an id mean that there is none."""

from pydantic import Field

from recsys.config.base import Section

NULL_IDS = (
    "nan",
    "NaN",
    "-nan",
    "NaT",
    "NULL",
    "null",
    "(null)",
    "None",
    r"\N",
    "<NA>",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "undefined",
)
"""What pandas, R, SQL, Excel and JavaScript write for a missing value."""


class IdSpelling(Section):
    """How ids are written. `[log]` and `[items]` have this key, each for its own files."""

    null_ids: tuple[str, ...] = Field(
        NULL_IDS,
        description="ids that mean that there is none, exactly as written but for white space around them; such rows "
        "are refused as missing_user or missing_item. `[]` keeps them as ids; an empty id is always missing",
    )
