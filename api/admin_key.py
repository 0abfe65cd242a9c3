"""The admin key: what every request that only the operator may make carries."""

import hmac
from collections.abc import Callable, Coroutine
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr
from starlette.exceptions import HTTPException

_ADMIN_KEY = HTTPBearer(scheme_name="admin_key", description="The key in RECSYS_ADMIN_KEY.", auto_error=False)


def checks(key: SecretStr) -> Callable[..., Coroutine[None, None, None]]:
    """A dependency of routes that answers 401 unless a request has `key` as `Authorization: Bearer KEY`."""

    async def check_key(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_ADMIN_KEY)]) -> None:
        sent = "" if given is None else given.credentials
        if not hmac.compare_digest(sent.encode("latin-1"), key.get_secret_value().encode()):
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})

    return check_key
