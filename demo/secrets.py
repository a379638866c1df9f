"""Seals the secrets of the demo. The generated data has no key, so its envelopes have no content before this step."""

from typing import Final

import asyncpg
import orjson

from core.encryption import SecretKeys
from demo.load import AS_PLATFORM
from services.configs.secret_paths import iter_secrets
from services.secrets.config_secrets import seal_secret
from services.secrets.rotation import SEAL

_CONFIGS: Final = (
    "SELECT id, config::text AS config FROM public.data_sources WHERE config::text LIKE '%enc:v1:%'"
)


async def seal_demo_secrets(connection: "asyncpg.Connection[asyncpg.Record]", keys: SecretKeys) -> None:
    """Replace each envelope by one with an invented secret, sealed with the server's first key."""
    async with connection.transaction():
        await connection.execute(AS_PLATFORM)
        changes = [
            (row["id"], [str(key) for key in path], seal_secret(keys, row["id"], path, f"demo-{path[-1]}"))
            for row in await connection.fetch(_CONFIGS)
            for path, _envelope in iter_secrets(orjson.loads(row["config"]), None)
        ]
        await connection.executemany(SEAL, changes)
