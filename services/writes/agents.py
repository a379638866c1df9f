"""Agents. They enroll by themselves; users correct, move and remove them."""

from typing import Final

from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS
from services.device_identity import canonicalize_mac
from services.writes.field_kinds import ReferenceKind, TextKind
from services.writes.record import ALL_VERBS, Row, UniqueConstraint, WritableField, WritableTable, WriteVerb
from services.writes.row_changes import update_rows
from services.writes.write_context import WriteContext

_WORD: Final = TextKind(AGENT_WORD_MAX_CHARS)
_MAC: Final = TextKind(AGENT_WORD_MAX_CHARS, canonical=canonicalize_mac)
_GUID: Final = UniqueConstraint(
    "agents_unique_guid", "guid", "is already in use by another agent of the tenant"
)

AGENTS: Final = WritableTable(
    "agents", "agent", "Agents",
    (
        WritableField("hostname", TextKind(AGENT_TEXT_MAX_CHARS)),
        WritableField("platform", _WORD),
        WritableField("version", _WORD),
        WritableField("ip_address", _WORD, null=True),
        WritableField("mac_address", _MAC, null=True),
        WritableField("ext_address", _WORD, null=True),
    ),
    verbs=ALL_VERBS | {WriteVerb.UPDATE},
    bulk=ALL_VERBS,
    uniques=(_GUID,),
    extra={"site_id": "text", "guid": "text"},
)  # fmt: skip

_AGENT_MOVE: Final = WritableTable(
    "agents", "agent", "Agents", (WritableField("site_id", ReferenceKind("sites")),), uniques=(_GUID,)
)
"""The record of agents for a move."""


async def move_agents(writing: WriteContext, ids: list[str], site_id: str) -> list[Row]:
    """Move agents to another site of their tenant.

    Raises:
        ProductError: The viewer may not, or an agent or the site does not exist.
    """
    return await update_rows(writing, _AGENT_MOVE, ids, {"site_id": site_id})
