"""Roles and users: who may sign in, and with which rights."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from demo.names import FAMILY_NAMES, GIVEN_NAMES, split_ascii_words
from demo.seeded_random import DAY, HOUR, MINUTE, SeededRandom
from demo.world import DemoWorld, Role, Row, Tenant, User, demo_table, dump_json

_DAILY: Final = (
    "Tenant.Read", "Users.Read", "Roles.Read", "Sites.Read", "Integrations.Read", "DataSources.Read",
    "Agents.Read", "Entities.Read", "Jobs.Read", "Events.Read", "HealthChecks.Read", "Logs.Read",
)  # fmt: skip
ADMINISTRATOR: Final = "Administrator"
READ_ONLY_TECHNICIAN: Final = "Read-only technician"

GLOBAL_ROLES: Final = (
    (ADMINISTRATOR, "Everything inside the tenant.", ("Global.Admin",)),
    (READ_ONLY_TECHNICIAN, "Sees all but billing and the audit trail.", _DAILY),
    (
        "Technician",
        "Runs the service: sites, agents, entities, jobs and health checks; no billing, no audit trail.",
        (*_DAILY, "Sites.Write", "Agents.Write", "Entities.Write", "Jobs.Write", "HealthChecks.Write"),
    ),
    ("Auditor", "Reads everything, changes nothing.", (*_DAILY, "Audit.Read", "Billing.Read")),
    ("Billing clerk", "Reads prices, bills and adjustments.", ("Tenant.Read", "Sites.Read", "Billing.Write")),
)
TENANT_ROLES: Final = (
    (
        "Night shift",
        "Watches health checks outside office hours.",
        ("Agents.Read", "Sites.Read", "HealthChecks.Write"),
    ),
    (
        "Außendienst",
        "Field engineers: their sites and agents.",
        ("Sites.Read", "Agents.Write", "Entities.Read"),
    ),
    ("日本チーム", "The Tokyo team.", (*_DAILY, "Agents.Write")),
)
RETIRED_ROLE: Final = ("Trainee", "No longer given out.", ("Sites.Read",))


def global_roles(dice: SeededRandom) -> list[Role]:
    """The roles that all tenants may use, and a withdrawn one."""
    roles = [_make_role(dice, None, entry, 1_100 * DAY) for entry in GLOBAL_ROLES]
    return [*roles, _make_role(dice, None, RETIRED_ROLE, 1_100 * DAY, deleted=40 * DAY)]


def tenant_roles(dice: SeededRandom, tenant: Tenant) -> list[Role]:
    """A tenant's own roles. In every other tenant one of them is withdrawn."""
    roles = [
        _make_role(dice, tenant, entry, dice.random_age(tenant.age // 4, tenant.age))
        for entry in TENANT_ROLES
    ]
    if tenant.index % 2 == 0:
        roles.append(_make_role(dice, tenant, RETIRED_ROLE, tenant.age // 2, deleted=9 * DAY))
    return roles


def _make_role(
    dice: SeededRandom,
    tenant: Tenant | None,
    entry: tuple[str, str, tuple[str, ...]],
    age: int,
    deleted: int | None = None,
) -> Role:
    name, description, rights = entry
    return Role(dice.generate_id(age), tenant.id if tenant else None, name, description, rights, age, deleted)


def known_user_id(tenant_slug: str, suffix: str) -> str:
    """The readable id of a user for whom the demo prints a token, in the form of Clerk's ids."""
    return "user_2" + "".join(word.capitalize() for word in tenant_slug.split("-")) + suffix


def administrator_id(tenant_slug: str) -> str:
    """The id of a tenant's first administrator."""
    return known_user_id(tenant_slug, "Administrator")


def technician_id(tenant_slug: str) -> str:
    """The id of a tenant's read-only technician."""
    return known_user_id(tenant_slug, "Technician")


def make_users(dice: SeededRandom, tenant: Tenant, offered: list[Role], count: int) -> list[User]:
    """A tenant's users: two with known ids, then others of every role and status."""
    known = [administrator_id(tenant.slug), technician_id(tenant.slug)]
    users = [_make_user(dice, tenant, offered[i], "active", known[i]) for i in range(2)]
    roles = [role for role in chain(offered, tenant.roles) if role.deleted is None]
    for _ in range(count):
        status = dice.choices(("active", "inactive", "pending"), (80, 12, 8))[0]
        users.append(_make_user(dice, tenant, dice.choice(roles), status))
    users.append(_make_former_user(dice, users[2]))
    return users


def _make_user(dice: SeededRandom, tenant: Tenant, role: Role, status: str, known: str | None = None) -> User:
    age = dice.random_age(10 * DAY, tenant.age)
    given, family = dice.choice(GIVEN_NAMES), dice.choice(FAMILY_NAMES)
    invited = status == "pending"
    generated = dice.generate_id(age) if invited else "user_2" + dice.random_base62(26)
    local = (
        f"{'-'.join(split_ascii_words(given))}.{'-'.join(split_ascii_words(family))}.{dice.randrange(1000)}"
    )
    email = f"{local}@{tenant.slug}.example"
    deleted = None if known else dice.random_age_or_none(0.05, min(age, 90 * DAY))
    return User(known or generated, role, f"{given} {family}", email, status, age, deleted)


def _make_former_user(dice: SeededRandom, user: User) -> User:
    """A deleted row of the same person with an earlier id. An e-mail address is unique only among undeleted rows."""
    age = user.age + 30 * DAY
    return User(
        "user_2" + dice.random_base62(26),
        user.role,
        user.name,
        user.email.upper(),
        "inactive",
        age,
        user.age + DAY,
    )


@demo_table("roles", "id tenant_id name description rights created_at updated_at deleted_at")
def roles(demo: DemoWorld) -> Iterator[Row]:
    """Global roles first, then each tenant's own."""
    for role in chain(demo.roles, *(tenant.roles for tenant in demo.tenants)):
        rights = dump_json(dict.fromkeys(role.rights, True))
        yield (
            role.id,
            role.tenant_id,
            role.name,
            role.description,
            rights,
            *demo.row_times(role.age, role.deleted),
        )


@demo_table(
    "users",
    "id tenant_id role_id email name status metadata last_activity_at created_at updated_at deleted_at",
)
def users(demo: DemoWorld) -> Iterator[Row]:
    """All users. A user who is not active was not seen recently. An invited user was never seen."""
    for tenant in demo.tenants:
        dice = demo.random_stream("users", tenant.index)
        for user in tenant.users:
            yield (
                user.id, tenant.id, user.role.id, user.email, user.name, user.status,
                dump_json(_choose_preferences(dice, tenant)), demo.ms_at(_choose_last_seen(dice, user)),
                *demo.row_times(user.age, user.deleted, dice.random_change_age(user.age)),
            )  # fmt: skip


def _choose_preferences(dice: SeededRandom, tenant: Tenant) -> dict[str, object]:
    site = dice.choice(tenant.sites)
    return (
        {"current_site": site.id, "theme": dice.choice(("light", "dark", "system"))}
        if dice.happens(0.7)
        else {}
    )


def _choose_last_seen(dice: SeededRandom, user: User) -> int | None:
    if user.status == "pending":
        return None
    if user.deleted is not None:
        return user.deleted
    return (
        dice.random_age(MINUTE, 20 * HOUR) if user.status == "active" else dice.random_age(5 * DAY, 10 * DAY)
    )
