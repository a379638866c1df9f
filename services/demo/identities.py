"""Roles and users: who may sign in, and what they may do then."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from services.demo.dice import DAY, HOUR, MINUTE, Dice
from services.demo.names import FAMILY_NAMES, GIVEN_NAMES, ascii_words
from services.demo.world import Demo, Role, Row, Tenant, User, document, table

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
    ("Billing clerk", "Prices, bills and adjustments.", ("Tenant.Read", "Sites.Read", "Billing.Write")),
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


def global_roles(dice: Dice) -> list[Role]:
    """The roles that every tenant is offered, and one that was withdrawn."""
    roles = [_role(dice, None, entry, 1_100 * DAY) for entry in GLOBAL_ROLES]
    return [*roles, _role(dice, None, RETIRED_ROLE, 1_100 * DAY, deleted=40 * DAY)]


def tenant_roles(dice: Dice, tenant: Tenant) -> list[Role]:
    """The roles that a tenant has made for itself, one of them withdrawn in every other tenant."""
    roles = [_role(dice, tenant, entry, dice.age(tenant.age // 4, tenant.age)) for entry in TENANT_ROLES]
    if tenant.index % 2 == 0:
        roles.append(_role(dice, tenant, RETIRED_ROLE, tenant.age // 2, deleted=9 * DAY))
    return roles


def _role(
    dice: Dice,
    tenant: Tenant | None,
    entry: tuple[str, str, tuple[str, ...]],
    age: int,
    deleted: int | None = None,
) -> Role:
    name, description, rights = entry
    return Role(dice.new_id(age), tenant.id if tenant else None, name, description, rights, age, deleted)


def known_user_id(tenant_slug: str, part: str) -> str:
    """The readable id of a user whom the demo's printed tokens name, shaped as Clerk's ids are."""
    return "user_2" + "".join(word.capitalize() for word in tenant_slug.split("-")) + part


def administrator_id(tenant_slug: str) -> str:
    """The id of a tenant's first administrator."""
    return known_user_id(tenant_slug, "Administrator")


def technician_id(tenant_slug: str) -> str:
    """The id of a tenant's read-only technician."""
    return known_user_id(tenant_slug, "Technician")


def staff(dice: Dice, tenant: Tenant, offered: list[Role], count: int) -> list[User]:
    """A tenant's users: two who are known by id, then others of every role and status."""
    known = [administrator_id(tenant.slug), technician_id(tenant.slug)]
    users = [_user(dice, tenant, offered[i], "active", known[i]) for i in range(2)]
    roles = [role for role in chain(offered, tenant.roles) if role.deleted is None]
    for _ in range(count):
        status = dice.choices(("active", "inactive", "pending"), (80, 12, 8))[0]
        users.append(_user(dice, tenant, dice.choice(roles), status))
    users.append(_left(dice, users[2]))
    return users


def _user(dice: Dice, tenant: Tenant, role: Role, status: str, known: str | None = None) -> User:
    age = dice.age(10 * DAY, tenant.age)
    given, family = dice.choice(GIVEN_NAMES), dice.choice(FAMILY_NAMES)
    invited = status == "pending"
    generated = dice.new_id(age) if invited else "user_2" + dice.base62(26)
    local = f"{'-'.join(ascii_words(given))}.{'-'.join(ascii_words(family))}.{dice.randrange(1000)}"
    email = f"{local}@{tenant.slug}.example"
    deleted = None if known else dice.maybe_age(0.05, min(age, 90 * DAY))
    return User(known or generated, role, f"{given} {family}", email, status, age, deleted)


def _left(dice: Dice, user: User) -> User:
    """The same person under an earlier id, deleted: an e-mail is unique only among the undeleted."""
    age = user.age + 30 * DAY
    return User(
        "user_2" + dice.base62(26), user.role, user.name, user.email.upper(), "inactive", age, user.age + DAY
    )


@table("roles", "id tenant_id name description rights created_at updated_at deleted_at")
def roles(demo: Demo) -> Iterator[Row]:
    """Global roles first, then each tenant's own."""
    for role in chain(demo.roles, *(tenant.roles for tenant in demo.tenants)):
        rights = document(dict.fromkeys(role.rights, True))
        yield (
            role.id,
            role.tenant_id,
            role.name,
            role.description,
            rights,
            *demo.times(role.age, role.deleted),
        )


@table(
    "users",
    "id tenant_id role_id email name status metadata last_activity_at created_at updated_at deleted_at",
)
def users(demo: Demo) -> Iterator[Row]:
    """Everybody; a user who is not active was not seen lately, an invited one never."""
    for tenant in demo.tenants:
        dice = demo.stream("users", tenant.index)
        for user in tenant.users:
            yield (
                user.id, tenant.id, user.role.id, user.email, user.name, user.status,
                document(_preferences(dice, tenant)), demo.at(_last_seen(dice, user)),
                *demo.times(user.age, user.deleted, dice.last_change(user.age)),
            )  # fmt: skip


def _preferences(dice: Dice, tenant: Tenant) -> dict[str, object]:
    site = dice.choice(tenant.sites)
    return (
        {"current_site": site.id, "theme": dice.choice(("light", "dark", "system"))}
        if dice.chance(0.7)
        else {}
    )


def _last_seen(dice: Dice, user: User) -> int | None:
    if user.status == "pending":
        return None
    if user.deleted is not None:
        return user.deleted
    return dice.age(MINUTE, 20 * HOUR) if user.status == "active" else dice.age(5 * DAY, 10 * DAY)
