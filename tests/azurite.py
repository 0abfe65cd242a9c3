"""Azure Blob Storage on loopback: Azurite, Microsoft's own emulator, where somebody has installed it.

It is a program of Node.js, `npm install azurite`, found on PATH or where the variable AZURITE says.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.fs as pa_fs

from tests.object_stores import BUCKET

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account of every emulator, and its key, which is public."""

ABSENT = "Azurite is not installed; `npm install azurite`, and put azurite-blob on PATH or into AZURITE"

_PATIENCE = 60.0


def program() -> str | None:
    """Where Azurite's program of blobs is, None if it is not installed."""
    return os.environ.get("AZURITE") or shutil.which("azurite-blob")


def address(endpoint: str, folder: str = "store") -> str:
    """The address of a store on the server at `endpoint`."""
    return f"abfs://{BUCKET}@{ACCOUNT}.dfs.core.windows.net/{folder}?endpoint_override={endpoint}"


@contextmanager
def azurite() -> Iterator[str]:
    """Host and port of a server with an empty container. Raises RuntimeError if it is not installed or not ready."""
    found = program()
    if found is None:
        raise RuntimeError(ABSENT)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    options += ["--disableTelemetry", "--skipApiVersionCheck"]
    with (
        tempfile.TemporaryDirectory(prefix="recsys-azurite-") as folder,
        subprocess.Popen([found, *options], cwd=folder, stdout=subprocess.DEVNULL) as server,
    ):
        try:
            _make_container(port)
            yield f"127.0.0.1:{port}"
        finally:
            server.kill()


def _make_container(port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError("Azurite does not listen") from error
            time.sleep(0.05)
    at = {f"{kind}_storage_authority": f"127.0.0.1:{port}" for kind in ("blob", "dfs")}
    at |= {f"{kind}_storage_scheme": "http" for kind in ("blob", "dfs")}
    pa_fs.AzureFileSystem(ACCOUNT, account_key=KEY, **at).create_dir(BUCKET)
