"""References that a client gives: what they name must be there, undeleted, and the same tenant's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.writes.complaints import Complaints
from services.writes.record import Field, Values
from services.writes.values import Reference
from services.writes.writing import Writing

_OWN: Final = "t.tenant_id = $2::text"


@dataclass(frozen=True, slots=True)
class Target:
    """Which rows of a table may be referred to.

    Attributes:
        condition: The SQL condition on a row `t`.
        lock: Whether the row is held, so that nobody deletes it meanwhile; the request role may do so with rows of
            its own tenant only.
    """

    condition: str
    lock: bool = True


TARGETS: Final[Mapping[str, Target]] = {
    "sites": Target(f"{_OWN} AND t.deleted_at IS NULL"),
    "data_sources": Target(f"{_OWN} AND t.deleted_at IS NULL"),
    "entities": Target(f"{_OWN} AND t.deleted_at IS NULL"),
    "roles": Target(f"({_OWN} OR t.tenant_id IS NULL) AND t.deleted_at IS NULL", lock=False),
    "integrations": Target("true", lock=False),
}
"""The tables that clients can refer to."""


async def check_references(
    writing: Writing, fields: Iterable[Field], values: Values, complaints: Complaints
) -> None:
    """Complain of each reference among the values that leads to nothing the viewer may refer to."""
    for field in fields:
        value = values.get(field.name)
        if isinstance(field.kind, Reference) and value is not None:
            problem = await _problem(writing, field.kind, value)
            if problem:
                complaints.add(field.name, problem)


async def _problem(writing: Writing, reference: Reference, row_id: str) -> str | None:
    target = TARGETS[reference.table]
    more, otherwise = reference.condition or ("true", "")
    sql = f"SELECT ({more}) AS good FROM {reference.table} t WHERE t.id = $1::text AND {target.condition}"
    tenant = [writing.viewer.tenant_id] if "$2" in sql else []
    row = await writing.row(sql + (" FOR KEY SHARE" if target.lock else ""), row_id, *tenant)
    if row is None:
        return "names nothing that is there"
    return None if row["good"] else otherwise
