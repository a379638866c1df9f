"""A write: its viewer and its transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.auth.agent_tokens import AgentTokens
from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.database import Record
from core.database.transactions import WriteTransaction
from core.encryption import SecretKeys
from core.errors import BadUserInputError, ForbiddenError
from models.enums import AuditActor

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))"


@dataclass(frozen=True, slots=True)
class WriteContext:
    """One write by one viewer.

    Attributes:
        viewer: The writer, with the rights at the time at which the transaction began.
        transaction: The transaction; its opener commits it.
        keys: The keys for secrets.
        tokens: The issuer of agents' tokens.
        identity: The verified token; None if there was none.
    """

    viewer: Viewer
    transaction: WriteTransaction
    keys: SecretKeys
    tokens: AgentTokens = field(default_factory=lambda: AgentTokens(None))
    identity: Identity | None = None

    @property
    def is_platform(self) -> bool:
        """Whether the platform writes."""
        return self.viewer.kind is ViewerKind.PLATFORM

    @property
    def actor_type(self) -> AuditActor:
        """The kind of the writer in the audit log."""
        return AuditActor.PLATFORM if self.is_platform else AuditActor.USER

    @property
    def actor_id(self) -> str | None:
        """The writer's id in the audit log: the user's id, or that of the platform's token."""
        return self.viewer.token_id if self.is_platform else self.viewer.user_id

    def require_tenant(self) -> str:
        """The tenant in which the write happens.

        Raises:
            BadUserInputError: The platform names none.
        """
        if self.viewer.tenant_id is None:
            raise BadUserInputError("The write needs a tenant: name one in the header X-Tenant-Id")
        return self.viewer.tenant_id

    def require_right(self, right: str, to: str) -> None:
        """Require that the viewer holds a right.

        Args:
            right: The right.
            to: The operation for the message, as "Changing sites".

        Raises:
            ForbiddenError: The viewer does not.
        """
        if not self.viewer.has_right(right):
            raise ForbiddenError(f"{to} requires the right {right}", right)

    def require_platform(self, to: str) -> None:
        """Require that the viewer is the platform.

        Raises:
            ForbiddenError: It is not.
        """
        if not self.is_platform:
            raise ForbiddenError(f"{to} is allowed only for the platform")

    async def fetch_rows(self, sql: str, *arguments: object) -> list[Record]:
        """The rows of a statement."""
        return await self.transaction.fetch(sql, arguments)

    async def fetch_row(self, sql: str, *arguments: object) -> Record | None:
        """The first row of a statement."""
        return next(iter(await self.fetch_rows(sql, *arguments)), None)

    async def fetch_value(self, sql: str, *arguments: object) -> Any:
        """The first value of a statement's first row; None without one."""
        row = await self.fetch_row(sql, *arguments)
        return None if row is None else row[0]

    async def lock(self, *about: str | None) -> None:
        """Take the lock of a subject for writes, until the transaction ends. Other transactions wait for it."""
        await self.fetch_rows(_LOCK, "\x1f".join(map(str, about)))


def build_placeholders(types: Sequence[str], first: int = 1) -> list[str]:
    """Placeholders with casts to these types, so that PostgreSQL need not infer them."""
    return [f"${number}::{sql_type}" for number, sql_type in enumerate(types, first)]
