"""Who asks: viewers of every kind, each with the root fields that they may ask for."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import asyncpg

from core.rights import MODULES, RIGHTS, closure
from core.viewer import ViewerKind
from schema.table import Scope
from schema.tables import LISTED
from services.demo import demo_viewers
from tests.graph import Who
from tests.rows import write


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks.

    Attributes:
        tenant_id: The tenant whose rows are asked for.
        roots: The root fields that the person may ask for.
        weight: How often the person asks, by comparison.
    """

    who: Who
    tenant_id: str
    roots: tuple[str, ...]
    weight: int


_HALF: Final = [
    f"{module}.{'Write' if place % 4 else 'Read'}" for place, module in enumerate(MODULES) if place % 2
]


async def people(connection: asyncpg.Connection) -> list[Person]:
    """The demo's viewers and two users of small roles, who are written; platforms, and nobody."""
    known = [
        (viewer.user_id, await _tenant(connection, viewer.user_id))
        for viewer in await demo_viewers(connection)
    ]
    tenant = known[0][1]
    users = [
        *known,
        (await _user(connection, tenant, "clerk", _HALF), tenant),
        (await _user(connection, tenant, "guest", ["Sites.Read"]), tenant),
    ]
    found = []
    for (user, of_tenant), label, weight in zip(users, _USERS, (38, 17, 12, 12, 6), strict=True):
        rights = closure(json.loads(await connection.fetchval(_RIGHTS, user)))
        found.append(
            Person(Who(label, ViewerKind.USER, user), of_tenant, _roots(rights, platform=False), weight)
        )
    everything = _roots(RIGHTS, platform=True)
    return [
        *found,
        Person(Who("platform", ViewerKind.PLATFORM, tenant_id=tenant), tenant, everything, 12),
        Person(Who("platform without tenant", ViewerKind.PLATFORM), tenant, everything, 4),
        Person(Who("anonymous"), tenant, everything, 1),
    ]


_USERS: Final = ("administrator", "technician", "neighbour", "clerk", "guest")
_RIGHTS: Final = "SELECT r.rights::text FROM users u JOIN roles r ON r.id = u.role_id WHERE u.id = $1"


async def _tenant(connection: asyncpg.Connection, user_id: str) -> str:
    return str(await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user_id))


async def _user(connection: asyncpg.Connection, tenant: str, name: str, rights: Collection[str]) -> str:
    granted = json.dumps(dict.fromkeys(rights, True))
    role = {"tenant_id": tenant, "name": name, "description": "", "rights": granted}
    row = {
        "id": f"a {name}",
        "tenant_id": tenant,
        "role_id": await write(connection, "roles", role),
        "email": name,
        "name": name,
        "status": "active",
    }
    return await write(connection, "users", row)


def _roots(rights: Collection[str], *, platform: bool) -> tuple[str, ...]:
    tables = [t for t in LISTED if t.right in rights and (platform or t.scope is not Scope.PLATFORM)]
    names = (name for t in tables for name in (t.one, t.many, *t.also_by, *t.also_many))
    return tuple(filter(None, names))
