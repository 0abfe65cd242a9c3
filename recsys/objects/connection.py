"""Connections: the object store of an address, through `obstore`, which an extra installs."""

import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.errors import ConfigError
from recsys.extras import install
from recsys.objects.object_store import ObjectStore
from recsys.remote.remote_path import AZURE, GCS, S3, WEB, RemotePath

CONNECT_SECONDS, REQUEST_SECONDS = 10, 60
"""Time to connect, and for a whole request, of which none moves more than a few MiB."""

_KINDS = {S3: "s3://bucket/folder", GCS: "gs://bucket/folder", AZURE: "abfs://container@account.dfs.core.windows.net"}

_AWS_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def open_object_store(path: RemotePath, *, seconds: float = REQUEST_SECONDS) -> ObjectStore:
    """The objects below an address; nothing is asked yet.

    Credentials: a login in the address; else the environment (`AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS`,
    `AZURE_STORAGE_KEY` ...), the profile in `~/.aws`, or the role of the machine. `seconds`: the longest request.
    Raises ConfigError if the address is none of an object store or a pattern, or `obstore` is not installed.
    """
    target = path.target
    if target.kind == WEB or path.pattern:
        raise ConfigError(f"{path}: expected a folder in an object store, as {', '.join(_KINDS.values())}")
    options = dict(target.options)
    client = {
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{round(seconds * 1000)}ms",
        "allow_http": (_endpoint(options) or _environment(*_AWS_ENDPOINTS) or "").startswith("http://"),
    }
    make = {S3: _amazon, GCS: _google, AZURE: _azure}[target.kind]
    kind, settings = make(path, options)
    connect = getattr(_library(path), kind)
    try:
        connected = connect(
            prefix=path.key or None, client_options=client, retry_config={"max_retries": 0}, **settings
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


def _amazon(path: RemotePath, options: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    settings: dict[str, Any] = {"bucket": path.target.host}
    endpoint = _endpoint(options) or _environment(*_AWS_ENDPOINTS)
    region = options.get("region") or _environment("AWS_REGION", "AWS_DEFAULT_REGION")
    settings |= {"endpoint": endpoint} if endpoint else {}
    settings |= {"region": region or ("us-east-1" if endpoint else _profile("config").get("region", "us-east-1"))}
    if options.get("anonymous", "").lower() == "true":
        return "S3Store", settings | {"skip_signature": True}
    user, _, password = path.target.login.partition(":")
    if not user and not _environment("AWS_ACCESS_KEY_ID"):
        profile = _profile("credentials")
        settings |= {
            name: profile[f"aws_{name}"]
            for name in ("access_key_id", "secret_access_key", "session_token")
            if f"aws_{name}" in profile
        }
    return "S3Store", settings | ({"access_key_id": user, "secret_access_key": password} if user else {})


def _google(path: RemotePath, options: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    settings: dict[str, Any] = {"bucket": path.target.host}
    if endpoint := _endpoint(options):
        settings |= {"base_url": endpoint}
    if options.get("anonymous", "").lower() == "true":
        settings |= {"skip_signature": True}
    return "GCSStore", settings


def _azure(path: RemotePath, options: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    account = path.target.host.partition(".")[0]
    settings: dict[str, Any] = {"container_name": path.target.login, "account_name": account}
    if endpoint := _endpoint(options):
        settings |= {"endpoint": endpoint}
    key, token = _environment("AZURE_STORAGE_KEY"), _environment("AZURE_STORAGE_SAS_TOKEN")
    if key or token:
        settings |= {"account_key": key} if key else {"sas_key": token}
    return "AzureStore", settings


def _endpoint(options: Mapping[str, str]) -> str | None:
    endpoint = options.get("endpoint_override")
    if not endpoint or "://" in endpoint:
        return endpoint
    return f"{options.get('scheme', 'https')}://{endpoint}"


def _environment(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _profile(kind: str) -> Mapping[str, str]:
    """The profile of ~/.aws/credentials or ~/.aws/config that AWS_PROFILE names, else the default one."""
    variable = {"credentials": "AWS_SHARED_CREDENTIALS_FILE", "config": "AWS_CONFIG_FILE"}[kind]
    file = configparser.ConfigParser(interpolation=None)
    name = os.environ.get("AWS_PROFILE", "default")
    try:
        file.read(os.environ.get(variable) or Path.home() / ".aws" / kind)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    found = next((each for each in (name, f"profile {name}") if file.has_section(each)), None)
    return {} if found is None else file[found]
