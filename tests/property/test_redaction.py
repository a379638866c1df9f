"""What is sealed, what Python masks and what the database hides: the same places, in any config under any schema."""

import asyncio
from typing import Any

import asyncpg
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.encryption import SecretKey, SecretKeys
from services.configs.places import changed_at, masked_config, secrets_in
from services.secrets import opened_config, sealed

KEYS = SecretKeys([SecretKey.of(b"k" * 32)])
PLANTED = "hunter2"

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
    st.sampled_from([PLANTED, "", None, 1, True, 2.5]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=10,
)
objects = st.dictionaries(names, values, max_size=4)


async def test_the_same_places_everywhere(database_url: str) -> None:
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
        stored = changed_at(config, schema, lambda path, value: sealed(KEYS, "source", path, value))
        hidden = asyncio.run_coroutine_threadsafe(redacted(stored, schema), loop).result()
        assert hidden == masked_config(stored, schema)
        assert hidden == masked_config(config, schema)
        assert opened_config(KEYS, "source", stored) == config
        secret = [value for _path, value in secrets_in(config, schema)]
        plain = orjson.dumps(stored).count(PLANTED.encode())
        everywhere = orjson.dumps(config).count(PLANTED.encode())
        assert plain == everywhere - orjson.dumps(secret).count(PLANTED.encode())

    try:
        await asyncio.to_thread(compare)
    finally:
        await connection.close()
