"""Issued credentials of sites, agents, invited people and the operator. No one has the tokens themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest
from operator import attrgetter
from typing import Final

from demo.agents import DemoAgent, iter_agents
from demo.seeded_random import DAY, HOUR, MINUTE, SeededRandom
from demo.world import DemoWorld, Row, Site, Tenant, User, demo_table, dump_json

_AGENTS: Final = 6
"""How many of the oldest agents in each tenant have a credential. The other tokens are older than such rows."""
_SITES: Final = 3
"""The number of sites in each tenant at which agents could enroll in the last month."""
_AGENT_LIFETIME: Final = 3_650 * DAY
_ENROLLMENT_LIFETIME: Final = 30 * DAY
_WEEK: Final = 7 * DAY


@dataclass(slots=True)
class _DemoCredential:
    """A credential; ages are in ms before the demo's now."""

    kind: str
    age: int
    lifetime: int
    site: str | None = None
    agent: str | None = None
    user: str | None = None
    issuer: tuple[str, str | None] = ("system", None)
    used: int | None = None
    revoked: tuple[int, str | None, str] | None = None
    requested: int | None = None
    approved: tuple[int, str] | None = None


@demo_table(
    "issued_credentials",
    "id tenant_id kind site_id agent_id user_id issuer_type issued_by binding expires_at first_used_at revoked_at"
    " revoked_by revoke_reason replacement_requested_at replacement_approved_at replacement_approved_by"
    " created_at updated_at",
)
def issued_credentials(demo: DemoWorld) -> Iterator[Row]:
    """A few credentials of each kind in each tenant, and two of the operator."""
    dice = demo.random_stream("credentials")
    yield _make_row(dice, demo, None, _DemoCredential("platform", 2 * DAY, _WEEK, used=2 * DAY))
    leaked = (8 * DAY, None, "revoked")
    yield _make_row(
        dice, demo, None, _DemoCredential("platform", 9 * DAY, _WEEK, used=9 * DAY, revoked=leaked)
    )
    for tenant in demo.tenants:
        dice = demo.random_stream("credentials", tenant.index)
        for issued in _iter_credentials(demo, tenant, dice):
            yield _make_row(dice, demo, tenant, issued)


def _iter_credentials(demo: DemoWorld, tenant: Tenant, dice: SeededRandom) -> Iterator[_DemoCredential]:
    administrator, colleague = tenant.users[0], _choose_colleague(tenant)
    for number, site in enumerate(_list_enrollable_sites(tenant)[:_SITES]):
        age = min(dice.random_age(HOUR, 20 * DAY), site.age)
        revoked = (age // 2, colleague.id, "revoked") if number == 0 else None
        issuer = ("platform", None) if number == 1 else ("user", (administrator, colleague)[number // 2].id)
        used = age - MINUTE if number == 0 else None
        yield _DemoCredential(
            "enrollment", age, _ENROLLMENT_LIFETIME, site.id, issuer=issuer, used=used, revoked=revoked
        )
    known = (
        agent
        for agent in iter_agents(demo, tenant)
        if agent.deleted is None and agent.offline_for is not None
    )
    for number, agent in enumerate(nlargest(_AGENTS, known, key=attrgetter("age"))):
        yield from _iter_agent_credentials(agent, colleague, number)
    for user in tenant.users:
        if user.status == "pending" and user.deleted is None:
            issuer = ("user", administrator.id)
            yield _DemoCredential("invitation", min(user.age, DAY), _WEEK, user=user.id, issuer=issuer)


def _list_enrollable_sites(tenant: Tenant) -> list[Site]:
    """The sites at which agents may enroll."""
    return [site for site in tenant.sites if site.status == "active" and site.deleted is None]


def _choose_colleague(tenant: Tenant) -> User:
    """Another active user where the tenant has one, so that not all is the first administrator's."""
    active = (user for user in tenant.users[1:] if user.status == "active" and user.deleted is None)
    return next(active, tenant.users[0])


def _iter_agent_credentials(agent: DemoAgent, approver: User, number: int) -> Iterator[_DemoCredential]:
    """An agent's token; the first agent has enrolled twice, and the second waits for approval."""
    issuer = ("platform", None) if number == 2 else ("agent", None)
    current = _DemoCredential(
        "agent", agent.age, _AGENT_LIFETIME, agent=agent.id, issuer=issuer, used=agent.age
    )
    if number == 0:
        again = min(agent.age, DAY) // 2
        former = _DemoCredential(
            "agent", agent.age, _AGENT_LIFETIME, agent=agent.id, issuer=issuer, used=agent.age
        )
        former.revoked, former.requested = (again, None, "replaced"), again + MINUTE
        former.approved = again + MINUTE // 2, approver.id
        yield former
        current.age = current.used = again
    if number == 1:
        current.requested = min(agent.age, HOUR)
    yield current


def _make_row(dice: SeededRandom, demo: DemoWorld, tenant: Tenant | None, issued: _DemoCredential) -> Row:
    revoked, by, reason = issued.revoked or (None, None, None)
    approved, approver = issued.approved or (None, None)
    changed = min(age for age in (issued.age, revoked, approved) if age is not None)
    return (
        dice.generate_id(issued.age), tenant and tenant.id, issued.kind, issued.site, issued.agent, issued.user,
        *issued.issuer, dump_json({}), demo.now - issued.age + issued.lifetime, demo.ms_at(issued.used),
        demo.ms_at(revoked), by, reason, demo.ms_at(issued.requested), demo.ms_at(approved), approver,
        demo.ms_at(issued.age), demo.ms_at(changed),
    )  # fmt: skip


@demo_table("site_enrollment_rules", "id tenant_id site_id approval_required created_at updated_at")
def site_enrollment_rules(demo: DemoWorld) -> Iterator[Row]:
    """Two rules in each tenant: one site requires approval, and another no longer does."""
    for tenant in demo.tenants:
        dice = demo.random_stream("enrollment-rules", tenant.index)
        for site, required in zip(_list_enrollable_sites(tenant)[-2:], (True, False), strict=False):
            age = min(site.age, 5 * DAY)
            changed = age if required else age // 2
            yield dice.generate_id(age), tenant.id, site.id, required, demo.ms_at(age), demo.ms_at(changed)


@demo_table("legacy_agents", "id tenant_id agent_id until traded_at created_at updated_at")
def legacy_agents(demo: DemoWorld) -> Iterator[Row]:
    """Two agents in each tenant that were imported: one has traded its ids for a token, and one is to be updated."""
    for tenant in demo.tenants:
        dice = demo.random_stream("legacy-agents", tenant.index)
        live = (agent for agent in iter_agents(demo, tenant) if agent.deleted is None)
        for agent, is_traded in zip(live, (False, True), strict=False):
            age = min(agent.age, 9 * DAY)
            traded = age // 2 if is_traded else None
            changed = age if traded is None else traded
            yield (
                dice.generate_id(age), tenant.id, agent.id, demo.now + 60 * DAY, demo.ms_at(traded), demo.ms_at(age),
                demo.ms_at(changed),
            )  # fmt: skip
