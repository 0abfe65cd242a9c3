"""The object stores that campaigns run on: where a store lies behind an endpoint, and servers that fail."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

from tests import azurite
from tests.google_storage import google_storage
from tests.object_stores import BUCKET, Bucket, proxied
from torture.s3 import failing_bucket


@dataclass(frozen=True)
class Cloud:
    """One kind. `address(endpoint, folder)`: of a store in the bucket `shop-data`."""

    scheme: str
    address: Callable[[str, str], str]


def _amazon(endpoint: str, folder: str) -> str:
    return f"s3://key:secret@{BUCKET}/{folder}?endpoint_override={endpoint}&region=us-east-1"


def _google(endpoint: str, folder: str) -> str:
    return f"gs://{BUCKET}/{folder}?endpoint_override={endpoint}&anonymous=true"


AMAZON, GOOGLE, AZURE = Cloud("s3", _amazon), Cloud("gs", _google), Cloud("abfs", azurite.address)


@contextmanager
def failing(cloud: Cloud) -> Iterator[tuple[Bucket, str]]:
    """A bucket that fails when it is told to, and the address of the server behind it, which never does.

    The environment has a key. Raises RuntimeError if the server is not installed.
    """
    if cloud is AMAZON:
        with failing_bucket() as found:
            yield found
        return
    with ExitStack() as stack:
        if cloud is GOOGLE:
            behind = stack.enter_context(google_storage()).endpoint.partition("://")[2]
        else:
            behind = stack.enter_context(azurite.azurite())
        stack.enter_context(mock.patch.dict(os.environ, {"AZURE_STORAGE_KEY": azurite.KEY}))
        yield stack.enter_context(proxied(behind, is_made=True)), f"http://{behind}"
