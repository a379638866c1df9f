"""What agents tell when they check in, and the statement that writes many of them (`app.check_in`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from core.database import Connection

# The names are those of the function's columns; the arrays' casts are for drivers that cannot ask what they are.
_CHECK_IN: Final = """
SELECT agent_id, guid, refusal
FROM app.check_in($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean)
"""


@dataclass(frozen=True, slots=True)
class Beat:
    """One check-in; what is None stays as it was."""

    agent_id: str
    tenant_id: str
    hostname: str | None = None
    version: str | None = None
    ip_address: str | None = None
    ext_address: str | None = None
    mac_address: str | None = None

    def over(self, earlier: "Beat") -> "Beat":
        """What the two tell together, this one being the later."""
        return replace(earlier, **self.told())

    def without(self, later: "Beat") -> "Beat":
        """What this one tells and a later one of the same agent does not."""
        nothing: dict[str, Any] = dict.fromkeys(later.told())
        return replace(self, **nothing)

    def told(self) -> dict[str, str]:
        """What it tells of the agent, by the fields' names."""
        return {name: value for name in _TELLING if (value := getattr(self, name)) is not None}


_TELLING: Final = ("hostname", "version", "ip_address", "ext_address", "mac_address")


class Refusal(StrEnum):
    """Why a check-in was not written."""

    GONE = "gone"
    """There is no such agent, or it is deleted."""
    SHUT = "shut"
    """Its site is archived or deleted, or its tenant is not active."""
    BUSY = "busy"
    """Somebody holds its row."""


@dataclass(frozen=True, slots=True)
class Written:
    """A check-in that is written, and the agent's guid."""

    guid: str


async def write_beats(
    connection: Connection, beats: Sequence[Beat], *, impatient: bool = False
) -> dict[str, Written | Refusal]:
    """Write check-ins in one statement, and turn their agents' health checks healthy.

    Args:
        connection: The tables' owner's, in a transaction or not.
        beats: Of different agents.
        impatient: Whether agents whose rows somebody holds are left out, as BUSY. Otherwise they are waited for.

    Returns:
        By the agents' ids, what has become of each.

    Raises:
        asyncpg.LockNotAvailableError: Somebody has held a row for too long; nothing is written.
    """
    beats = sorted(beats, key=lambda beat: beat.agent_id)  # so that two servers lock in the same order
    rows = await connection.fetch(
        _CHECK_IN,
        [beat.agent_id for beat in beats],
        [beat.tenant_id for beat in beats],
        [beat.hostname for beat in beats],
        [beat.version for beat in beats],
        [beat.ip_address for beat in beats],
        [beat.ext_address for beat in beats],
        [beat.mac_address for beat in beats],
        impatient,
    )
    return {
        agent_id: Written(guid) if refusal is None else Refusal(refusal) for agent_id, guid, refusal in rows
    }
