"""Platform tokens. They are signed without a database, so their first use records them."""

from core.auth.tokens import Identity
from core.database.database import Database
from core.database.transactions import WriteTransaction, run_in_transaction
from core.limits import TOKENS_CACHED_MAX
from core.lru_cache import LruCache
from models.enums import AuditActor, CredentialKind
from services.writes.audit import Actor
from services.writes.issued_credentials import Credential, record_credential


class PlatformTokens:
    """Records the platform tokens that one server receives. A recorded token takes no further statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recorded: LruCache[str, bool] = LruCache(TOKENS_CACHED_MAX)

    async def record_use(self, identity: Identity) -> None:
        """Record a platform token with an audit row, unless it is recorded.

        Raises:
            UnavailableError: The database is unavailable.
        """
        token_id = identity.token_id
        if token_id is None or self._recorded.get(token_id):
            return
        credential = Credential(token_id, CredentialKind.PLATFORM, identity.expires_at, is_used=True)
        actor = Actor(AuditActor.PLATFORM, token_id)

        async def record_token(transaction: WriteTransaction) -> None:
            await record_credential(transaction, None, actor, credential)

        await run_in_transaction(self._database, record_token, platform=True)
        self._recorded.put(token_id, True)
