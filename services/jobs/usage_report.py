"""The action `usage.report`: it counts a tenant's agents, site by site, and writes the total to the log.

It changes nothing, so that anybody may run it to see a job run. `pauseMs` in the payload slows it down.
"""

import asyncio
from typing import Any, Final

from services.jobs.context import JobContext

PAYLOAD_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"pauseMs": {"type": "integer", "minimum": 0, "maximum": 10_000}},
    "additionalProperties": False,
}

_SITES: Final = "SELECT id FROM public.sites WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id"
_COUNT: Final = """
SELECT count(*) FROM public.agents WHERE tenant_id = $1 AND site_id = ANY ($2::text[]) AND deleted_at IS NULL
"""
_SITES_PER_PAGE: Final = 5


async def report_usage(context: JobContext) -> None:
    """Count the agents of the job's tenant."""
    pause_s = context.job.payload.get("pauseMs", 0) / 1000
    async with context.transaction() as transaction:
        rows = await transaction.fetch(_SITES, (context.job.tenant_id,))
    sites, agents = [row["id"] for row in rows], 0
    for first in range(0, len(sites), _SITES_PER_PAGE):
        context.checkpoint()
        page = sites[first : first + _SITES_PER_PAGE]
        async with context.transaction() as transaction:
            agents += (await transaction.fetch(_COUNT, (context.job.tenant_id, page)))[0][0]
        context.report_progress(first + len(page), len(sites), "sites")
        await asyncio.sleep(pause_s)
    context.log.info("usage reported", sites=len(sites), agents=agents)
