"""export: every user's list as one file, written as it is computed."""

from pathlib import Path

from recsys.engine import Engine
from recsys.export import export_lists
from recsys.export.files import FileTarget
from recsys.progress import Progress


def export(engine: Engine, out: Path, *, k: int, progress: Progress, filter: str | None = None) -> int:
    """Write every user's k best unseen items to `out` (.parquet, .csv or .jsonl). Returns the rows written.

    `filter`: a condition on the items' attributes. Memory is bounded by a few batches of users; `out` appears whole
    or not at all. Raises FilterError, and ConfigError for another ending or if the folder does not exist.
    """
    return export_lists(engine, FileTarget(out), k=k, progress=progress, filter=filter)
