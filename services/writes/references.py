"""Validates references in a client's input: the row must exist, be undeleted, and belong to the same tenant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.writes.field_kinds import ReferenceKind
from services.writes.record import Values, WritableField
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_OWN: Final = "t.tenant_id = $2::text"


@dataclass(frozen=True, slots=True)
class ReferenceTarget:
    """The rows of a table that may be referred to.

    Attributes:
        condition: The SQL condition on a row `t`.
        lock: Whether to lock the row against deletion. The request role can do so only with rows of its own tenant.
    """

    condition: str
    lock: bool = True


TARGETS: Final[Mapping[str, ReferenceTarget]] = {
    "sites": ReferenceTarget(f"{_OWN} AND t.deleted_at IS NULL"),
    "data_sources": ReferenceTarget(f"{_OWN} AND t.deleted_at IS NULL"),
    "entities": ReferenceTarget(f"{_OWN} AND t.deleted_at IS NULL"),
    "roles": ReferenceTarget(f"({_OWN} OR t.tenant_id IS NULL) AND t.deleted_at IS NULL", lock=False),
    "integrations": ReferenceTarget("true", lock=False),
}
"""The tables that clients can refer to."""


async def check_references(
    writing: WriteContext, fields: Iterable[WritableField], values: Values, errors: ValidationErrors
) -> None:
    """Record an error for each reference to a row that does not exist or that the viewer may not refer to."""
    for field in fields:
        value = values.get(field.name)
        if isinstance(field.kind, ReferenceKind) and value is not None:
            problem = await _find_problem(writing, field.kind, value)
            if problem:
                errors.add(field.name, problem)


async def _find_problem(writing: WriteContext, reference: ReferenceKind, row_id: str) -> str | None:
    target = TARGETS[reference.table]
    more, otherwise = reference.condition or ("true", "")
    sql = f"SELECT ({more}) AS good FROM {reference.table} t WHERE t.id = $1::text AND {target.condition}"
    tenant = [writing.viewer.tenant_id] if "$2" in sql else []
    row = await writing.fetch_row(sql + (" FOR KEY SHARE" if target.lock else ""), row_id, *tenant)
    if row is None:
        return "must be the id of an existing row"
    return None if row["good"] else otherwise
