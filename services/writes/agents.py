"""Agents: they enrol by themselves; people correct, move and remove them."""

from typing import Final

from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS
from services.writes.changes import update
from services.writes.record import LIFE, Field, Record, Row, Unique, Verb
from services.writes.values import Reference, Text
from services.writes.writing import Writing

_WORD: Final = Text(AGENT_WORD_MAX_CHARS)
_GUID: Final = Unique("agents_unique_guid", "guid", "is another agent's of this tenant")

AGENTS: Final = Record(
    "agents", "agent", "Agents",
    (
        Field("hostname", Text(AGENT_TEXT_MAX_CHARS)),
        Field("platform", _WORD),
        Field("version", _WORD),
        Field("ip_address", _WORD, null=True),
        Field("mac_address", _WORD, null=True),
        Field("ext_address", _WORD, null=True),
    ),
    verbs=LIFE | {Verb.UPDATE},
    bulk=LIFE,
    uniques=(_GUID,),
    extra={"site_id": "text", "guid": "text"},
)  # fmt: skip

_MOVED: Final = Record("agents", "agent", "Agents", (Field("site_id", Reference("sites")),), uniques=(_GUID,))
"""Agents, as a move writes them."""


async def move_agents(writing: Writing, ids: list[str], site_id: str) -> list[Row]:
    """Move agents to another site of their tenant.

    Raises:
        ProductError: The viewer may not, or an agent or the site is not there.
    """
    return await update(writing, _MOVED, ids, {"site_id": site_id})
