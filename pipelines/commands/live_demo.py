"""`recsys demo --live`: nights from a database, days with readers, an experiment's verdict."""

from pathlib import Path

from pipelines.commands import rendering_live
from pipelines.commands.options import require_extra
from pipelines.commands.rendering import path_from_here

NIGHTS, VISITS = 6, 1_000
"""Nights, and visits per day, by default: about a minute."""


def demo(folder: Path, database: str | None, *, nights: int, visits: int) -> None:
    """Run it into `folder`, and print what comes of it."""
    require_extra("sql", "psycopg", "adbc_driver_manager", "adbc_driver_postgresql")
    from pipelines.commands.progress import listener
    from pipelines.live_demo.nights import run_live_demo

    with listener() as progress:
        result = run_live_demo(
            folder,
            database=database,
            nights=nights,
            visits=visits,
            progress=progress,
            announce=rendering_live.night,
        )
    store = path_from_here(result.shop.store)
    rendering_live.end(result, (f"recsys models --store {store}", f"recsys serve --store {store}"))
