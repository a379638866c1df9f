"""The users for whom the demo prints tokens."""

from typing import Final

from api.demo_page import DemoViewer
from core.database.request_role import AnyConnection
from demo.identities import administrator_id, technician_id
from demo.load import AS_PLATFORM
from demo.tenants import tenant_slug

_VIEWERS: Final = """
    SELECT u.id, u.name, r.name AS role, t.name AS tenant
    FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
    JOIN public.users u ON u.id = wanted.id AND u.status = 'active' AND u.deleted_at IS NULL
    JOIN public.roles r ON r.id = u.role_id
    JOIN public.tenants t ON t.id = u.tenant_id
    ORDER BY wanted.place
"""


async def load_demo_viewers(connection: AnyConnection) -> list[DemoViewer]:
    """An administrator and a read-only technician of the first tenant, and an administrator of the second.

    Only users that exist and are active are returned; without demo data there are none. The connection is the
    owner's.
    """
    first, second = tenant_slug(0), tenant_slug(1)
    wanted = [administrator_id(first), technician_id(first), administrator_id(second)]
    async with connection.transaction():
        await connection.execute(AS_PLATFORM)
        found = await connection.fetch(_VIEWERS, wanted)
    return [
        DemoViewer(f"{row['name']}, {row['role'].lower()} of {row['tenant']}", row["id"]) for row in found
    ]
