"""The viewer of a request: created at sign-in, passed to all code, never changed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from core.clock import DATE_MAX_MS

TenantT_co = TypeVar("TenantT_co", covariant=True)


class ViewerKind(StrEnum):
    """The kind of identity that a viewer has proved."""

    USER = "user"
    PLATFORM = "platform"
    INVITED = "invited"


class Claims(NamedTuple):
    """Everything about the viewer that a result can depend on: two viewers with equal claims see the same rows.

    Live queries with equal documents, variables and claims are run once for all. The user's own id is not included:
    a query that reads it adds it.
    """

    kind: ViewerKind
    tenant_id: str | None
    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class ViewerOf(Generic[TenantT_co]):
    """A viewer by the form of its tenant's id: a text in a request, and a parameter in a compiled plan.

    Attributes:
        kind: User, platform, or invited person, who may accept the invitation and nothing else.
        tenant_id: The tenant of all reads; None for a platform without a tenant, and for the invited.
        user_id: The `users` row; None unless it is a user.
        role_id: The `roles` row with the rights; None unless it is a user.
        rights: Canonical `Module.Access` names, closed under implication (`core.auth.rights.expand_rights`).
        expires_at: When the token expires, in ms since the epoch.
        token_id: The `jti` of a platform token; None for a user.
    """

    kind: ViewerKind
    tenant_id: TenantT_co | None
    user_id: str | None
    role_id: str | None
    rights: frozenset[str]
    expires_at: int
    token_id: str | None = None

    def has_right(self, right: str) -> bool:
        """Whether the viewer has a right such as `Sites.Read`; no viewer has an unknown one."""
        return right in self.rights

    @property
    def shown_expires_at(self) -> int | None:
        """When the token expires, as clients see it. None if JavaScript's Date cannot hold the time."""
        return self.expires_at if self.expires_at <= DATE_MAX_MS else None


class Viewer(ViewerOf[str]):
    """The caller of a request, as stored in the database when the request began."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """The viewer's id for client caches. It is no row's id, and differs for the platform in each tenant."""
        return format_viewer_id(self.kind, self.user_id or self.tenant_id)

    @property
    def claims(self) -> Claims:
        """The part of the viewer that results depend on."""
        return Claims(self.kind, self.tenant_id, self.rights)


def format_viewer_id(kind: ViewerKind, own_id: str | None) -> str:
    """A viewer's id, from the id of the user or, for the platform, of the tenant."""
    return kind.value if own_id is None else f"{kind.value}:{own_id}"
