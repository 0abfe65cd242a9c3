"""Clouds: what each store of `obstore` is told, from the options of an address and from the environment.

`obstore` reads most variables by itself; here are those that it names otherwise than the cloud's own tools, and the
profiles of ~/.aws, which it does not read.
"""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsys.remote.remote_path import AZURE, GCS, S3, RemotePath

_AWS_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class Connection:
    """A class of `obstore.store` and what it is made with; `settings` may hold secrets. `endpoint`: None for the
    cloud's own.
    """

    store: str
    endpoint: str | None
    settings: Mapping[str, Any] = field(repr=False)


def connection(path: RemotePath) -> Connection:
    """How to connect to the bucket of an address of s3://, gs:// or abfs://."""
    return {S3: _amazon, GCS: _google, AZURE: _azure}[path.target.kind](path, dict(path.target.options))


def _amazon(path: RemotePath, options: Mapping[str, str]) -> Connection:
    endpoint = _endpoint(options) or _environment(*_AWS_ENDPOINTS)
    region = options.get("region") or _environment("AWS_REGION", "AWS_DEFAULT_REGION")
    settings: dict[str, Any] = {"bucket": path.target.host}
    settings |= {"endpoint": endpoint} if endpoint else {}
    settings |= {"region": region or ("us-east-1" if endpoint else _profile("config").get("region", "us-east-1"))}
    settings |= {"skip_signature": True} if _is_anonymous(options) else _amazon_key(path)
    return Connection("S3Store", endpoint, settings)


def _amazon_key(path: RemotePath) -> dict[str, str]:
    """The key of the address, else of the profile; none if the environment, or the machine, has one."""
    user, _, password = path.target.login.partition(":")
    if user:
        return {"access_key_id": user, "secret_access_key": password}
    if _environment("AWS_ACCESS_KEY_ID"):
        return {}
    profile = _profile("credentials")
    names = ("access_key_id", "secret_access_key", "session_token")
    return {name: profile[f"aws_{name}"] for name in names if f"aws_{name}" in profile}


def _google(path: RemotePath, options: Mapping[str, str]) -> Connection:
    endpoint = _endpoint(options)
    settings: dict[str, Any] = {"bucket": path.target.host} | ({"base_url": endpoint} if endpoint else {})
    if _is_anonymous(options):  # reads go without a signature; writes must not look for the machine's account either
        settings |= {"skip_signature": True, "credential_provider": _nobody}
    return Connection("GCSStore", endpoint, settings)


def _nobody() -> dict[str, Any]:
    return {"token": "anonymous", "expires_at": None}


def _azure(path: RemotePath, options: Mapping[str, str]) -> Connection:
    account = path.target.host.partition(".")[0]
    endpoint = _endpoint(options)
    if endpoint is not None:
        endpoint = _of_account(endpoint.rstrip("/"), account)
    settings: dict[str, Any] = {"container_name": path.target.login, "account_name": account}
    settings |= {"endpoint": endpoint} if endpoint else {}
    key, token = _environment("AZURE_STORAGE_KEY"), _environment("AZURE_STORAGE_SAS_TOKEN")
    if key or token:
        settings |= {"account_key": key} if key else {"sas_key": token}
    return Connection("AzureStore", endpoint, settings)


def _of_account(endpoint: str, account: str) -> str:
    """A server without a name for each account, such as an emulator, has folders of them; pyarrow sees it so too."""
    host = endpoint.partition("://")[2]
    return endpoint if host.startswith(f"{account}.") or host.endswith(f"/{account}") else f"{endpoint}/{account}"


def _is_anonymous(options: Mapping[str, str]) -> bool:
    return options.get("anonymous", "").lower() == "true"


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
