"""What a caller shows at the door: the Authorization header and X-Tenant-Id, read strictly."""

import re
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import Headers

from core.errors import UnauthenticatedError

TENANT_HEADER: Final = "X-Tenant-Id"

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.ASCII | re.IGNORECASE)
"""RFC 6750, section 2.1: the scheme in any case, and one token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token, not yet believed, and the tenant that the caller asks for, if it does."""

    token: str = field(repr=False)
    tenant_id: str | None


def credentials(headers: Headers) -> Credentials | None:
    """What the request's headers show; None for an anonymous caller.

    Raises:
        UnauthenticatedError: if a header stands twice, is malformed, or X-Tenant-Id stands alone.
    """
    authorization = _single(headers, "Authorization")
    tenant_id = _single(headers, TENANT_HEADER)
    if authorization is not None:
        return Credentials(bearer_token(authorization), tenant_id)
    if tenant_id is not None:
        raise UnauthenticatedError(f"{TENANT_HEADER} needs a platform token in the Authorization header.")
    return None


def bearer_token(authorization: str) -> str:
    """The token of an Authorization value `Bearer <token>`, from a header or a `connection_init`.

    Raises:
        UnauthenticatedError: if it is of another scheme, or not exactly one token.
    """
    found = _BEARER.fullmatch(authorization.strip(" \t"))
    if found is None:
        raise UnauthenticatedError("The Authorization header must be `Bearer` and one token.")
    return found[1]


def _single(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise UnauthenticatedError(f"The header {name} stands more than once.")
    return values[0] if values else None
