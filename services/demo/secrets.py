"""The demo's secrets: what is loaded only looks like them, as the data know no key; here something is put inside."""

from typing import Final

import asyncpg
import orjson

from core.encryption import SecretKeys
from services.configs.places import secrets_in
from services.demo.load import AS_PLATFORM
from services.rotation import SEAL
from services.secrets import sealed

_CONFIGS: Final = (
    "SELECT id, config::text AS config FROM public.data_sources WHERE config::text LIKE '%enc:v1:%'"
)


async def seal_demo_secrets(connection: "asyncpg.Connection[asyncpg.Record]", keys: SecretKeys) -> None:
    """Put a secret that no vendor knows into the place of each, under the server's first key."""
    async with connection.transaction():
        await connection.execute(AS_PLATFORM)
        changes = [
            (row["id"], [str(key) for key in path], sealed(keys, row["id"], path, f"demo-{path[-1]}"))
            for row in await connection.fetch(_CONFIGS)
            for path, _envelope in secrets_in(orjson.loads(row["config"]), None)
        ]
        await connection.executemany(SEAL, changes)
