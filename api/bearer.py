"""What a caller shows at the door, in headers or a socket's payload, read strictly: a token, and more."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import Headers

from core.errors import UnauthenticatedError

AUTHORIZATION: Final = "Authorization"
TENANT_HEADER: Final = "X-Tenant-Id"
INVITATION_HEADER: Final = "X-Invitation-Code"
_NAMES: Final = (AUTHORIZATION, TENANT_HEADER, INVITATION_HEADER)
_LOWER: Final = frozenset(map(str.lower, _NAMES))

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.ASCII | re.IGNORECASE)
"""RFC 6750, section 2.1: the scheme in any case, and one token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token, the tenant that the caller asks for, and an invitation's code; nothing is believed yet."""

    token: str = field(repr=False)
    tenant_id: str | None
    invitation: str | None = field(default=None, repr=False)


def credentials(headers: Headers) -> Credentials | None:
    """What the request's headers show; None for an anonymous caller.

    Raises:
        UnauthenticatedError: if a header stands twice, is malformed, or X-Tenant-Id stands alone.
    """
    return _shown(*map(headers.getlist, _NAMES))


def socket_credentials(payload: Mapping[str, Any], headers: Headers | None = None) -> Credentials | None:
    """What the payload of a `connection_init` or a `ping` shows, and where it lacks one, the headers.

    Raises:
        UnauthenticatedError: as `credentials`, or if a value is no text.
    """
    return _shown(*(_in_payload(payload, name, headers) for name in _NAMES))


def without_credentials(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The rest of such a payload."""
    return {key: value for key, value in payload.items() if key.lower() not in _LOWER}


def bearer_token(authorization: str) -> str:
    """The token of an Authorization value `Bearer <token>`, from a header or a `connection_init`.

    Raises:
        UnauthenticatedError: if it is of another scheme, or not exactly one token.
    """
    found = _BEARER.fullmatch(authorization.strip(" \t"))
    if found is None:
        raise UnauthenticatedError("The Authorization header must be `Bearer` and one token.")
    return found[1]


def _shown(
    authorizations: Sequence[str], tenant_ids: Sequence[str], invitations: Sequence[str]
) -> Credentials | None:
    authorization = _single(authorizations, AUTHORIZATION)
    tenant_id = _single(tenant_ids, TENANT_HEADER)
    if authorization is not None:
        return Credentials(bearer_token(authorization), tenant_id, _single(invitations, INVITATION_HEADER))
    if tenant_id is not None:
        raise UnauthenticatedError(f"{TENANT_HEADER} needs a platform token in the Authorization header.")
    return None


def _single(values: Sequence[str], name: str) -> str | None:
    if len(values) > 1:
        raise UnauthenticatedError(f"The header {name} stands more than once.")
    return values[0] if values else None


def _in_payload(payload: Mapping[str, Any], name: str, headers: Headers | None) -> list[str]:
    values = [value for key, value in payload.items() if key.lower() == name.lower() and value is not None]
    if not all(isinstance(value, str) for value in values):
        raise UnauthenticatedError(f"{name} must be a text.")
    return values or (headers.getlist(name) if headers else [])
