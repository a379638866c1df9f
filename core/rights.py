"""The rights a role can hold: `Module.Access` names, and what each of them implies."""

from collections.abc import Mapping
from typing import Final

MODULES: Final = (
    "Tenant",
    "Users",
    "Roles",
    "Sites",
    "Integrations",
    "DataSources",
    "Agents",
    "Entities",
    "Jobs",
    "Events",
    "HealthChecks",
    "Logs",
    "Audit",
    "Billing",
)
"""What rights are about; each table is guarded by exactly one of them."""

ACCESSES: Final = ("Read", "Write")
"""What may be done with a module; the later one implies the earlier."""

GLOBAL_ADMIN: Final = "Global.Admin"
"""Every right inside the tenant, those of modules still to come too.

It stays in the closed set beside what it implies: who holds each right of today singly must not be
able to grant it ("nobody can grant a right that they do not hold").
"""

RIGHTS: Final = frozenset(
    {GLOBAL_ADMIN, *(f"{module}.{access}" for module in MODULES for access in ACCESSES)}
)
"""Every right that there is, `Global.Admin` among them."""


def closure(rights: Mapping[str, object]) -> frozenset[str]:
    """What a role's flat `{"Module.Access": true}` object grants, with all that is implied.

    Only JSON `true` grants: not 1, not "true", not an unknown key in any spelling.
    """
    held = {right for right, granted in rights.items() if granted is True and right in RIGHTS}
    if GLOBAL_ADMIN in held:
        return RIGHTS
    return frozenset(held | {implied(right) for right in held})


def implied(right: str) -> str:
    """The weakest right that comes with this one: `Sites.Read` for both of `Sites`."""
    return right.partition(".")[0] + ".Read"
