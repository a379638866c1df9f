"""Who is asking: made once a request at sign-in, carried through everything, never changed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ViewerKind(StrEnum):
    """What a viewer proved itself to be."""

    USER = "user"
    PLATFORM = "platform"


class Claims(NamedTuple):
    """What an answer can depend on: two viewers with equal claims see the same rows.

    Live queries with equal documents, variables and claims are run once for all. The user's own id is
    not here: a query that reads it adds it.
    """

    kind: ViewerKind
    tenant_id: str | None
    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of a request, as the database knew it when the request began.

    Attributes:
        kind: user or platform.
        tenant_id: the tenant that everything is read in; None only for a platform that named none.
        user_id: the `users` row; None for the platform.
        role_id: the `roles` row that the rights are from; None for the platform.
        rights: canonical `Module.Access` names, closed under implication (`core.rights.closure`).
        expires_at: when the token ends, in ms since the epoch.
    """

    kind: ViewerKind
    tenant_id: str | None
    user_id: str | None
    role_id: str | None
    rights: frozenset[str]
    expires_at: int

    @property
    def id(self) -> str:
        """What a client's cache knows the viewer by; no row's id, and another for the platform in each tenant."""
        return ":".join(filter(None, (self.kind.value, self.user_id or self.tenant_id)))

    def may(self, right: str) -> bool:
        """Whether the viewer holds a right such as `Sites.Read`; an unknown name is held by nobody."""
        return right in self.rights

    @property
    def claims(self) -> Claims:
        """The part of the viewer that answers depend on."""
        return Claims(self.kind, self.tenant_id, self.rights)
