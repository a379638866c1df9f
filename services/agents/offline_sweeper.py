"""The offline sweeper: finds silent agents and updates their health checks. Going offline writes nothing by itself.

Any number of servers may run it, and each transition is written once. The first server to lock a health check
updates it, and only if it has not changed yet. Servers sweep one at a time.
"""

import asyncio
import random
from time import monotonic
from typing import Final

import structlog

from core.database.database import Database
from core.database.transactions import begin_write
from core.errors import UnavailableError
from core.limits import (
    CLOCK_SKEW_MAX_MS,
    OFFLINE_SWEEP_BATCH,
    OFFLINE_SWEEP_INTERVAL_S,
    OFFLINE_SWEEP_LOAD_SHARE,
    OFFLINE_SWEEP_PAUSE_MAX_S,
)
from core.settings import Settings
from services.import_lock import TRY_BACKGROUND

_log = structlog.get_logger(__name__)

_LOCK: Final = (
    f"SELECT {TRY_BACKGROUND} AND pg_try_advisory_xact_lock(hashtextextended('agents fall silent', 0))"
)

# The sweep locks the agent until its health check is updated, and checks the silence once more under the
# lock. A concurrent check-in has two cases. If it comes first, the sweep sees it. Otherwise it waits, and
# then sets the health check back. A locked health check is left to the next sweep.
#
# Some agents cannot check in: their site is archived or deleted, or their tenant is not active. The sweep
# ignores them. A last check-in in the future does not show when it happened. Such an agent is degraded at
# once, and is down after the usual further delay.
_MARK_UNHEALTHY: Final = """
WITH silent AS (
    SELECT a.id, a.tenant_id,
           CASE WHEN seen.at < app.now_ms() - $2::bigint THEN 'down' ELSE 'degraded' END AS status,
           h.id AS health_check_id
    FROM public.agents a
    JOIN public.sites s
        ON s.id = a.site_id AND s.tenant_id = a.tenant_id AND s.status <> 'archived' AND s.deleted_at IS NULL
    JOIN public.tenants t ON t.id = a.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
    LEFT JOIN public.health_checks h
        ON h.resource_type = 'agent' AND h.resource_id = a.id AND h.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN a.last_checkin_at <= app.now_ms() + $4::bigint THEN a.last_checkin_at
        WHEN h.status = 'degraded' THEN least(h.last_failure_at, app.now_ms()) - $1::bigint
        ELSE app.now_ms() - $1::bigint - 1
    END AS at) seen
    WHERE a.deleted_at IS NULL
      AND (a.last_checkin_at < app.now_ms() - $1::bigint OR a.last_checkin_at > app.now_ms() + $4::bigint)
      AND (coalesce(h.status, 'healthy') = 'healthy'
           OR h.status = 'degraded' AND seen.at < app.now_ms() - $2::bigint)
    LIMIT $3
    FOR NO KEY UPDATE OF a SKIP LOCKED
), free AS (
    SELECT h.id FROM silent s JOIN public.health_checks h ON h.id = s.health_check_id
    FOR NO KEY UPDATE OF h SKIP LOCKED
), turned AS (
    INSERT INTO public.health_checks AS h (
        tenant_id, resource_type, resource_id, status, failure_count, last_check_at, last_failure_at, error_message
    )
    SELECT s.tenant_id, 'agent', s.id, s.status, 1, app.now_ms(), app.now_ms(),
           'No check-in for ' || CASE s.status WHEN 'down' THEN $2::bigint ELSE $1::bigint END / 1000 || ' seconds'
    FROM silent s
    WHERE s.health_check_id IS NULL OR s.health_check_id IN (SELECT f.id FROM free f)
    ORDER BY s.id
    ON CONFLICT (resource_type, resource_id, tenant_id) DO UPDATE
    SET status = excluded.status, failure_count = least(h.failure_count, 2147483646) + 1,
        last_check_at = app.latest(h.last_check_at, excluded.last_check_at),
        last_failure_at = app.latest(h.last_failure_at, excluded.last_failure_at),
        error_message = excluded.error_message, updated_at = app.next_updated_at(h.updated_at)
    WHERE h.status = 'healthy' OR h.status = 'degraded' AND excluded.status = 'down'
    RETURNING 1
)
SELECT (SELECT count(*) FROM silent) AS found, (SELECT count(*) FROM turned) AS turned
"""


async def sweep_periodically(database: Database, settings: Settings) -> None:
    """Sweep for silent agents at intervals, until cancelled. Errors are logged."""
    pause_s = least_s = min(OFFLINE_SWEEP_INTERVAL_S, settings.agent_offline_after / 4)
    while True:
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the servers
        pause_s, began = least_s, monotonic()
        try:
            marked = await sweep_offline_agents(database, settings)
            pause_s = min(
                max(least_s, (monotonic() - began) * OFFLINE_SWEEP_LOAD_SHARE), OFFLINE_SWEEP_PAUSE_MAX_S
            )
            if marked:
                _log.info("agents went offline", turned=marked)
        except UnavailableError:
            pass  # check-ins and requests report it
        except Exception:  # noqa: BLE001 - the server goes on, and the next sweep may succeed
            _log.exception("offline sweep failed")


async def sweep_offline_agents(database: Database, settings: Settings) -> int:
    """Update the health checks of all agents that have been silent for too long; returns the number of updates.

    It does nothing while another server sweeps or an import runs.
    """
    offline_ms = settings.agent_offline_after * 1000
    down_ms = max(settings.agent_down_after * 1000, offline_ms)
    marked, found, batch = 0, OFFLINE_SWEEP_BATCH, 1
    # If none of a batch was updated, other transactions have locked it. Another query would find the same batch.
    while found == OFFLINE_SWEEP_BATCH and batch:
        async with begin_write(database, platform=True) as transaction:
            if not (await transaction.fetch(_LOCK, ()))[0][0]:
                break
            row = (
                await transaction.fetch(
                    _MARK_UNHEALTHY, (offline_ms, down_ms, OFFLINE_SWEEP_BATCH, CLOCK_SKEW_MAX_MS)
                )
            )[0]
            found, batch = row["found"], row["turned"]
            marked += batch
    return marked
