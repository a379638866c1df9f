"""Logs: agents' calls, calls to vendors, and the audit log."""

from collections.abc import Iterator
from typing import Any, Final

from demo.agents import DemoAgent, iter_agents
from demo.names import TICKETS
from demo.seeded_random import DAY, HOUR, MINUTE, SECOND, SeededRandom
from demo.world import DemoWorld, Row, Tenant, demo_table, dump_json

_RETENTION: Final = 7 * DAY
"""How long a call to a vendor is kept."""


@demo_table(
    "agent_api_logs",
    "id tenant_id site_id agent_id endpoint method status_code external_id psa_site_id rmm_device_id"
    " req_metadata res_metadata time_elapsed_ms error_message created_at updated_at",
)
def agent_api_logs(demo: DemoWorld) -> Iterator[Row]:
    """Registrations, tickets and failed check-ins. A successful check-in is not logged."""
    for tenant in demo.tenants:
        dice = demo.random_stream("agent-calls", tenant.index)
        for agent in iter_agents(demo, tenant):
            if dice.happens(0.5):
                yield _make_registration(dice, demo, tenant, agent)
            if dice.happens(0.2):
                yield _make_ticket(dice, demo, tenant, agent)
            if dice.happens(0.05):
                yield _make_failure(dice, demo, tenant, agent)


def _make_registration(dice: SeededRandom, demo: DemoWorld, tenant: Tenant, agent: DemoAgent) -> Row:
    request = {"hostname": agent.hostname, "platform": agent.platform}
    return (
        dice.generate_id(agent.age), tenant.id, agent.site.id, agent.id, "/v1.0/register", "POST", 200,
        None, None, None, dump_json(request), dump_json({"guid": agent.guid}), dice.randrange(3, 80), None,
        demo.ms_at(agent.age), None,
    )  # fmt: skip


def _make_ticket(dice: SeededRandom, demo: DemoWorld, tenant: Tenant, agent: DemoAgent) -> Row:
    age, refused = dice.random_age(0, agent.age), dice.happens(0.08)
    number = None if refused else str(dice.randrange(100_000, 999_999))
    device = dice.random_guid() if dice.happens(0.5) else None
    return (
        dice.generate_id(age), tenant.id, agent.site.id, agent.id, "/v1.0/ticket/create", "POST",
        502 if refused else 200, number, agent.site.psa_company_id, device,
        dump_json({"summary": dice.choice(TICKETS)}), dump_json({"ticketId": number}),
        dice.randrange(180, 4_000), "HaloPSA answered 503" if refused else None,
        demo.ms_at(age), demo.ms_at(max(0, age - SECOND)),
    )  # fmt: skip


def _make_failure(dice: SeededRandom, demo: DemoWorld, tenant: Tenant, agent: DemoAgent) -> Row:
    """A call that failed after its token was verified. A failed registration created no agent."""
    age = dice.random_age(0, agent.age)
    known = dice.happens(0.6)
    endpoint, status, error = (
        ("/v1.0/heartbeat", 403, "X-Device-ID is not the token's agent")
        if known
        else ("/v1.0/register", 409, "the guid is enrolled at another site")
    )
    return (
        dice.generate_id(age), tenant.id, agent.site.id if dice.happens(0.8) else None,
        agent.id if known else None, endpoint, "POST", status, None, None, None,
        dump_json({"hostname": agent.hostname}), dump_json({"code": str(status)}),
        None if dice.happens(0.3) else dice.randrange(1, 9), error, demo.ms_at(age), None,
    )  # fmt: skip


@demo_table(
    "api_logs",
    "id url method status_code duration_ms body response_body headers response_headers error_code"
    " expires_at created_at",
)
def api_logs(demo: DemoWorld) -> Iterator[Row]:
    """The last days' calls to vendors. Some had no response."""
    dice = demo.random_stream("vendor-calls")
    for _ in range(demo.plan.api_logs):
        age = dice.random_age(MINUTE, _RETENTION - HOUR)
        token, answered = dice.happens(0.3), dice.happens(0.95)
        url = (
            "https://id.sophos.example/api/v2/oauth2/token"
            if token
            else "https://msp.halopsa.example/api/tickets"
        )
        status = dice.choices((200, 401, 429, 503), (90, 3, 4, 3))[0] if answered else None
        yield (
            dice.generate_id(age), url, "POST" if token else "GET", status,
            dice.randrange(40, 3_000) if answered else None,
            "grant_type=client_credentials&client_secret=[redacted]" if token else None,
            '{"page_no":1,"tickets":[]}' if status == 200 and not token else None,
            dump_json({"accept": "application/json"}) if dice.happens(0.8) else None,
            dump_json({"content-type": "application/json"}) if answered else None,
            None if answered else "ETIMEDOUT", demo.now - age + _RETENTION, demo.ms_at(age),
        )  # fmt: skip


@demo_table(
    "audit_log", "id tenant_id user_id actor_type actor_id table_name record_id action changes created_at"
)
def audit_log(demo: DemoWorld) -> Iterator[Row]:
    """The changes in each tenant with their authors, and the platform's changes of the catalog."""
    dice = demo.random_stream("audit")
    for integration in ("halopsa", "autotask"):
        yield _make_entry(
            dice, demo, None, ("platform", None, None), ("integrations", integration), 300 * DAY
        )
    for tenant in demo.tenants:
        for table_name, record_id, age in _iter_changed_records(dice, tenant):
            yield _make_entry(dice, demo, tenant, _choose_actor(dice, tenant), (table_name, record_id), age)


def _iter_changed_records(dice: SeededRandom, tenant: Tenant) -> Iterator[tuple[str, str, int]]:
    """Table, id and age of each changed row."""
    for site in tenant.sites:
        yield from (("sites", site.id, dice.random_age(0, site.age)) for _ in range(dice.randrange(1, 4)))
    for user in tenant.users:
        yield "users", user.id, dice.random_age(0, user.age)
    for source in tenant.sources:
        yield "data_sources", source.id, dice.random_age(0, source.age)


def _choose_actor(dice: SeededRandom, tenant: Tenant) -> tuple[str, str | None, str | None]:
    """actor_type, actor_id, user_id."""
    kind = dice.choices(("user", "system", "platform", "agent"), (80, 12, 4, 4))[0]
    if kind == "user":
        user = dice.choice(tenant.users).id
        return kind, user, user
    return kind, None if kind == "platform" else f"{kind}:{tenant.slug}", None


def _make_entry(
    dice: SeededRandom,
    demo: DemoWorld,
    tenant: Tenant | None,
    actor: tuple[str, str | None, str | None],
    record: tuple[str, str],
    age: int,
) -> Row:
    kind, actor_id, user_id = actor
    action = dice.choices(("update", "create", "delete", "restore"), (75, 15, 7, 3))[0]
    return (
        dice.generate_id(age), tenant and tenant.id, user_id, kind, actor_id, *record, action,
        dump_json(_make_changes(action, demo.now - age)), demo.ms_at(age),
    )  # fmt: skip


def _make_changes(action: str, at: int) -> dict[str, Any]:
    """Each changed column, before and after."""
    if action in ("delete", "restore"):
        before, after = (None, at) if action == "delete" else (at, None)
        return {"deletedAt": [before, after]}
    return {"status": [None if action == "create" else "inactive", "active"]}
