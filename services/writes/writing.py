"""Who writes, and the transaction that it is written in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.agent_tokens import AgentTokens
from core.database import Record
from core.encryption import SecretKeys
from core.errors import BadUserInputError, ForbiddenError
from core.transactions import Transaction
from core.viewer import Viewer, ViewerKind
from models.enums import AuditActor

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))"


@dataclass(frozen=True, slots=True)
class Writing:
    """One write by one viewer.

    Attributes:
        viewer: Who writes, with the rights of the moment at which the transaction began.
        transaction: The transaction; whoever opened it commits it.
        keys: What secrets are sealed with.
        tokens: What issues tokens to agents.
    """

    viewer: Viewer
    transaction: Transaction
    keys: SecretKeys
    tokens: AgentTokens = field(default_factory=lambda: AgentTokens(None))

    @property
    def is_platform(self) -> bool:
        """Whether it is the platform that writes."""
        return self.viewer.kind is ViewerKind.PLATFORM

    @property
    def actor_type(self) -> AuditActor:
        """What the audit log calls whoever writes."""
        return AuditActor.PLATFORM if self.is_platform else AuditActor.USER

    def tenant(self) -> str:
        """The tenant that is written in.

        Raises:
            BadUserInputError: The platform names none.
        """
        if self.viewer.tenant_id is None:
            raise BadUserInputError("This is written in a tenant: name one by the header X-Tenant-Id")
        return self.viewer.tenant_id

    def require(self, right: str, to: str) -> None:
        """Make sure that the viewer holds a right.

        Args:
            right: The right.
            to: What it is wanted for, as "Changing sites".

        Raises:
            ForbiddenError: They do not.
        """
        if not self.viewer.may(right):
            raise ForbiddenError(f"{to} takes the right {right}")

    def require_platform(self, to: str) -> None:
        """Make sure that it is the platform.

        Raises:
            ForbiddenError: It is not.
        """
        if not self.is_platform:
            raise ForbiddenError(f"{to} is for the platform alone")

    async def rows(self, sql: str, *arguments: object) -> list[Record]:
        """The rows of a statement."""
        return await self.transaction.fetch(sql, arguments)

    async def row(self, sql: str, *arguments: object) -> Record | None:
        """The first row of a statement."""
        return next(iter(await self.rows(sql, *arguments)), None)

    async def value(self, sql: str, *arguments: object) -> Any:
        """The first value of a statement's first row; None without one."""
        row = await self.row(sql, *arguments)
        return None if row is None else row[0]

    async def lock(self, *about: str | None) -> None:
        """Wait until nobody else in the database writes about the same; held until the transaction ends."""
        await self.rows(_LOCK, "\x1f".join(map(str, about)))


def placeholders(types: Sequence[str], first: int = 1) -> list[str]:
    """Placeholders of these types, cast so that PostgreSQL need not guess."""
    return [f"${number}::{sql_type}" for number, sql_type in enumerate(types, first)]
