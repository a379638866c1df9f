"""The keys of sealed tokens in tests, and what their tokens say."""

from pathlib import Path
from typing import Final

from core.auth.sealing import Purpose, TokenSealer, TransactionTokens
from core.settings import Settings
from subscriptions.change_log.snapshot import Snapshot

SEALER: Final = TokenSealer([bytes(range(64))])
"""The sealer of harnesses in the test's own process."""

TRANSACTIONS: Final = TransactionTokens(SEALER, lambda: "")


def load_demo_sealer(data_dir: Path) -> TokenSealer:
    """The sealer of the servers of a demo."""
    return TokenSealer.load(Settings(demo=True, data_dir=data_dir))


def open_snapshot(token: str, sealer: TokenSealer = SEALER) -> Snapshot:
    """The snapshot that `extensions.snapshot` names."""
    value = sealer.open(Purpose.SNAPSHOT, token)
    assert value is not None, token
    return Snapshot.parse(value)


def open_transaction(token: str, sealer: TokenSealer = SEALER) -> str:
    """The id of the transaction that `extensions.transaction` names, as PostgreSQL writes it."""
    return str(TransactionTokens(sealer, lambda: "").open(token).xid)
