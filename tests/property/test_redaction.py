"""Sealing, masking in Python and redaction in the database affect the same paths, in any config under any schema."""

import asyncio
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.encryption import SecretKey, SecretKeys
from services.configs.secret_paths import iter_secrets, mask_config, replace_secrets
from services.secrets.config_secrets import open_config, seal_secret

pytestmark = pytest.mark.newest

SECRET_KEYS = SecretKeys([SecretKey.from_bytes(b"k" * 32)])
PLANTED_SECRET = "hunter2"

names = st.sampled_from(["a", "b", "sensitive", "properties", "items"])
schemas = st.recursive(
    st.sampled_from(
        [{}, True, {"sensitive": True}, {"sensitive": False}, {"type": "string"}, {"sensitive": None}]
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"properties": st.dictionaries(names, inner, max_size=3)}),
        st.fixed_dictionaries({"items": inner}),
        st.fixed_dictionaries(
            {"properties": st.dictionaries(names, inner, max_size=3), "sensitive": st.booleans()}
        ),
    ),
    max_leaves=8,
)
values = st.recursive(
    st.sampled_from([PLANTED_SECRET, "", None, 1, True, 2.5]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=10,
)
objects = st.dictionaries(names, values, max_size=4)


async def test_secret_paths_are_equal_in_sealing_redaction_and_database(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    loop = asyncio.get_running_loop()

    async def redacted(config: Any, schema: Any) -> Any:
        texts = orjson.dumps(config).decode(), orjson.dumps(schema).decode()
        return orjson.loads(
            await connection.fetchval("SELECT app.redact($1::jsonb, $2::jsonb)::text", *texts)
        )

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(objects, st.fixed_dictionaries({"properties": st.dictionaries(names, schemas, max_size=4)}))
    def compare(config: dict[str, Any], schema: dict[str, Any]) -> None:
        stored = replace_secrets(
            config, schema, lambda path, value: seal_secret(SECRET_KEYS, "source", path, value)
        )
        hidden = asyncio.run_coroutine_threadsafe(redacted(stored, schema), loop).result()
        assert hidden == mask_config(stored, schema)
        assert hidden == mask_config(config, schema)
        assert open_config(SECRET_KEYS, "source", stored) == config
        secret = [value for _path, value in iter_secrets(config, schema)]
        plain = orjson.dumps(stored).count(PLANTED_SECRET.encode())
        everywhere = orjson.dumps(config).count(PLANTED_SECRET.encode())
        assert plain == everywhere - orjson.dumps(secret).count(PLANTED_SECRET.encode())

    try:
        await asyncio.to_thread(compare)
    finally:
        await connection.close()
