"""The tenants, and all rows that belong to them."""

from collections.abc import Iterator
from typing import Final

from demo.identities import global_roles, make_users, tenant_roles
from demo.names import MSP_FIRST, MSP_LAST, MSP_NAMES, to_slug
from demo.seeded_random import DAY, random_stream, skewed_weights, split_in_shares
from demo.sites import distribute_rows, make_sites
from demo.sizes import SizePlan
from demo.sources import make_sources
from demo.world import DemoWorld, Role, Row, Tenant, demo_table, dump_json

SUSPENDED: Final = 3
"""The index of the suspended tenant. No token is printed for it."""
INACTIVE: Final = 4
_SKEW: Final = 1.1
"""Sigma of the log-normal weights. With 1.1 a tenth of the tenants has about half of all rows."""
_EPOCH: Final = "first-seen"
"""The seed of tenants' ids in every demo. So their ids show whether any demo is loaded."""


def tenant_name(index: int) -> str:
    """The name of the tenant with that index: from a list first, then combinations."""
    if index < len(MSP_NAMES):
        return MSP_NAMES[index]
    last, first = divmod(index - len(MSP_NAMES), len(MSP_FIRST))
    return f"{MSP_FIRST[first]} {MSP_LAST[last % len(MSP_LAST)]}"


def tenant_slug(index: int) -> str:
    """The slug of the tenant with that index, for URLs and for the ids of its known users."""
    return to_slug(tenant_name(index), f"tenant-{index}")


def tenant_id(index: int) -> str:
    """The id of the tenant with that index, the same in every demo."""
    return random_stream(_EPOCH, index).generate_id(_compute_tenant_age(index))


def _compute_tenant_age(index: int) -> int:
    return (1_000 - 7 * index) * DAY


def make_world(plan: SizePlan, seed: int, now: int) -> DemoWorld:
    """All people, sites and data sources that the rows of a demo refer to."""
    roles = global_roles(random_stream(seed, "roles"))
    tenants = [_make_tenant(index, offboarded=index == plan.tenants) for index in range(plan.tenants + 1)]
    weights = skewed_weights(len(tenants), _SKEW)
    for tenant, sites in zip(tenants, split_in_shares(plan.sites, weights, least=2), strict=True):
        _fill_tenant(tenant, roles, sites, seed)
    distribute_rows(tenants, plan)
    return DemoWorld(plan, seed, now, roles, tenants)


def _make_tenant(index: int, *, offboarded: bool) -> Tenant:
    status = {SUSPENDED: "suspended", INACTIVE: "inactive"}.get(index, "active")
    deleted = 12 * DAY if offboarded else None
    name = tenant_name(index)
    return Tenant(
        index,
        tenant_id(index),
        name,
        tenant_slug(index),
        "inactive" if offboarded else status,
        _compute_tenant_age(index),
        deleted,
    )


def _fill_tenant(tenant: Tenant, roles: list[Role], sites: int, seed: int) -> None:
    tenant.roles = tenant_roles(random_stream(seed, "roles", tenant.index), tenant)
    tenant.users = make_users(random_stream(seed, "staff", tenant.index), tenant, roles, 6 + sites // 8)
    tenant.sites = make_sites(random_stream(seed, "sites", tenant.index), tenant, sites)
    tenant.sources = make_sources(random_stream(seed, "sources", tenant.index), tenant)


@demo_table("tenants", "id name status metadata created_at updated_at deleted_at")
def tenants(demo: DemoWorld) -> Iterator[Row]:
    """The tenants. Every third has no metadata."""
    for tenant in demo.tenants:
        metadata = {
            "domain": f"{tenant.slug}.example",
            "timezone": "Europe/Berlin",
            "seats": len(tenant.users),
        }
        yield (
            tenant.id, tenant.name, tenant.status, None if tenant.index % 3 == 2 else dump_json(metadata),
            *demo.row_times(tenant.age, tenant.deleted),
        )  # fmt: skip
