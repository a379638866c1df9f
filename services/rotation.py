"""Rotation: every secret under the first of the operator's keys, so that the others can be laid aside.

Rows are taken by their ids, some at a time, each lot in a transaction of its own that holds its rows for as long as
sealing them takes: a server may go on, and so may a second run. What is no longer under an old key is left alone, so
that a run that was broken off goes on where it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import orjson

from core.encryption import SecretKeys
from core.limits import SECRETS_AT_ONCE
from services.configs.places import is_envelope, secrets_in
from services.configs.schemas import Path
from services.secrets import opened, sealed

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
"""Puts an envelope in its place; `updated_at` stays, as nobody has changed what the row says."""


@dataclass(slots=True)
class Rotated:
    """What came of a rotation.

    Attributes:
        current: secrets that were under the first key already.
        renewed: secrets that were under another.
        covered: secrets that stood there in the clear, as the schema has marked them only since.
        unreadable: ids of data sources with a secret that none of the keys opens; they stay as they are.
    """

    current: int = 0
    renewed: int = 0
    covered: int = 0
    unreadable: list[str] = field(default_factory=list)


async def rotate(connection: "asyncpg.Connection[asyncpg.Record]", keys: SecretKeys) -> Rotated:
    """Bring every data source's secrets under the first key, deleted ones' as well.

    Args:
        connection: the tables' owner's, not in a transaction.
        keys: one at least.
    """
    done = Rotated()
    last = ""
    while True:
        async with connection.transaction():
            await connection.execute(_AS_PLATFORM)
            rows = await connection.fetch(_ROWS, last, SECRETS_AT_ONCE)
            changes = [change for row in rows for change in _changes(row, keys, done)]
            await connection.executemany(SEAL, changes)
        if len(rows) < SECRETS_AT_ONCE:
            return done
        last = rows[-1]["id"]


def _changes(row: "asyncpg.Record", keys: SecretKeys, done: Rotated) -> Iterator[tuple[str, list[str], str]]:
    """Data source, path and new envelope of each secret of a row that needs one."""
    schema = orjson.loads(row["schema"]) if row["schema"] else None
    for path, value in secrets_in(orjson.loads(row["config"]), schema):
        envelope = _renewed(row["id"], path, value, keys, done)
        if envelope is not None:
            yield row["id"], [str(key) for key in path], envelope


def _renewed(source_id: str, path: Path, value: Any, keys: SecretKeys, done: Rotated) -> str | None:
    """The secret's new envelope; None where it stays as it is."""
    if value in (None, ""):
        return None
    if not is_envelope(value):
        done.covered += 1
        return str(sealed(keys, source_id, path, value))
    secret = opened(keys, source_id, path, value)
    if secret is None:
        if source_id not in done.unreadable:
            done.unreadable.append(source_id)
        return None
    if keys.is_current(value):
        done.current += 1
        return None
    done.renewed += 1
    return str(sealed(keys, source_id, path, orjson.loads(secret)))
