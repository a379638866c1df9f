"""Viewers of every kind, each with the root fields that they may select."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import asyncpg

from core.auth.rights import MODULES, RIGHTS, expand_rights
from core.auth.viewer import ViewerKind
from demo import load_demo_viewers
from schema.table import Scope
from schema.tables import LISTED
from tests.graphql_harness import Principal
from tests.sample_rows import insert_row


@dataclass(frozen=True, slots=True)
class ViewerCase:
    """A viewer.

    Attributes:
        tenant_id: The tenant with the queried rows.
        roots: The root fields that the person may select.
        weight: How often the person sends a request, relative to others.
    """

    principal: Principal
    tenant_id: str
    roots: tuple[str, ...]
    weight: int


_HALF_OF_RIGHTS: Final = [
    f"{module}.{'Write' if place % 4 else 'Read'}" for place, module in enumerate(MODULES) if place % 2
]


async def create_viewer_cases(connection: asyncpg.Connection) -> list[ViewerCase]:
    """The demo's viewers and two new users of small roles; platforms; and an anonymous caller."""
    known = [
        (viewer.user_id, await _find_tenant(connection, viewer.user_id))
        for viewer in await load_demo_viewers(connection)
    ]
    tenant = known[0][1]
    users = [
        *known,
        (await _create_user(connection, tenant, "clerk", _HALF_OF_RIGHTS), tenant),
        (await _create_user(connection, tenant, "guest", ["Sites.Read"]), tenant),
    ]
    found = []
    for (user, of_tenant), label, weight in zip(users, _USER_LABELS, (38, 17, 12, 12, 6), strict=True):
        rights = expand_rights(json.loads(await connection.fetchval(_RIGHTS_SQL, user)))
        found.append(
            ViewerCase(
                Principal(label, ViewerKind.USER, user),
                of_tenant,
                _permitted_roots(rights, platform=False),
                weight,
            )
        )
    everything = _permitted_roots(RIGHTS, platform=True)
    return [
        *found,
        ViewerCase(Principal("platform", ViewerKind.PLATFORM, tenant_id=tenant), tenant, everything, 12),
        ViewerCase(Principal("platform without tenant", ViewerKind.PLATFORM), tenant, everything, 4),
        ViewerCase(Principal("anonymous"), tenant, everything, 1),
    ]


_USER_LABELS: Final = ("administrator", "technician", "neighbour", "clerk", "guest")
_RIGHTS_SQL: Final = "SELECT r.rights::text FROM users u JOIN roles r ON r.id = u.role_id WHERE u.id = $1"


async def _find_tenant(connection: asyncpg.Connection, user_id: str) -> str:
    return str(await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user_id))


async def _create_user(
    connection: asyncpg.Connection, tenant: str, name: str, rights: Collection[str]
) -> str:
    granted = json.dumps(dict.fromkeys(rights, True))
    role = {"tenant_id": tenant, "name": name, "description": "", "rights": granted}
    row = {
        "id": f"a {name}",
        "tenant_id": tenant,
        "role_id": await insert_row(connection, "roles", role),
        "email": name,
        "name": name,
        "status": "active",
    }
    return await insert_row(connection, "users", row)


def _permitted_roots(rights: Collection[str], *, platform: bool) -> tuple[str, ...]:
    tables = [t for t in LISTED if t.right in rights and (platform or t.scope is not Scope.PLATFORM)]
    names = (name for t in tables for name in (t.one, t.many, *t.also_by, *t.also_many))
    return tuple(filter(None, names))
