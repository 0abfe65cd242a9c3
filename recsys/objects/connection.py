"""Connections: the object store of an address, through `obstore`, which an extra installs."""

from typing import Any

from recsys.errors import ConfigError
from recsys.extras import install
from recsys.objects.clouds import connection
from recsys.objects.object_store import ObjectStore
from recsys.remote.remote_path import AZURE, GCS, S3, WEB, RemotePath

CONNECT_SECONDS, REQUEST_SECONDS = 10, 60
"""Time to connect, and for a whole request, of which none moves more than a few MiB."""

_KINDS = {S3: "s3://bucket/folder", GCS: "gs://bucket/folder", AZURE: "abfs://container@account.dfs.core.windows.net"}


def open_object_store(path: RemotePath, *, seconds: float = REQUEST_SECONDS) -> ObjectStore:
    """The objects below an address; nothing is asked yet.

    Credentials: a login in the address; else the environment (`AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS`,
    `AZURE_STORAGE_KEY` ...), the profile in `~/.aws`, or the role of the machine. `seconds`: the longest request.
    Raises ConfigError if the address is none of an object store or a pattern, or `obstore` is not installed.
    """
    target = path.target
    if target.kind == WEB or path.pattern:
        raise ConfigError(f"{path}: expected a folder in an object store, as {', '.join(_KINDS.values())}")
    if target.kind == AZURE and not target.login:
        raise ConfigError(f"{path}: names no container; expected {_KINDS[AZURE]}/folder")
    found = connection(path)
    client = {
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{round(seconds * 1000)}ms",
        "allow_http": (found.endpoint or "").startswith("http://"),
    }
    connect = getattr(_library(path), found.store)
    try:
        connected = connect(
            prefix=path.key or None, client_options=client, retry_config={"max_retries": 0}, **found.settings
        )
    except Exception as error:  # the library's errors share no class with names of their own
        why = path.hide(str(error).partition("\n")[0])
        raise ConfigError(f"{path}: cannot be connected: {why[:200]}") from None
    return ObjectStore(connected, path)


def _library(path: RemotePath) -> Any:
    try:
        import obstore.store  # noqa: PLC0415  (of the extra `remote`)
    except ImportError as error:
        raise ConfigError(
            f"{path}: a store in an object store needs obstore, which is not installed; {install('remote')}"
        ) from error
    return obstore.store
