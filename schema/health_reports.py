"""`reportHealthCheck`: how a resource fares."""

from typing import Final

from strawberry.scalars import ID, JSON

from core.limits import HEALTH_DOWN_AFTER
from schema.connections import argument
from schema.enums import HealthResourceType
from schema.monitoring import HEALTH_CHECKS
from schema.mutation_field import Arguments, MutationField
from services.health import report_health
from services.writes.writing import Writing


async def _report(writing: Writing, given: Arguments) -> list[str]:
    writing.require("HealthChecks.Write", "Reporting health")
    row_id = await report_health(
        writing.transaction,
        writing.tenant(),
        HealthResourceType(given["resource_type"]),
        given["resource_id"],
        ok=given["ok"],
        error_message=given.get("error_message"),
        metadata=given.get("metadata"),
    )
    return [row_id]


HEALTH_REPORTS: Final = (
    MutationField(
        name="reportHealthCheck",
        about="Note that a resource was looked at, and how it fares. The first failure makes it degraded, "
        f"{HEALTH_DOWN_AFTER} in a row down, a success healthy. Takes the right `HealthChecks.Write`.",
        arguments=[
            argument("resource_type", HealthResourceType, "What was looked at."),
            argument("resource_id", ID, "Which one."),
            argument("ok", bool, "Whether it is well."),
            argument("error_message", str | None, "What is wrong; of no use where it is well."),
            argument("metadata", JSON | None, "What more there is to say; the last report's is forgotten."),
        ],
        run=_report,
        table=HEALTH_CHECKS,
    ),
)
