"""The users whom the demo's printed tokens stand for."""

from dataclasses import dataclass
from typing import Final

import asyncpg

from services.demo.identities import administrator_id, technician_id
from services.demo.load import AS_PLATFORM
from services.demo.tenants import tenant_slug

_VIEWERS: Final = """
    SELECT u.id, u.name, r.name AS role, t.name AS tenant
    FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
    JOIN public.users u ON u.id = wanted.id AND u.status = 'active' AND u.deleted_at IS NULL
    JOIN public.roles r ON r.id = u.role_id
    JOIN public.tenants t ON t.id = u.tenant_id
    ORDER BY wanted.place
"""


@dataclass(frozen=True)
class DemoViewer:
    """Somebody to sign in as; `label` says who it is in one line."""

    label: str
    user_id: str


async def demo_viewers(connection: asyncpg.Connection) -> list[DemoViewer]:
    """An administrator and a read-only technician of the first tenant, an administrator of the second.

    Those of them that are there and active; none without demo data. The connection is the owner's.
    """
    first, second = tenant_slug(0), tenant_slug(1)
    wanted = [administrator_id(first), technician_id(first), administrator_id(second)]
    async with connection.transaction():
        await connection.execute(AS_PLATFORM)
        found = await connection.fetch(_VIEWERS, wanted)
    return [
        DemoViewer(f"{row['name']}, {row['role'].lower()} of {row['tenant']}", row["id"]) for row in found
    ]
