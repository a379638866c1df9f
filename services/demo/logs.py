"""What was called and who changed what: agents' calls, calls to vendors, the audit trail."""

from collections.abc import Iterator
from typing import Any, Final

from services.demo.agents import Agent, enrolled
from services.demo.dice import DAY, HOUR, MINUTE, SECOND, Dice
from services.demo.names import TICKETS
from services.demo.world import Demo, Row, Tenant, document, table

_KEPT: Final = 7 * DAY
"""For how long a call to a vendor is kept."""


@table(
    "agent_api_logs",
    "id tenant_id site_id agent_id endpoint method status_code external_id psa_site_id rmm_device_id"
    " req_metadata res_metadata time_elapsed_ms error_message created_at updated_at",
)
def agent_api_logs(demo: Demo) -> Iterator[Row]:
    """Registrations, tickets and failed check-ins; a check-in that went well is not logged."""
    for tenant in demo.tenants:
        dice = demo.stream("agent-calls", tenant.index)
        for agent in enrolled(demo, tenant):
            if dice.chance(0.5):
                yield _registration(dice, demo, tenant, agent)
            if dice.chance(0.2):
                yield _ticket(dice, demo, tenant, agent)
            if dice.chance(0.05):
                yield _failure(dice, demo, tenant, agent)


def _registration(dice: Dice, demo: Demo, tenant: Tenant, agent: Agent) -> Row:
    request = {"hostname": agent.hostname, "platform": agent.platform}
    return (
        dice.new_id(agent.age), tenant.id, agent.site.id, agent.id, "/v1.0/register", "POST", 200,
        None, None, None, document(request), document({"guid": agent.guid}), dice.randrange(3, 80), None,
        demo.at(agent.age), None,
    )  # fmt: skip


def _ticket(dice: Dice, demo: Demo, tenant: Tenant, agent: Agent) -> Row:
    age, refused = dice.age(0, agent.age), dice.chance(0.08)
    number = None if refused else str(dice.randrange(100_000, 999_999))
    device = dice.guid() if dice.chance(0.5) else None
    return (
        dice.new_id(age), tenant.id, agent.site.id, agent.id, "/v1.0/ticket/create", "POST",
        502 if refused else 200, number, agent.site.psa_company_id, device,
        document({"summary": dice.choice(TICKETS)}), document({"ticketId": number}),
        dice.randrange(180, 4_000), "HaloPSA answered 503" if refused else None,
        demo.at(age), demo.at(max(0, age - SECOND)),
    )  # fmt: skip


def _failure(dice: Dice, demo: Demo, tenant: Tenant, agent: Agent) -> Row:
    """A call that failed after its token was verified; of a registration no agent came."""
    age = dice.age(0, agent.age)
    known = dice.chance(0.6)
    endpoint, status, error = (
        ("/v1.0/heartbeat", 403, "X-Device-ID is not the token's agent")
        if known
        else ("/v1.0/register", 409, "the guid is enrolled at another site")
    )
    return (
        dice.new_id(age), tenant.id, agent.site.id if dice.chance(0.8) else None,
        agent.id if known else None, endpoint, "POST", status, None, None, None,
        document({"hostname": agent.hostname}), document({"code": str(status)}),
        None if dice.chance(0.3) else dice.randrange(1, 9), error, demo.at(age), None,
    )  # fmt: skip


@table(
    "api_logs",
    "id url method status_code duration_ms body response_body headers response_headers error_code"
    " expires_at created_at",
)
def api_logs(demo: Demo) -> Iterator[Row]:
    """The last days' calls to vendors; some had no answer."""
    dice = demo.stream("vendor-calls")
    for _ in range(demo.plan.api_logs):
        age = dice.age(MINUTE, _KEPT - HOUR)
        token, answered = dice.chance(0.3), dice.chance(0.95)
        url = (
            "https://id.sophos.example/api/v2/oauth2/token"
            if token
            else "https://msp.halopsa.example/api/tickets"
        )
        status = dice.choices((200, 401, 429, 503), (90, 3, 4, 3))[0] if answered else None
        yield (
            dice.new_id(age), url, "POST" if token else "GET", status,
            dice.randrange(40, 3_000) if answered else None,
            "grant_type=client_credentials&client_secret=[redacted]" if token else None,
            '{"page_no":1,"tickets":[]}' if status == 200 and not token else None,
            document({"accept": "application/json"}) if dice.chance(0.8) else None,
            document({"content-type": "application/json"}) if answered else None,
            None if answered else "ETIMEDOUT", demo.now - age + _KEPT, demo.at(age),
        )  # fmt: skip


@table("audit_log", "id tenant_id user_id actor_type actor_id table_name record_id action changes created_at")
def audit_log(demo: Demo) -> Iterator[Row]:
    """Who changed what in each tenant, and what the platform wrote to the catalogue."""
    dice = demo.stream("audit")
    for integration in ("halopsa", "autotask"):
        yield _entry(dice, demo, None, ("platform", None, None), ("integrations", integration), 300 * DAY)
    for tenant in demo.tenants:
        for table_name, record_id, age in _records(dice, tenant):
            yield _entry(dice, demo, tenant, _actor(dice, tenant), (table_name, record_id), age)


def _records(dice: Dice, tenant: Tenant) -> Iterator[tuple[str, str, int]]:
    """Table, id and age of what was changed."""
    for site in tenant.sites:
        yield from (("sites", site.id, dice.age(0, site.age)) for _ in range(dice.randrange(1, 4)))
    for user in tenant.users:
        yield "users", user.id, dice.age(0, user.age)
    for source in tenant.sources:
        yield "data_sources", source.id, dice.age(0, source.age)


def _actor(dice: Dice, tenant: Tenant) -> tuple[str, str | None, str | None]:
    """actor_type, actor_id, user_id."""
    kind = dice.choices(("user", "system", "platform", "agent"), (80, 12, 4, 4))[0]
    if kind == "user":
        user = dice.choice(tenant.users).id
        return kind, user, user
    return kind, None if kind == "platform" else f"{kind}:{tenant.slug}", None


def _entry(
    dice: Dice,
    demo: Demo,
    tenant: Tenant | None,
    actor: tuple[str, str | None, str | None],
    record: tuple[str, str],
    age: int,
) -> Row:
    kind, actor_id, user_id = actor
    action = dice.choices(("update", "create", "delete", "restore"), (75, 15, 7, 3))[0]
    return (
        dice.new_id(age), tenant and tenant.id, user_id, kind, actor_id, *record, action,
        document(_changes(action, demo.now - age)), demo.at(age),
    )  # fmt: skip


def _changes(action: str, at: int) -> dict[str, Any]:
    """Each changed column, before and after."""
    if action in ("delete", "restore"):
        before, after = (None, at) if action == "delete" else (at, None)
        return {"deletedAt": [before, after]}
    return {"status": [None if action == "create" else "inactive", "active"]}
