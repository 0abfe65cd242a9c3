"""The file systems that hold remote files: pyarrow's for object stores, fsspec's for web servers."""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pyarrow.fs as pa_fs

from recsys.errors import ConfigError
from recsys.extras import install
from recsys.remote.remote_path import AZURE, GCS, S3, RemotePath

CONNECT_SECONDS, READ_SECONDS = 10, 60
"""Time to connect, and without a byte, before a request is tried again."""

ATTEMPTS = 3
"""How often a request is made before it fails."""

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def object_store(path: RemotePath) -> tuple[pa_fs.FileSystem, str]:
    """The file system of a path in an object store, connected once per bucket, and the path in it.

    Credentials are those that the cloud's own tools would find; a login in the address goes first.
    Raises ConfigError for an option of no meaning, OSError if it cannot be connected.
    """
    target = path.target
    place = "/".join(part for part in (target.host, path.key) if part)
    if target.kind == AZURE:  # container@account.dfs.core.windows.net
        return _azure(target.host.partition(".")[0], target.options), f"{target.login}/{path.key}".rstrip("/")
    if target.kind == GCS:
        return _google(target.options), place
    return _amazon(
        target.login, target.host, target.options, _environment(*_ENDPOINTS), _environment(*_REGIONS)
    ), place


def _environment(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


@cache
def _amazon(
    login: str, bucket: str, options: tuple[tuple[str, str], ...], endpoint: str | None, region: str | None
) -> pa_fs.FileSystem:
    given = dict(options)
    endpoint = given.get("endpoint_override", endpoint)
    region = given.get("region", region)
    user, _, password = login.partition(":")
    if region is None:
        region = "us-east-1" if endpoint else pa_fs.resolve_s3_region(bucket)
    return pa_fs.S3FileSystem(
        access_key=user or None,
        secret_key=password or None,
        anonymous=_is_true(given, "anonymous"),
        region=region,
        endpoint_override=endpoint,
        scheme=given.get("scheme", "https"),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=READ_SECONDS,
        retry_strategy=pa_fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


@cache
def _google(options: tuple[tuple[str, str], ...]) -> pa_fs.FileSystem:
    given = dict(options)
    limit: dict[str, Any] = {"retry_time_limit": timedelta(seconds=READ_SECONDS / 2)}
    if endpoint := given.get("endpoint_override"):
        scheme, _, host = endpoint.rpartition("://")
        limit |= {"endpoint_override": host, "scheme": scheme or given.get("scheme", "https")}
    return pa_fs.GcsFileSystem(anonymous=_is_true(given, "anonymous"), **limit)


@cache
def _azure(account: str, options: tuple[tuple[str, str], ...]) -> pa_fs.FileSystem:
    given: dict[str, Any] = {}
    told = dict(options)
    if endpoint := told.get("endpoint_override"):
        scheme, _, host = endpoint.rpartition("://")
        scheme, host = scheme or told.get("scheme", "https"), host.removesuffix(f"/{account}")
        for service in ("blob", "dfs"):
            given |= {f"{service}_storage_authority": host, f"{service}_storage_scheme": scheme}
    key, token = os.environ.get("AZURE_STORAGE_KEY"), os.environ.get("AZURE_STORAGE_SAS_TOKEN")
    if key or token:
        given |= {"account_key": key} if key else {"sas_token": token}
    return pa_fs.AzureFileSystem(account, **given)


def _is_true(options: Mapping[str, str], name: str) -> bool:
    value = options.get(name, "false").lower()
    if value not in ("true", "false"):
        raise ConfigError(f"{name}={value}: expected true or false")
    return value == "true"


@cache
def web_server() -> Any:
    """fsspec's file system of https addresses. Raises ConfigError if it is not installed."""
    try:
        import aiohttp  # noqa: PLC0415  (of the extra `remote`)
        from fsspec.implementations.http import HTTPFileSystem  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"https://: needs fsspec and aiohttp, which are not installed; {install('remote')}"
        ) from error
    times = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
    plain = {"Accept-Encoding": "identity"}  # bytes as they lie there, as many as the server says
    client = {"timeout": times, "trust_env": True}
    return HTTPFileSystem(client_kwargs=client, headers=plain, encoded=True, skip_instance_cache=True)


def table_options(path: RemotePath) -> dict[str, str]:
    """Options by which a table's library reaches the store of `path`; credentials it finds as `object_store` does."""
    target = path.target
    given = dict(target.options)
    if target.kind != S3:
        return {}
    options = {"AWS_REGION": given.get("region") or _environment(*_REGIONS) or "us-east-1"}
    if endpoint := given.get("endpoint_override") or _environment(*_ENDPOINTS):
        options |= {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
    if _is_true(given, "anonymous"):
        options["AWS_SKIP_SIGNATURE"] = "true"
    user, _, password = target.login.partition(":")
    return options | ({"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": password} if user else {})


_ICEBERG = {
    "AWS_REGION": "s3.region",
    "AWS_ENDPOINT_URL": "s3.endpoint",
    "AWS_SKIP_SIGNATURE": "s3.anonymous",
    "AWS_ACCESS_KEY_ID": "s3.access-key-id",
    "AWS_SECRET_ACCESS_KEY": "s3.secret-access-key",
}


def iceberg_options(path: RemotePath) -> dict[str, str]:
    """`table_options`, as pyiceberg names them."""
    return {_ICEBERG[name]: value for name, value in table_options(path).items() if name in _ICEBERG}
