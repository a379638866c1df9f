"""Enqueues a job in a transaction of its tenant, together with whatever the transaction writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from core.database.database import ReadTransaction
from services.jobs.actions import ACTIONS, Actions

_LOCK_KEY: Final = "SELECT pg_advisory_xact_lock(hashtextextended('job ' || $1 || ' ' || $2, 0))"
_PULL_FORWARD: Final = "SELECT app.pull_job_forward($1, coalesce($2::bigint, app.now_ms())) AS id"
_RESCHEDULE: Final = """
UPDATE public.scheduled_jobs
SET scheduled_at = least(scheduled_at, coalesce($2::bigint, app.now_ms())),
    updated_at = app.next_updated_at(updated_at)
WHERE id = $1 AND scheduled_at > coalesce($2::bigint, app.now_ms())
"""
_INSERT: Final = """
INSERT INTO public.scheduled_jobs (
    tenant_id, integration_id, data_source_id, action, payload, priority, scheduled_at, created_by)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, coalesce($7::bigint, app.now_ms()), $8)
RETURNING id
"""
_QUEUE: Final = "SELECT app.queue_jobs($1::text[], $2::boolean[], $3::text[])"


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to enqueue.

    Attributes:
        action: One of the actions.
        created_by: The user, or the module of this server.
        payload: The parameters of the action.
        integration_id: The integration that it uses, if any.
        data_source_id: The data source that it processes, if any.
        priority: Higher values run first among the jobs of the tenant. None is 0.
        scheduled_at: When it is due, in ms since the epoch. None is now.
        dedupe_key: A waiting job of the tenant with this key is pulled forward instead of a second one.
    """

    action: str
    created_by: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    integration_id: str | None = None
    data_source_id: str | None = None
    priority: int | None = None
    scheduled_at: int | None = None
    dedupe_key: str | None = None


async def enqueue_job(transaction: ReadTransaction, tenant_id: str, request: JobRequest) -> str:
    """Enqueue a job, or pull the waiting one with its key forward; returns its id.

    The transaction writes, and is under the policies of this tenant or the platform's with the tenant set.
    """
    if request.dedupe_key is not None:
        await transaction.fetch(_LOCK_KEY, (tenant_id, request.dedupe_key))
        waiting = (await transaction.fetch(_PULL_FORWARD, (request.dedupe_key, request.scheduled_at)))[0][
            "id"
        ]
        if waiting is not None:
            await transaction.fetch(_RESCHEDULE, (waiting, request.scheduled_at))
            return str(waiting)
    values = (
        tenant_id,
        request.integration_id,
        request.data_source_id,
        request.action,
        orjson.dumps(request.payload).decode(),
        request.priority,
        request.scheduled_at,
        request.created_by,
    )
    job_id = str((await transaction.fetch(_INSERT, values))[0]["id"])
    await queue_jobs(transaction, [(job_id, request.action)], [request.dedupe_key])
    return job_id


async def queue_jobs(
    transaction: ReadTransaction,
    jobs: Sequence[tuple[str, str]],
    dedupe_keys: Sequence[str | None] | None = None,
    actions: Actions = ACTIONS,
) -> None:
    """Put existing jobs of the present tenant into the queue, by their ids and actions, as of their due times."""
    syncs = [name in actions and actions[name].is_sync for _, name in jobs]
    keys = list(dedupe_keys) if dedupe_keys is not None else [None] * len(jobs)
    await transaction.fetch(_QUEUE, ([job_id for job_id, _ in jobs], syncs, keys))
