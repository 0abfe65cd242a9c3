"""The admin key: what every request that only the operator may make carries."""

import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from api.messages.queries import RequestStore

_ADMIN_KEY = HTTPBearer(scheme_name="admin_key", description="The key in RECSYS_ADMIN_KEY.", auto_error=False)


async def check_key(
    store: RequestStore, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_ADMIN_KEY)]
) -> None:
    """A dependency of the operator's routes: 401 unless a request has its store's key as `Authorization: Bearer KEY`.

    If the store has no key, there is no such route.
    """
    if store.admin_key is None:
        raise HTTPException(404)
    sent = "" if given is None else given.credentials
    if not hmac.compare_digest(sent.encode("latin-1"), store.admin_key.get_secret_value().encode()):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
