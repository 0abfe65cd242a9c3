"""New versions under load: failed or mixed replies, growth of memory, and the effect of a damaged version.

    python benchmarks/hot_swap.py [--swaps 200]

Two versions with the same users, whose item ids begin with different letters, are published and rolled back in turn
under continuous load. Every reply must be 200, name one version in `X-Model-Version` and in its body, and hold only
that version's items. Then CURRENT is pointed at a version with a flipped byte.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import indexes
import load
import served_store
from served import Service, service

from recsys.artifacts.registry import Registry
from recsys.artifacts.store_reader import CURRENT

_FACTORS, _USERS, _CONNECTIONS = 64, 5_000, 8
_COMPARED = 20
_PATIENCE = 30.0


def keep_asking(port: int, initials: dict[str, str], until: Path) -> Counter[str]:
    """Verdicts on the replies until the file `until` appears; `initials`: first letter of the item ids by version."""
    return asyncio.run(_keep_asking(port, initials, until))


async def _keep_asking(port: int, initials: dict[str, str], until: Path) -> Counter[str]:
    found: Counter[str] = Counter()

    async def ask(connection: load.Connection, number: int) -> None:
        while not until.exists():
            number = (number + _CONNECTIONS) % _USERS
            path = f"/v1/users/{served_store.user_id(number)}/recommendations"
            found[_verdict(await connection.ask(path), initials)] += 1

    connections = await load.connect(port, _CONNECTIONS)
    await asyncio.gather(*(ask(connection, number) for number, connection in enumerate(connections)))
    return found


def _verdict(reply: load.Reply, initials: dict[str, str]) -> str:
    if not reply.is_ok:
        return "failed"
    body = json.loads(reply.body)
    version = body["model_version"]
    if f"x-model-version: {version}\r\n" not in reply.head.decode().lower():
        return "header and body differ"
    mixed = any(not item["item_id"].startswith(initials[version]) for item in body["items"])
    return "mixed" if mixed or len(body["items"]) != 10 else f"whole, of {initials[version]}"


def swap(running: Service, registry: Registry, versions: tuple[str, str], n: int) -> list[int]:
    """Publish and roll back in turn; resident KiB of the service once each version has taken over."""
    resident = []
    for number in range(n):
        target = versions[(number + 1) % 2]
        if number % 4 < 2:
            registry.publish(target)
        else:
            registry.rollback(target)
        _wait_for(running, target)
        resident.append(running.status("VmRSS"))
    return resident


def _wait_for(running: Service, version: str) -> None:
    until = time.monotonic() + _PATIENCE
    while json.loads(_get(running, "/readyz"))["model_version"] != version:
        if time.monotonic() > until:
            raise RuntimeError(f"{version} did not take over within {_PATIENCE:.0f} s:\n{running.log[-2000:]}")
        time.sleep(0.01)


def _get(running: Service, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{running.port}{path}") as reply:
        return str(reply.read().decode())


def point_at_damage(running: Service, store: Path, version: str) -> None:
    """Flip a byte of `version`, write it into CURRENT by hand, and wait until the service has refused it."""
    path = store / "versions" / version / "popularity.npy"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (store / CURRENT).write_text(f"{version}\n")
    running.wait_for(f"(version {version} cannot be loaded)")


def run(store: Path, n_items: int, swaps: int) -> None:
    """Seal three versions, serve, swap under load, report."""
    items, sample = indexes.synthetic(n_items, _FACTORS)
    one, two, bad = (
        served_store.seal(store, _USERS, items=items, sample=sample, seed=seed, initial="abc"[seed])
        for seed in range(3)
    )
    registry, stop = Registry(store), store / "stop"
    registry.publish(one)
    with service(store, "--poll-seconds", "0.05", core=None) as running, ProcessPoolExecutor(1) as pool:
        running.wait_for("serving (version=.*)")
        replies = pool.submit(keep_asking, running.port, {one: "a", two: "b", bad: "c"}, stop)
        started = time.perf_counter()
        resident = swap(running, registry, (one, two), swaps)
        seconds = time.perf_counter() - started
        point_at_damage(running, store, bad)
        time.sleep(1.0)
        served_on, figures = json.loads(_get(running, "/readyz"))["model_version"], _get(running, "/metrics")
        stop.touch()
        report(replies.result(), resident, seconds)
        failed = 'recsys_reloads_total{result="failed"} 1.0' in figures
        print(f"| a flipped byte | logged; counted {failed}; the old version serves on {served_on != bad} |")


def report(found: Counter[str], resident: list[int], seconds: float) -> None:
    """Print the table."""
    first, last = (statistics.mean(part) / 1024 for part in (resident[:_COMPARED], resident[-_COMPARED:]))
    wrong = {verdict: count for verdict, count in found.items() if not verdict.startswith("whole")}
    print("| what | found |\n| :-- | :-- |")
    print(f"| swaps | {len(resident)} in {seconds:.0f} s |")
    print(f"| replies | {sum(found.values()):,}: {', '.join(f'{n:,} {verdict}' for verdict, n in found.items())} |")
    print(f"| wrong | {wrong or 'none'} |")
    print(f"| resident, first and last {_COMPARED} swaps | {first:.1f} and {last:.1f} MiB: {last / first - 1:+.1%} |")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--items", type=int, default=27_000)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        run(Path(folder) / "store", args.items, args.swaps)


if __name__ == "__main__":
    main()
