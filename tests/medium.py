"""Databases as large as the medium demo, or a third, for tests of plans: loaded faster than `load_demo` does."""

from typing import Final

import asyncpg

from services.demo import DemoSize, load_demo
from services.demo.load import TABLES
from services.demo.sizes import Plan

THIRD: Final = Plan(50, 1_000, 20_000, 150_000, global_entities=24, api_logs=1_600)
"""A third of the medium demo: the tenants' shares of it are the same, so that plans are, too."""

_LARGE: Final = ["entities", "entity_relationships", "events_log"]
"""Nothing but these refers to `entities`, so that their keys and indexes can be set aside together."""

_KEYS: Final = """
    SELECT conrelid::regclass::text AS "table", quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])
"""
_INDEXES: Final = """
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
    WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND c.oid IS NULL
"""


async def load_medium(connection: asyncpg.Connection, size: DemoSize | Plan = DemoSize.MEDIUM) -> None:
    """Loads the medium demo into a migrated, empty database, building the large tables' indexes afterwards.

    Then vacuums it, as autovacuum would have by and by: without, no index is read alone.
    """
    await connection.execute("SET synchronous_commit = on")  # VACUUM passes by what is not flushed yet
    async with connection.transaction():
        await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        keys = await connection.fetch(_KEYS, _LARGE)
        indexes = await connection.fetch(_INDEXES, _LARGE)
        for key in keys:
            await connection.execute(f"ALTER TABLE {key['table']} DROP CONSTRAINT {key['name']}")
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        assert await load_demo(connection, size)
        for index in indexes:
            await connection.execute(index["definition"])
        for key in keys:
            await connection.execute(
                f"ALTER TABLE {key['table']} ADD CONSTRAINT {key['name']} {key['definition']} NOT VALID"
            )
    await connection.execute(f"VACUUM (ANALYZE) {', '.join(table.name for table in TABLES)}")
