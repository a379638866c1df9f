"""Agents that fall silent: going offline writes nothing, so it is looked for, and their health checks are turned.

However many servers look, each turn is made once: only of a health check that has not turned yet, by whoever locks it
first. And they look one at a time.
"""

import asyncio
import random
from time import monotonic
from typing import Final

import structlog

from core.database import Database
from core.errors import UnavailableError
from core.limits import SILENCE_LOOK_S, SILENCE_LOOK_SHARE, SILENCE_PAUSE_MAX_S, SILENT_AT_ONCE
from core.settings import Settings
from core.transactions import writing

_log = structlog.get_logger(__name__)

_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('agents fall silent', 0))"

# The agent is locked until its health check has turned, and looked at once more when it is: so a check-in at the same
# moment either comes first, and is seen here, or waits, and then finds the health check to be turned back.
# A health check that somebody holds is left to the next look.
_TURN: Final = """
WITH silent AS (
    SELECT a.id, a.tenant_id, a.last_checkin_at,
           CASE WHEN a.last_checkin_at < app.now_ms() - $2::bigint THEN 'down' ELSE 'degraded' END AS status,
           h.id AS health_check_id
    FROM public.agents a
    LEFT JOIN public.health_checks h
        ON h.resource_type = 'agent' AND h.resource_id = a.id AND h.tenant_id = a.tenant_id
    WHERE a.deleted_at IS NULL AND a.last_checkin_at < app.now_ms() - $1::bigint
      AND (coalesce(h.status, 'healthy') = 'healthy'
           OR h.status = 'degraded' AND a.last_checkin_at < app.now_ms() - $2::bigint)
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
        last_check_at = greatest(h.last_check_at, excluded.last_check_at),
        last_failure_at = greatest(h.last_failure_at, excluded.last_failure_at),
        error_message = excluded.error_message, updated_at = greatest(h.updated_at + 1, excluded.updated_at)
    WHERE h.status = 'healthy' OR h.status = 'degraded' AND excluded.status = 'down'
    RETURNING 1
)
SELECT (SELECT count(*) FROM silent) AS found, (SELECT count(*) FROM turned) AS turned
"""


async def watch_for_silence(database: Database, settings: Settings) -> None:
    """Look for agents that fell silent now and then, until cancelled; what fails is logged."""
    pause_s = least_s = min(SILENCE_LOOK_S, settings.agent_offline_after / 4)
    while True:
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the servers
        pause_s, began = least_s, monotonic()
        try:
            turned = await turn_silent(database, settings)
            pause_s = min(max(least_s, (monotonic() - began) * SILENCE_LOOK_SHARE), SILENCE_PAUSE_MAX_S)
            if turned:
                _log.info("agents fell silent", turned=turned)
        except UnavailableError:
            pass  # check-ins and requests tell
        except Exception:  # noqa: BLE001 - the server serves on, and the next look may succeed
            _log.exception("the look for silent agents failed")


async def turn_silent(database: Database, settings: Settings) -> int:
    """Turn the health checks of all agents that are silent for too long; how many were turned.

    Nothing where another server is at it.
    """
    offline_ms = settings.agent_offline_after * 1000
    down_ms = max(settings.agent_down_after * 1000, offline_ms)
    turned, found, lot = 0, SILENT_AT_ONCE, 1
    # A lot of which none turned is held by others, and would be found again.
    while found == SILENT_AT_ONCE and lot:
        async with writing(database, platform=True) as transaction:
            if not (await transaction.fetch(_LOCK, ()))[0][0]:
                break
            row = (await transaction.fetch(_TURN, (offline_ms, down_ms, SILENT_AT_ONCE)))[0]
            found, lot = row["found"], row["turned"]
            turned += lot
    return turned
