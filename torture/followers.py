"""Processes that follow an object store, forked from one that has imported everything.

`python -m torture.followers ADDRESS POLL FOLDER ...`: one process per folder looks every POLL seconds. Each look
writes a line: the folder's number, when the look began (UTC seconds), and the version that serves after it, or `-`.
"""

import os
import sys
import time
from pathlib import Path

from recsys.address import Address
from recsys.artifacts.registry import Registry
from recsys.objects import open_object_store
from recsys.remote import RemotePath
from recsys.replica import Replica


def main() -> None:
    """Fork the processes; they end when they are killed."""
    address, poll, *folders = sys.argv[1:]
    for number, folder in enumerate(folders):
        if os.fork() == 0:
            follow(number, address, float(poll), Path(folder))
    for _ in folders:
        os.wait()


def follow(number: int, address: str, poll: float, folder: Path) -> None:
    """Look for ever."""
    objects = open_object_store(RemotePath(Address(address)), seconds=10)
    replica, registry = Replica(objects, folder), Registry(folder)
    while True:
        began = time.time()
        replica.look()
        os.write(1, f"{number} {began:.6f} {registry.current() or '-'}\n".encode())
        time.sleep(poll)


if __name__ == "__main__":
    main()
