"""Agents that were imported and send no token yet: which of them may check in by their ids alone, and until when.

    adopt-agents ── listed ── heartbeats by device id, site id and GUID ──┬── the date has passed: 401
                                                                          └── trade: a token, once
                                                                                ├── ids alone: 401
                                                                                └── second trade: 409, health event

The operator lists the agents of a moment. An agent that was ever given a token, or that enrolled here, is never
listed. The ids are no secret, so the list is a risk that the operator takes for a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.database.database import ReadTransaction, Record
from core.errors import ConflictError, UnauthenticatedError
from models.enums import AuditActor, HealthResourceType
from services.agents.replacement import replace_token
from services.device_identity import canonicalize_guid
from services.health_checks import report_health
from services.writes.audit import Actor, write_audit_rows
from services.writes.record import Row, WritableTable, WriteVerb

LEGACY_AGENTS: Final = WritableTable(
    "legacy_agents", "legacy agent", "Agents", (),
    verbs=frozenset({WriteVerb.CREATE, WriteVerb.UPDATE}),
    extra={"agent_id": "text", "until": "bigint", "traded_at": "bigint"},
)  # fmt: skip
"""The columns of a row as the audit log shows it."""

_COLUMNS: Final = ", ".join(f"l.{name}" for name in LEGACY_AGENTS.column_types)
_OPERATOR: Final = Actor(AuditActor.SYSTEM, "adopt-agents")

_SITE: Final = "SELECT EXISTS (SELECT FROM public.sites WHERE id = $1 AND deleted_at IS NULL)"
_LISTED: Final = f"""
SELECT {_COLUMNS} FROM public.legacy_agents l
JOIN public.agents a ON a.tenant_id = l.tenant_id AND a.id = l.agent_id
WHERE l.traded_at IS NULL AND l.until <> $2 AND a.deleted_at IS NULL AND ($1::text IS NULL OR a.site_id = $1)
ORDER BY l.id FOR NO KEY UPDATE OF l
"""  # noqa: S608 - declared names
_EXTEND: Final = f"""
UPDATE public.legacy_agents l SET until = $2, updated_at = app.next_updated_at(l.updated_at)
WHERE l.id = ANY($1::text[]) RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names
# An agent that enrolled before tokens had rows has an entry of its own in the audit log; an import writes none.
_LIST: Final = f"""
INSERT INTO public.legacy_agents AS l (tenant_id, agent_id, until)
SELECT a.tenant_id, a.id, $2::bigint
FROM public.agents a
WHERE a.deleted_at IS NULL AND ($1::text IS NULL OR a.site_id = $1)
  AND NOT EXISTS (SELECT FROM public.issued_credentials c WHERE c.agent_id = a.id)
  AND NOT EXISTS (SELECT FROM public.audit_log e
                  WHERE e.table_name = 'agents' AND e.tenant_id = a.tenant_id AND e.record_id = a.id
                    AND e.action = 'create' AND e.actor_type = 'agent')
ORDER BY a.id
ON CONFLICT (agent_id, tenant_id) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names

_LATEST: Final = "SELECT max(until) FROM public.legacy_agents"
_FIND: Final = """
SELECT a.id, a.tenant_id, a.site_id, a.guid, l.traded_at IS NULL AND l.until > app.now_ms() AS is_accepted
FROM unnest($1::text[]) AS given (id)
JOIN public.agents a ON a.id = given.id AND a.deleted_at IS NULL
JOIN public.legacy_agents l ON l.agent_id = a.id AND l.tenant_id = a.tenant_id
"""
# The agent is locked before its entry, as everywhere.
_TRADING: Final = f"""
SELECT {_COLUMNS}, l.until > app.now_ms() AS is_open, a.site_id, a.guid,
       s.status = 'active' AND s.deleted_at IS NULL AS at_active_site,
       t.status = 'active' AND t.deleted_at IS NULL AS of_active_tenant
FROM public.agents a
JOIN public.legacy_agents l ON l.agent_id = a.id AND l.tenant_id = a.tenant_id
JOIN public.sites s ON s.id = a.site_id AND s.tenant_id = a.tenant_id
JOIN public.tenants t ON t.id = a.tenant_id
WHERE a.id = $1 AND a.deleted_at IS NULL
FOR NO KEY UPDATE OF a, l
"""  # noqa: S608 - declared names
_UNTRADED: Final = f"""
SELECT {_COLUMNS} FROM public.legacy_agents l
WHERE l.tenant_id = $1 AND l.agent_id = $2 AND l.traded_at IS NULL FOR NO KEY UPDATE
"""  # noqa: S608 - declared names
_TRADE: Final = f"""
UPDATE public.legacy_agents l SET traded_at = app.now_ms(), updated_at = app.next_updated_at(l.updated_at)
WHERE l.id = $1 RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names


@dataclass(frozen=True, slots=True)
class LegacyIds:
    """The ids that an agent without a token sends."""

    agent_id: str
    site_id: str
    guid: str

    @property
    def name(self) -> str:
        """The label under which its calls are counted."""
        return f"legacy {self.agent_id}"

    def fits(self, row: Mapping[str, Any] | Record) -> bool:
        """Whether the ids are those of an agent's row."""
        return bool(
            row["site_id"] == self.site_id and self.guid and row["guid"] == canonicalize_guid(self.guid)
        )


