"""Opens the transactions of mutations: for whoever showed a token, signed in anew inside of each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from core.agent_tokens import AgentTokens
from core.database import Database
from core.encryption import SecretKeys
from core.tokens import Identity
from core.transactions import Transaction, carry_out
from core.viewer import ViewerKind
from services.sign_in import sign_in
from services.writes.writing import Writing

T = TypeVar("T")


@dataclass(slots=True)
class Writer:
    """One caller, and the database that they write.

    Attributes:
        database: Where to.
        identity: Who, by their token.
        tenant: The tenant that they name, which the platform alone may.
        keys: What secrets are sealed with.
        committed: Called after each commit.
        tokens: What issues tokens to agents.
        writing: The latest write, for the log.
    """

    database: Database
    identity: Identity
    tenant: str | None
    keys: SecretKeys
    committed: Callable[[], None]
    tokens: AgentTokens = field(default_factory=lambda: AgentTokens(None))
    writing: Writing | None = field(default=None)

    async def carry_out(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Do `work` in one transaction: whole or not at all; tried again where others were in the way.

        Raises:
            ProductError: The caller may not sign in, others were in the way too often, or what `work` raises.
        """

        async def signed_in(transaction: Transaction) -> T:
            viewer = await sign_in(transaction.connection, self.identity, self.tenant)
            self.writing = Writing(viewer, transaction, self.keys, self.tokens)
            return await work(self.writing)

        platform = self.identity.kind is ViewerKind.PLATFORM
        return await carry_out(self.database, signed_in, platform=platform, committed=self.committed)
