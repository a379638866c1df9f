"""Opens the transactions of mutations. The caller signs in again inside each transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from core.auth.agent_tokens import AgentTokens
from core.auth.sealing import TransactionTokens
from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.database import Database
from core.database.transactions import WriteTransaction, run_in_transaction
from core.encryption import SecretKeys
from services.users.invitation_acceptance import build_invited_viewer
from services.users.sign_in import sign_in
from services.users.viewer_cache import ViewerCache
from services.writes.write_context import WriteContext

T = TypeVar("T")


@dataclass(slots=True)
class MutationTransactions:
    """One caller, and the database for their writes.

    Attributes:
        database: The database.
        identity: The identity that the token proved.
        tenant: The tenant that the caller names. Only the platform may name one.
        keys: The keys that encrypt secrets.
        on_commit: Called after each commit.
        transactions: Names committed transactions to the caller.
        tokens: Issues tokens to agents.
        viewer_cache: The cache of signed-in viewers.
        invited: Whether the caller is no user yet, and accepts an invitation.
        writing: The latest write, for the log.
        written_bytes: Bytes that the request's committed mutations have written.
    """

    database: Database
    identity: Identity
    tenant: str | None
    keys: SecretKeys
    on_commit: Callable[[], None]
    transactions: TransactionTokens
    tokens: AgentTokens = field(default_factory=lambda: AgentTokens(None))
    viewer_cache: ViewerCache = field(default_factory=ViewerCache)
    invited: bool = False
    writing: WriteContext | None = field(default=None)
    written_bytes: int = 0

    async def run_in_transaction(self, work: Callable[[WriteContext], Awaitable[T]]) -> T:
        """Run `work` in one transaction, as a whole or not at all.

        It runs again after a conflict with other transactions.

        Raises:
            ProductError: The caller may not sign in, there were too many conflicts, or `work` raised the error.
        """

        async def sign_in_and_work(transaction: WriteTransaction) -> T:
            transaction.written_bytes = self.written_bytes
            viewer = await self._viewer(transaction)
            self.writing = WriteContext(viewer, transaction, self.keys, self.tokens, self.identity)
            return await work(self.writing)

        platform = self.invited or self.identity.kind is ViewerKind.PLATFORM
        done = await run_in_transaction(
            self.database,
            sign_in_and_work,
            platform=platform,
            share=self.viewer_cache.share_of(self.identity),
            on_commit=self.on_commit,
        )
        if self.writing is not None:
            self.written_bytes = self.writing.transaction.written_bytes
        return done

    async def _viewer(self, transaction: WriteTransaction) -> Viewer:
        if self.invited:
            return await build_invited_viewer(transaction, self.identity)
        return await sign_in(transaction.connection, self.identity, self.tenant, self.viewer_cache)
