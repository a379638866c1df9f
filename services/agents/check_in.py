"""The content of a check-in, and the statement that writes many check-ins (`app.check_in`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from core.database.database import Connection

# The names are those of the function's columns. The casts of the arrays are for drivers that cannot query the
# parameters' types.
_CHECK_IN_SQL: Final = """
SELECT agent_id, guid, refusal
FROM app.check_in(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean
)
"""


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One check-in. A field that is None leaves its column as it is.

    `token_id` is the `jti` of the agent's token, which must not be revoked. It is None where the platform
    checks the agent in.
    """

    agent_id: str
    tenant_id: str
    hostname: str | None = None
    version: str | None = None
    ip_address: str | None = None
    ext_address: str | None = None
    mac_address: str | None = None
    token_id: str | None = None

    def merge_over(self, earlier: "CheckIn") -> "CheckIn":
        """This check-in merged with an earlier one: this one's values win."""
        return replace(earlier, **self.list_reported_fields())

    def without_fields_of(self, later: "CheckIn") -> "CheckIn":
        """The fields of this check-in that a later one of the same agent does not set."""
        nothing: dict[str, Any] = dict.fromkeys(later.list_reported_fields())
        return replace(self, **nothing)

    def list_reported_fields(self) -> dict[str, str]:
        """The agent's reported values, by field name."""
        return {name: value for name in _REPORTED_FIELDS if (value := getattr(self, name)) is not None}


_REPORTED_FIELDS: Final = ("hostname", "version", "ip_address", "ext_address", "mac_address")


class CheckInRefusal(StrEnum):
    """Why a check-in was not written."""

    GONE = "gone"
    """The agent does not exist, or is deleted."""
    INACTIVE = "shut"
    """The agent's site is archived or deleted, or its tenant is not active."""
    REVOKED = "revoked"
    """The agent's token is revoked or replaced."""
    BUSY = "busy"
    """Another transaction holds a lock on the agent's row."""


@dataclass(frozen=True, slots=True)
class WrittenCheckIn:
    """A written check-in: the guid of its agent."""

    guid: str


async def write_check_ins(
    connection: Connection, check_ins: Sequence[CheckIn], *, nowait: bool = False
) -> dict[str, WrittenCheckIn | CheckInRefusal]:
    """Write check-ins in one statement, and mark the health checks of their agents as healthy.

    Args:
        connection: A connection of the tables' owner, in a transaction or not.
        check_ins: Check-ins of different agents.
        nowait: Whether to skip agents with locked rows, with the result BUSY. Otherwise the statement waits.

    Returns:
        The result of each check-in, by agent id.

    Raises:
        asyncpg.LockNotAvailableError: A row stayed locked for too long; nothing is written.
    """
    check_ins = sorted(
        check_ins, key=lambda check_in: check_in.agent_id
    )  # one order on all servers: no deadlocks
    rows = await connection.fetch(
        _CHECK_IN_SQL,
        [check_in.agent_id for check_in in check_ins],
        [check_in.tenant_id for check_in in check_ins],
        [check_in.hostname for check_in in check_ins],
        [check_in.version for check_in in check_ins],
        [check_in.ip_address for check_in in check_ins],
        [check_in.ext_address for check_in in check_ins],
        [check_in.mac_address for check_in in check_ins],
        [check_in.token_id for check_in in check_ins],
        nowait,
    )
    return {
        agent_id: WrittenCheckIn(guid) if refusal is None else CheckInRefusal(refusal)
        for agent_id, guid, refusal in rows
    }
