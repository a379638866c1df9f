"""Key rotation: seals every secret with the first of the operator's keys, so that the other keys can be removed.

Rows are taken in batches in the order of ids. Each batch has a transaction of its own and locks its rows
while they are sealed, so that servers and a second run may work at the same time. Secrets that are no longer
under an old key are skipped. So a run continues where an interrupted one stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from core.database.request_role import AnyConnection
from core.encryption import SecretKeys
from core.errors import StartupError
from core.exact_json import parse_json
from core.limits import SECRETS_PER_BATCH
from services.configs.schemas import Path, parse_sealing_schema
from services.configs.secret_paths import is_envelope, iter_secrets
from services.import_lock import TRY_BACKGROUND
from services.secrets.config_secrets import open_secret, seal_secret

_AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"

_ROWS: Final = """
SELECT d.id, d.config::text AS config, i.config_schema::text AS schema
FROM public.data_sources d JOIN public.integrations i ON i.id = d.integration_id
WHERE d.id > $1 ORDER BY d.id LIMIT $2
FOR NO KEY UPDATE OF d
"""

SEAL: Final = """
UPDATE public.data_sources SET config = jsonb_set(config, $2::text[], to_jsonb($3::text)) WHERE id = $1
"""
"""Replaces an envelope. `updated_at` stays, since the row's content does not change."""


@dataclass(slots=True)
class RotationResult:
    """The result of a rotation.

    Attributes:
        current: The number of secrets that were under the first key already.
        renewed: The number of secrets that were under another key.
        covered: The number of secrets in plain text, which the schema marks or hides only since they were stored.
        unreadable: Ids of data sources with a secret that none of the keys opens. They stay as they are.
    """

    current: int = 0
    renewed: int = 0
    covered: int = 0
    unreadable: list[str] = field(default_factory=list)


async def rotate_secrets(connection: AnyConnection, keys: SecretKeys) -> RotationResult:
    """Seal the secrets of every data source with the first key, including deleted ones.

    Args:
        connection: The tables' owner's, not in a transaction.
        keys: The keys; at least one.

    Raises:
        StartupError: An import is running.
    """
    done = RotationResult()
    last = ""
    while True:
        async with connection.transaction():
            await connection.execute(_AS_PLATFORM)
            if not await connection.fetchval(f"SELECT {TRY_BACKGROUND}"):
                raise StartupError(
                    "A running import could restore secrets under an old key. Try again after the import."
                )
            rows = await connection.fetch(_ROWS, last, SECRETS_PER_BATCH)
            changes = [change for row in rows for change in _iter_changes(row, keys, done)]
            await connection.executemany(SEAL, changes)
        if len(rows) < SECRETS_PER_BATCH:
            return done
        last = rows[-1]["id"]


def _iter_changes(
    row: "asyncpg.Record", keys: SecretKeys, done: RotationResult
) -> Iterator[tuple[str, list[str], str]]:
    """Data source, path and new envelope of each secret of a row that needs one."""
    for path, value in iter_secrets(parse_json(row["config"]), parse_sealing_schema(row["schema"])):
        envelope = _reseal(row["id"], path, value, keys, done)
        if envelope is not None:
            yield row["id"], [str(key) for key in path], envelope


def _reseal(source_id: str, path: Path, value: Any, keys: SecretKeys, done: RotationResult) -> str | None:
    """The secret's new envelope; None if the secret stays as it is."""
    if value in (None, ""):
        return None
    if not is_envelope(value):
        done.covered += 1
        return str(seal_secret(keys, source_id, path, value))
    secret = open_secret(keys, source_id, path, value)
    if secret is None:
        if source_id not in done.unreadable:
            done.unreadable.append(source_id)
        return None
    if keys.is_current(value):
        done.current += 1
        return None
    done.renewed += 1
    return str(seal_secret(keys, source_id, path, parse_json(secret)))
