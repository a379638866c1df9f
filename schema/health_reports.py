"""`reportHealthCheck`: reports the health of a resource."""

from typing import Final

from strawberry.scalars import ID, JSON

from core.limits import HEALTH_DOWN_AFTER
from schema.connections import argument
from schema.enums import HealthResourceType
from schema.monitoring import HEALTH_CHECKS
from schema.mutation_field import Arguments, MutationField
from services.health_checks import report_health
from services.writes.write_context import WriteContext


async def _report(writing: WriteContext, given: Arguments) -> list[str]:
    writing.require_right("HealthChecks.Write", "Reporting health")
    row_id = await report_health(
        writing.transaction,
        writing.require_tenant(),
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
        about=(
            "Records the result of a check of a resource. The first failure makes it DEGRADED, "
            f"{HEALTH_DOWN_AFTER} failures in a row make it DOWN, a success makes it HEALTHY. Requires the "
            "right `HealthChecks.Write`."
        ),
        arguments=[
            argument("resource_type", HealthResourceType, "The kind of the resource."),
            argument("resource_id", ID, "The id of the resource."),
            argument("ok", bool, "Whether the check succeeded."),
            argument(
                "error_message", str | None, "The error of a failed check. It is ignored for a success."
            ),
            argument(
                "metadata", JSON | None, "Further data about the check. It replaces that of the last report."
            ),
        ],
        run=_report,
        table=HEALTH_CHECKS,
    ),
)
