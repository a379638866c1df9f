"""How long each log is kept: the operator's settings, and the statements that delete what is older.

Each statement deletes one batch and returns the number of its rows. `$1` is the size of a batch, `$2` the age in
milliseconds from which rows are deleted. Logs of tenants are searched by their indexes, tenant by tenant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from core.database.database import Connection
from core.settings import Settings

_DAY_MS: Final = 86_400_000

_BY_CREATION: Final = """
WITH gone AS (
    DELETE FROM public.{table} WHERE id IN (
        SELECT id FROM public.{table} WHERE created_at <= app.now_ms() - $2::bigint ORDER BY created_at LIMIT $1
    ) RETURNING 1
)
SELECT count(*) FROM gone
"""

_BY_TENANT: Final = """
WITH gone AS (
    DELETE FROM public.{table} WHERE id IN (
        SELECT l.id FROM public.tenants t CROSS JOIN LATERAL (
            SELECT id FROM public.{table} x
            WHERE x.tenant_id = t.id AND x.{time} <= app.now_ms() - $2::bigint AND {condition}
            ORDER BY x.{time} LIMIT $1
        ) l LIMIT $1
    ) RETURNING 1
)
SELECT count(*) FROM gone
"""

_AGENT_API_LOGS: Final = _BY_CREATION.format(table="agent_api_logs")
_API_LOGS: Final = _BY_CREATION.format(table="api_logs")
_EVENTS_LOG: Final = _BY_TENANT.format(table="events_log", time="created_at", condition="true")
_SCHEDULED_JOBS: Final = _BY_TENANT.format(
    table="scheduled_jobs",
    time="scheduled_at",
    condition="x.status IN ('completed', 'failed') AND x.updated_at <= app.now_ms() - $2::bigint",
)

_SET_AUDIT_YEARS: Final = """
INSERT INTO app.audit_retention (years) VALUES ($1)
ON CONFLICT (is_only) DO UPDATE SET years = excluded.years WHERE audit_retention.years <> excluded.years
"""
_KEEP_AUDIT_LOG: Final = "DELETE FROM app.audit_retention"

DELETE_AUDIT_ROWS: Final = """
WITH permitted AS (SELECT set_config('app.audit_retention', 'on', true)),
gone AS (
    DELETE FROM public.audit_log WHERE id IN (
        SELECT id FROM public.audit_log, permitted
        WHERE created_at < app.audit_kept_from() ORDER BY created_at LIMIT $1
    ) RETURNING created_at
),
noted AS (
    INSERT INTO public.audit_log (actor_type, table_name, record_id, action, changes)
    SELECT 'system', 'audit_log', 'retention', 'delete',
           jsonb_build_object('rows', jsonb_build_array(count(*), 0),
                              'until', jsonb_build_array(NULL, max(created_at)))
    FROM gone HAVING count(*) > 0
)
SELECT count(*) FROM gone
"""
"""Deletes one batch of the audit log, and writes an audit row that says so."""


class LogPurge(NamedTuple):
    """The deletion of one log: its table, its statement, and the age of what is deleted."""

    table: str
    sql: str
    age_ms: int


@dataclass(frozen=True, slots=True)
class LogRetention:
    """How long each log is kept, in days and years. None keeps a log for ever."""

    agent_api_logs: int | None = None
    api_logs: int | None = None
    events_log: int | None = None
    scheduled_jobs: int | None = None
    audit_log_years: int | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The settings of the operator. A setting of 0 keeps a log for ever."""
        return cls(
            settings.agent_api_logs_days or None,
            settings.api_logs_days or None,
            settings.events_log_days or None,
            settings.scheduled_jobs_days or None,
            settings.audit_log_years or None,
        )

    def purges(self) -> Iterator[LogPurge]:
        """The deletions that are due each day."""
        for table, sql, days in (
            ("agent_api_logs", _AGENT_API_LOGS, self.agent_api_logs),
            ("api_logs", _API_LOGS, self.api_logs),
            ("events_log", _EVENTS_LOG, self.events_log),
            ("scheduled_jobs", _SCHEDULED_JOBS, self.scheduled_jobs),
        ):
            if days is not None:
                yield LogPurge(table, sql, days * _DAY_MS)

    async def apply_audit_years(self, connection: Connection) -> None:
        """Let the trigger of the audit log permit what the setting permits, and nothing else."""
        if self.audit_log_years is None:
            await connection.execute(_KEEP_AUDIT_LOG)
        else:
            await connection.execute(_SET_AUDIT_YEARS, self.audit_log_years)
