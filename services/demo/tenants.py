"""The tenants, and the whole cast that stands under them."""

from collections.abc import Iterator
from typing import Final

from services.demo.dice import DAY, shares, skewed, stream
from services.demo.identities import global_roles, staff, tenant_roles
from services.demo.names import MSP_FIRST, MSP_LAST, MSP_NAMES, slug
from services.demo.sites import open_sites, share_out
from services.demo.sizes import Plan
from services.demo.sources import connect
from services.demo.world import Demo, Role, Row, Tenant, document, table

SUSPENDED: Final = 3
"""The tenant whose service is suspended: not one of those that tokens are printed for."""
INACTIVE: Final = 4
_SKEW: Final = 1.1
"""Sigma of the log-normal weights: with 1.1 a tenth of the tenants holds about half of everything."""
_EPOCH: Final = "first-seen"
"""Ids of tenants come of this and not of the seed: they tell whether any demo is loaded."""


def tenant_name(index: int) -> str:
    """The name of that tenant: a list first, combinations after it."""
    if index < len(MSP_NAMES):
        return MSP_NAMES[index]
    last, first = divmod(index - len(MSP_NAMES), len(MSP_FIRST))
    return f"{MSP_FIRST[first]} {MSP_LAST[last % len(MSP_LAST)]}"


def tenant_slug(index: int) -> str:
    """That tenant's part of addresses and of its known users' ids."""
    return slug(tenant_name(index), f"tenant-{index}")


def tenant_id(index: int) -> str:
    """The id of that tenant, the same in every demo."""
    return stream(_EPOCH, index).new_id(_age(index))


def _age(index: int) -> int:
    return (1_000 - 7 * index) * DAY


def cast(plan: Plan, seed: int, now: int) -> Demo:
    """Everybody and everything that the rows of a demo refer to."""
    roles = global_roles(stream(seed, "roles"))
    tenants = [_tenant(index, offboarded=index == plan.tenants) for index in range(plan.tenants + 1)]
    weights = skewed(len(tenants), _SKEW)
    for tenant, sites in zip(tenants, shares(plan.sites, weights, least=2), strict=True):
        _settle(tenant, roles, sites, seed)
    share_out(tenants, plan)
    return Demo(plan, seed, now, roles, tenants)


def _tenant(index: int, *, offboarded: bool) -> Tenant:
    status = {SUSPENDED: "suspended", INACTIVE: "inactive"}.get(index, "active")
    deleted = 12 * DAY if offboarded else None
    name = tenant_name(index)
    return Tenant(
        index,
        tenant_id(index),
        name,
        tenant_slug(index),
        "inactive" if offboarded else status,
        _age(index),
        deleted,
    )


def _settle(tenant: Tenant, roles: list[Role], sites: int, seed: int) -> None:
    tenant.roles = tenant_roles(stream(seed, "roles", tenant.index), tenant)
    tenant.users = staff(stream(seed, "staff", tenant.index), tenant, roles, 6 + sites // 8)
    tenant.sites = open_sites(stream(seed, "sites", tenant.index), tenant, sites)
    tenant.sources = connect(stream(seed, "sources", tenant.index), tenant)


@table("tenants", "id name status metadata created_at updated_at deleted_at")
def tenants(demo: Demo) -> Iterator[Row]:
    """Each tenant; every third has no metadata."""
    for tenant in demo.tenants:
        metadata = {
            "domain": f"{tenant.slug}.example",
            "timezone": "Europe/Berlin",
            "seats": len(tenant.users),
        }
        yield (
            tenant.id, tenant.name, tenant.status, None if tenant.index % 3 == 2 else document(metadata),
            *demo.times(tenant.age, tenant.deleted),
        )  # fmt: skip
