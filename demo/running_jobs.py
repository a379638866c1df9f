"""Jobs of the demo that really run, in the minutes after its first start. All its other jobs are history."""

from typing import Final

import asyncpg

from demo.load import AS_PLATFORM

_ENQUEUE: Final = """
WITH made AS (
    INSERT INTO public.scheduled_jobs (tenant_id, action, payload, scheduled_at, created_by)
    SELECT t.id, 'usage.report', '{"pauseMs": 400}',
           app.now_ms() + 20000 + 15000 * row_number() OVER (ORDER BY round, t.id), 'demo'
    FROM public.tenants t CROSS JOIN generate_series(1, 6) round
    WHERE t.status = 'active' AND t.deleted_at IS NULL
    RETURNING id, tenant_id, action, scheduled_at
)
INSERT INTO app.job_queue (job_id, tenant_id, action, due_at)
SELECT id, tenant_id, action, scheduled_at FROM made
"""


async def enqueue_demo_jobs(connection: asyncpg.Connection) -> None:
    """Enqueue a few usage reports for each tenant. The connection is the owner's."""
    async with connection.transaction():
        await connection.execute(AS_PLATFORM)
        await connection.execute(_ENQUEUE)
