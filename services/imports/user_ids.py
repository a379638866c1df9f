"""The ids of users that an export has in another field than `_id`: rows that name a user by `_id` are translated."""

from typing import Final

import asyncpg

from core.limits import IMPORT_BATCH_ROWS
from services.imports.import_tables import ImportTable
from services.imports.source import ExportSource, RowRead, TableTally

_CREATE: Final = 'CREATE TEMP TABLE import_user_ids (old_id text COLLATE "C", new_id text COLLATE "C")'
_COLUMNS: Final = ("old_id", "new_id")
_TRANSLATE: Final = """
UPDATE pg_temp.import_{table} s SET {column} = m.new_id
FROM (SELECT DISTINCT ON (old_id) old_id, new_id FROM pg_temp.import_user_ids ORDER BY old_id, new_id) m
WHERE s.{column} = m.old_id AND {condition}
"""
_PERSONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "audit_log": (
        ("user_id", "true"),
        ("actor_id", "s.actor_type = 'user'"),
        ("record_id", "s.table_name = 'users'"),
    ),
    "scheduled_jobs": (("created_by", "true"),),
    "tenant_billing_adjustments": (("created_by", "true"),),
}
"""The columns that may hold the id of a user, and the rows in which they do."""


class UserIds:
    """The ids of the users of one export: those in the file, and those that the rows get.

    They are in a temporary table of the connection.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def create(self) -> None:
        """Create the empty table, which lasts as long as the connection."""
        await self._connection.execute(_CREATE)

    async def add(self, users: list[RowRead], id_position: int) -> None:
        """Add the users of a batch whose id in the file is another one than that of the record."""
        changed = [
            (user.row_id, user.record[id_position])
            for user in users
            if user.record is not None and user.row_id != user.record[id_position]
        ]
        if changed:
            await self._connection.copy_records_to_table(
                "import_user_ids", schema_name="pg_temp", columns=_COLUMNS, records=changed
            )

    async def read(self, source: ExportSource) -> None:
        """Add all users of an export whose table of users is not imported itself."""
        with source.open_table("users", TableTally()) as data:
            position = next(at for at, column in enumerate(data.columns) if column.name == "id")
            batch: list[RowRead] = []
            for user in data.rows:
                batch.append(user)
                if len(batch) == IMPORT_BATCH_ROWS:
                    await self.add(batch, position)
                    batch = []
            await self.add(batch, position)

    async def translate(self, shape: ImportTable) -> None:
        """Replace the ids of users in a staged table."""
        for column, condition in _PERSONS.get(shape.table, ()):
            await self._connection.execute(
                _TRANSLATE.format(table=shape.table, column=column, condition=condition)
            )
