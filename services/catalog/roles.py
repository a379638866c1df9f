"""The global roles that the product ships. The platform may change them."""

from dataclasses import dataclass
from typing import Final

from core.auth.rights import GLOBAL_ADMIN, MODULES

VERSION: Final = 1
"""The version of the roles. A server with an earlier version never replaces the roles of a later one."""
ADMINISTRATOR: Final = "Administrator"
_CLOSED: Final = frozenset({"Audit", "Billing"})
"""Modules that daily work does not need."""
_DAILY: Final = tuple(f"{module}.Read" for module in MODULES if module not in _CLOSED)


@dataclass(frozen=True, slots=True)
class ShippedRole:
    """A global role."""

    name: str
    description: str
    rights: tuple[str, ...]


ROLES: Final = (
    ShippedRole(ADMINISTRATOR, "Everything inside the tenant.", (GLOBAL_ADMIN,)),
    ShippedRole(
        "Technician",
        "Runs the service: sites, agents, entities, jobs and health checks. No billing, no audit log.",
        (*_DAILY, "Sites.Write", "Agents.Write", "Entities.Write", "Jobs.Write", "HealthChecks.Write"),
    ),
    ShippedRole("Read only", "Reads everything but billing and the audit log.", _DAILY),
    ShippedRole(
        "Billing",
        "Reads prices and bills, and writes the tenant's own reconciliation rules.",
        ("Tenant.Read", "Sites.Read", "Integrations.Read", "Billing.Write"),
    ),
)
