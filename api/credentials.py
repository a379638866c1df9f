"""Credentials from headers or a socket's payload, parsed strictly: a token, a tenant, an invitation code."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import Headers

from core.errors import UnauthenticatedError

AUTHORIZATION: Final = "Authorization"
TENANT_HEADER: Final = "X-Tenant-Id"
INVITATION_HEADER: Final = "X-Invitation-Code"
_PAYLOAD_NAMES: Final = (AUTHORIZATION, TENANT_HEADER, INVITATION_HEADER)
_LOWERCASE_NAMES: Final = frozenset(map(str.lower, _PAYLOAD_NAMES))

_BEARER_PATTERN: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.ASCII | re.IGNORECASE)
"""RFC 6750, section 2.1: the scheme in any case, and one token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token, the requested tenant and an invitation code. Nothing is verified yet."""

    token: str = field(repr=False)
    tenant_id: str | None
    invitation: str | None = field(default=None, repr=False)


def read_credentials(headers: Headers) -> Credentials | None:
    """The credentials in the request's headers; None for an anonymous caller.

    Raises:
        UnauthenticatedError: A header is duplicate or malformed, or X-Tenant-Id is alone.
    """
    return _build_credentials(*map(headers.getlist, _PAYLOAD_NAMES))


def read_socket_credentials(payload: Mapping[str, Any], headers: Headers | None = None) -> Credentials | None:
    """The credentials in the payload of a `connection_init` or `ping`. Missing values are taken from the headers.

    Raises:
        UnauthenticatedError: As for `read_credentials`, or if a value is not a string.
    """
    return _build_credentials(*(_read_payload(payload, name, headers) for name in _PAYLOAD_NAMES))


def remove_credentials(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload without its credentials."""
    return {key: value for key, value in payload.items() if key.lower() not in _LOWERCASE_NAMES}


def parse_bearer_token(authorization: str) -> str:
    """The token of an Authorization value `Bearer <token>`, from a header or a `connection_init`.

    Raises:
        UnauthenticatedError: It has another scheme, or not exactly one token.
    """
    found = _BEARER_PATTERN.fullmatch(authorization.strip(" \t"))
    if found is None:
        raise UnauthenticatedError(
            "The header Authorization must be `Bearer <token>` with exactly one token."
        )
    return found[1]


def _build_credentials(
    authorizations: Sequence[str], tenant_ids: Sequence[str], invitations: Sequence[str]
) -> Credentials | None:
    authorization = _read_single_value(authorizations, AUTHORIZATION)
    tenant_id = _read_single_value(tenant_ids, TENANT_HEADER)
    if authorization is not None:
        return Credentials(
            parse_bearer_token(authorization), tenant_id, _read_single_value(invitations, INVITATION_HEADER)
        )
    if tenant_id is not None:
        raise UnauthenticatedError(
            f"The header {TENANT_HEADER} requires a platform token in the header Authorization."
        )
    return None


def _read_single_value(values: Sequence[str], name: str) -> str | None:
    if len(values) > 1:
        raise UnauthenticatedError(f"The header {name} must be sent only once.")
    return values[0] if values else None


def _read_payload(payload: Mapping[str, Any], name: str, headers: Headers | None) -> list[str]:
    values = [value for key, value in payload.items() if key.lower() == name.lower() and value is not None]
    if not all(isinstance(value, str) for value in values):
        raise UnauthenticatedError(f"`{name}` must be a string.")
    return values or (headers.getlist(name) if headers else [])
