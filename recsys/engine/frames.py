"""Answers as a pandas DataFrame, with the columns of `recsys export` first. pandas is imported when one is made."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from recsys.engine.answers import Answer, CandidateAnswer

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("user_id", "item_id", "rank", "score", "model_version", "title", "user_status")
"""The columns of every frame; attributes that were asked for follow."""

_TYPES = {"rank": "int32", "score": "float32"}


def to_frame(answers: Sequence[Answer | CandidateAnswer]) -> "pd.DataFrame":
    """One row per listed item, answer after answer, in the order of their lists.

    Columns: user_id (None for a visitor), item_id, rank (int32), score (float32, NaN without one), model_version,
    title, user_status; then one per attribute of `Question.fields`, called "item_NAME" if NAME is one of these.
    """
    import pandas as pd  # noqa: PLC0415  (the service does without)

    rows = [row for answer in answers for row in _rows(answer)]
    found = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame(rows, columns=list(dict.fromkeys((*COLUMNS, *found)))).astype(_TYPES)


def _rows(answer: Answer | CandidateAnswer) -> list[dict[str, object]]:
    same = {
        "user_id": answer.user_id,
        "model_version": answer.model_version,
        "user_status": answer.user_status,
    }
    rows = []
    for item in answer.items:
        listed = {"item_id": item.item_id, "rank": item.rank, "score": item.score, "title": item.title}
        rows.append({**same, **listed, **_named(getattr(item, "attributes", None) or {})})
    return rows


def _named(attributes: Mapping[str, object]) -> dict[str, object]:
    return {f"item_{name}" if name in COLUMNS else name: value for name, value in attributes.items()}
