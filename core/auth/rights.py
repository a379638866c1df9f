"""The rights that a role can have: `Module.Access` names, and the rights that each of them implies."""

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
"""The modules of rights; each table is guarded by exactly one of them."""

ACCESSES: Final = ("Read", "Write")
"""The kinds of access to a module; the later one implies the earlier."""

GLOBAL_ADMIN: Final = "Global.Admin"
"""Every right inside the tenant, including those of future modules.

It stays in the closed set together with the rights that it implies. A role with each present right must not be able
to grant it: a user can grant only rights that the user holds.
"""

RIGHTS: Final = frozenset(
    {GLOBAL_ADMIN, *(f"{module}.{access}" for module in MODULES for access in ACCESSES)}
)
"""Every right, `Global.Admin` included."""


def expand_rights(rights: Mapping[str, object]) -> frozenset[str]:
    """The rights that a role's flat `{"Module.Access": true}` object grants, including all implied ones.

    Only JSON `true` grants: not 1, not "true", and no unknown key in any spelling.
    """
    granted_rights = {right for right, granted in rights.items() if granted is True and right in RIGHTS}
    if GLOBAL_ADMIN in granted_rights:
        return RIGHTS
    return frozenset(granted_rights | {find_implied_right(right) for right in granted_rights})


def find_implied_right(right: str) -> str:
    """The weakest right that this one implies: `Sites.Read` for both rights of `Sites`."""
    return right.partition(".")[0] + ".Read"