@dataclass(frozen=True, slots=True)
class LegacyIdentity:
    """An agent that is known by its ids alone. `is_accepted` is whether it may check in by them now."""

    agent_id: str
    site_id: str
    tenant_id: str
    is_accepted: bool

    @property
    def name(self) -> str:
        """The label under which its calls are counted."""
        return f"legacy {self.agent_id}"


@dataclass(frozen=True, slots=True)
class AdoptionResult:
    """The result of listing: how many agents are new in the list, and how many have another date."""

    listed: int
    changed: int


class SecondTradeError(ConflictError):
    """An agent's ids were traded before. The caller commits the health event."""


def build_not_adopted_error() -> UnauthenticatedError:
    """The error for ids that let nobody in, the same for all reasons."""
    return UnauthenticatedError("Send a token: `Authorization: Bearer <token>`.")


async def list_legacy_agents(
    transaction: ReadTransaction, site_id: str | None, until: int, *, is_past: bool
) -> AdoptionResult | None:
    """List the imported agents, with an audit row each. A date in the past ends the time of those that are listed.

    Args:
        transaction: One that writes, as the platform.
        site_id: Only the agents of this site, if given.
        until: Until when they may check in without a token, in ms since the epoch.
        is_past: Whether `until` is over.

    Returns:
        The counts; None if there is no such site.
    """
    if site_id is not None and not (await transaction.fetch(_SITE, (site_id,)))[0][0]:
        return None
    before = [dict(row) for row in await transaction.fetch(_LISTED, (site_id, until))]
    after = {
        row["id"]: dict(row) for row in await transaction.fetch(_EXTEND, ([r["id"] for r in before], until))
    }
    await _audit(transaction, WriteVerb.UPDATE, [(row, after[row["id"]]) for row in before])
    new = [] if is_past else [dict(row) for row in await transaction.fetch(_LIST, (site_id, until))]
    await _audit(transaction, WriteVerb.CREATE, [(None, row) for row in new])
    return AdoptionResult(len(new), len(before))


async def find_latest_end(transaction: ReadTransaction) -> int | None:
    """The latest time of any listed agent, in ms since the epoch; None if no agent is listed."""
    latest: int | None = (await transaction.fetch(_LATEST, ()))[0][0]
    return latest


async def find_legacy_agents(
    transaction: ReadTransaction, given: Sequence[LegacyIds]
) -> list[LegacyIdentity | None]:
    """The agent of each of these ids, if it is listed."""
    rows = {row["id"]: row for row in await transaction.fetch(_FIND, ([ids.agent_id for ids in given],))}
    return [_identify(ids, rows.get(ids.agent_id)) for ids in given]


def _identify(ids: LegacyIds, row: Record | None) -> LegacyIdentity | None:
    if row is None or not ids.fits(row):
        return None
    return LegacyIdentity(row["id"], row["site_id"], row["tenant_id"], row["is_accepted"])


async def trade_for_token(transaction: ReadTransaction, ids: LegacyIds) -> str:
    """Give an agent a token for its ids, once; returns the id that the token must have.

    Raises:
        UnauthenticatedError: The ids are not those of a listed agent, or its time is over.
        ConflictError: Its site is not active.
        SecondTradeError: The ids were traded before.
    """
    rows = await transaction.fetch(_TRADING, (ids.agent_id,))
    if not rows or not ids.fits(rows[0]) or not rows[0]["of_active_tenant"]:
        raise build_not_adopted_error()
    row = dict(rows[0])
    if row["traded_at"] is not None:
        await _report_second_trade(transaction, row)
        raise SecondTradeError("The ids were traded for a token already. The agent must enroll.")
    if not row["is_open"]:
        raise build_not_adopted_error()
    if not row["at_active_site"]:
        raise ConflictError("The site is not active.")
    actor = Actor(AuditActor.AGENT, row["agent_id"])
    await _mark_traded(transaction, actor, row)
    return await replace_token(transaction, actor, row["tenant_id"], row["agent_id"], is_new=True)


async def end_legacy(transaction: ReadTransaction, actor: Actor, tenant_id: str, agent_id: str) -> None:
    """End the time without a token of an agent that enrolls. Nothing happens if it is not listed."""
    for row in await transaction.fetch(_UNTRADED, (tenant_id, agent_id)):
        await _mark_traded(transaction, actor, dict(row))


async def _mark_traded(transaction: ReadTransaction, actor: Actor, row: Row) -> None:
    (after,) = await transaction.fetch(_TRADE, (row["id"],))
    await write_audit_rows(transaction, actor, LEGACY_AGENTS, WriteVerb.UPDATE, [(row, dict(after))])


async def _report_second_trade(transaction: ReadTransaction, row: Row) -> None:
    await report_health(
        transaction,
        row["tenant_id"],
        HealthResourceType.AGENT,
        row["agent_id"],
        ok=False,
        error_message="The agent's ids were traded for a token a second time, which was refused",
        metadata={"event": "second_trade"},
    )


async def _audit(
    transaction: ReadTransaction, verb: WriteVerb, pairs: Sequence[tuple[Row | None, Row]]
) -> None:
    await write_audit_rows(transaction, _OPERATOR, LEGACY_AGENTS, verb, pairs)
