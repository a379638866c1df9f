"""Parents of rows. A row below a deleted parent cannot be restored, since it could not be reached there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.case_conversion import to_camel_case
from core.errors import ConflictError
from services.writes.record import WritableTable
from services.writes.write_context import WriteContext


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent table.

    Attributes:
        column: The column that refers to the parent's row.
        table: The parent's table. Its rows are soft-deleted.
        one: The name of its row in messages.
    """

    column: str
    table: str
    one: str


_SITE: Final = Parent("site_id", "sites", "site")
_SOURCE: Final = Parent("data_source_id", "data_sources", "data source")

PARENTS: Final[Mapping[str, tuple[Parent, ...]]] = {
    "data_sources": (_SITE,),
    "data_source_to_site": (_SOURCE, _SITE),
    "agents": (_SITE,),
    "entities": (_SOURCE, _SITE),
    "entity_relationships": (
        Parent("parent_entity_id", "entities", "entity"),
        Parent("child_entity_id", "entities", "entity"),
    ),
}
"""The parents of each table with rows that can be restored below one.

No one writes in a deleted tenant. A user's role is checked at each change of it (`services.writes.users`).
"""


async def require_parents(writing: WriteContext, record: WritableTable, ids: Sequence[str]) -> None:
    """Require that the rows to restore have no deleted parent, and lock the parents until the transaction ends.

    Raises:
        ConflictError: A parent is deleted; the message names the first.
    """
    for parent in PARENTS.get(record.table, ()) if ids else ():
        rows = await writing.fetch_rows(_build_sql(record, parent), list(ids))
        gone = next((row["id"] for row in rows if row["is_deleted"]), None)
        if gone is not None:
            name = to_camel_case(parent.column)
            raise ConflictError(
                f"The {parent.one} {gone!r} of this {record.one} is deleted: restore it first",
                {name: "is deleted"},
            )


def _build_sql(record: WritableTable, parent: Parent) -> str:
    named = f"SELECT c.{parent.column} FROM {record.table} c WHERE c.id = ANY ($1::text[])"  # noqa: S608 - declared
    found = f"SELECT p.id, p.deleted_at IS NOT NULL AS is_deleted FROM {parent.table} p"  # noqa: S608 - as above
    return f"{found} WHERE p.id IN ({named}) ORDER BY p.id FOR KEY SHARE"
