"""The caller of a request or socket."""

from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from starlette.types import Scope

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind

_HOST_BITS: Final = 64


class Caller(NamedTuple):
    """The caller of a request or socket, by a verified token; anonymous without one.

    Attributes:
        identity: The identity that the token proves.
        tenant: The tenant that a platform selects.
        address: The client's address, as `read_client_address` returns it.
    """

    identity: Identity | None = None
    tenant: str | None = None
    address: str = ""

    @property
    def kind(self) -> str:
        """`user`, `platform` or `anonymous`, for metrics."""
        return self.identity.kind.value if self.identity else "anonymous"

    @property
    def name(self) -> str:
        """The common name of all requests of one caller: the subject, the platform's tenant, or the address."""
        if self.identity is None:
            return self.address
        of_platform = self.identity.kind is ViewerKind.PLATFORM
        return f"{self.kind}:{self.tenant if of_platform else self.identity.subject}"


def read_client_address(scope: Scope) -> str:
    """The address of a client. For IPv6 it is the network (64 bits), because one machine has all addresses of it.

    For a trusted proxy, uvicorn replaces the address by that of `X-Forwarded-For`.
    """
    client = scope.get("client")
    if not client:
        return ""  # a Unix socket
    try:
        address = ip_address(client[0])
    except ValueError:
        return str(client[0])
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{int(address) >> _HOST_BITS:x}"
    return str(address)
