"""Databases of the size of the medium demo, or a third of it, for tests of plans.

They load faster than by `load_demo`.
"""

from typing import Final

import asyncpg

from demo import DemoSize, load_demo
from demo.load import TABLES
from demo.sizes import SizePlan

THIRD_OF_MEDIUM: Final = SizePlan(50, 1_000, 20_000, 150_000, global_entities=24, api_logs=1_600)
"""A third of the medium demo. The tenants' shares are the same, and so the plans are, too."""

_LARGE_TABLES: Final = ["entities", "entity_relationships", "events_log"]
"""Only these tables refer to `entities`, so that their keys and indexes can be dropped together."""

_FOREIGN_KEYS_SQL: Final = """
    SELECT conrelid::regclass::text AS "table", quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])
"""
_INDEXES_SQL: Final = """
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
    WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND c.oid IS NULL
"""


async def load_medium_demo(
    connection: asyncpg.Connection, size: DemoSize | SizePlan = DemoSize.MEDIUM
) -> None:
    """Load the medium demo into a migrated, empty database, and build the large tables' indexes afterwards.

    Then vacuum it, as autovacuum would. Without that no index-only scan happens.
    """
    await connection.execute("SET synchronous_commit = on")  # VACUUM skips pages that are not flushed yet
    async with connection.transaction():
        await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        keys = await connection.fetch(_FOREIGN_KEYS_SQL, _LARGE_TABLES)
        indexes = await connection.fetch(_INDEXES_SQL, _LARGE_TABLES)
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
