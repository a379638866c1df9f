"""Health checks of agents, data sources, sites, jobs and integrations."""

from collections.abc import Iterator
from typing import Final

from demo.agents import DemoAgent, iter_agents
from demo.jobs import iter_jobs
from demo.seeded_random import DAY, HOUR, MINUTE, SECOND, SeededRandom
from demo.world import DemoDataSource, DemoWorld, Row, Tenant, demo_table, dump_json

_OFFLINE_MS: Final = 3 * MINUTE
"""The silence after which an agent is offline. After the longer one it is down."""
_DOWN_MS: Final = HOUR


@demo_table(
    "health_checks",
    "id tenant_id resource_type resource_id status failure_count last_check_at last_success_at"
    " last_failure_at error_message metadata created_at updated_at",
)
def health_checks(demo: DemoWorld) -> Iterator[Row]:
    """One check for each monitored resource."""
    for tenant in demo.tenants:
        dice = demo.random_stream("health", tenant.index)
        for agent in iter_agents(demo, tenant):
            if agent.deleted is None:
                yield _make_agent_check(dice, demo, tenant, agent)
        for source in tenant.sources:
            if source.deleted is None:
                yield _make_source_check(dice, demo, tenant, source)
        yield from _iter_other_checks(dice, demo, tenant)


def _make_row(
    dice: SeededRandom,
    demo: DemoWorld,
    tenant: Tenant,
    resource: tuple[str, str],
    age: int,
    down_for: int | None,
    error: str | None = None,
) -> Row:
    """A check; `down_for` is how long the resource has been failing, None if it never failed."""
    failing = error is not None
    status = (
        "healthy" if not failing else "down" if down_for is not None and down_for > _DOWN_MS else "degraded"
    )
    checked = dice.random_age(SECOND, MINUTE)
    failures = min(1 + (down_for or 0) // MINUTE, 9_999) if failing else 0
    success = (
        down_for if failing and down_for is not None and down_for < age else None if failing else checked
    )
    failed = checked if failing else None if down_for is None else checked + down_for
    metadata = dump_json({"latencyMs": dice.randrange(5, 900)}) if dice.happens(0.3) else None
    return (
        dice.generate_id(age), tenant.id, *resource, status, failures, demo.ms_at(checked), demo.ms_at(success),
        demo.ms_at(failed), error, metadata, demo.ms_at(age), demo.ms_at(min(age, down_for or age)),
    )  # fmt: skip


def _make_agent_check(dice: SeededRandom, demo: DemoWorld, tenant: Tenant, agent: DemoAgent) -> Row:
    silence = agent.age if agent.offline_for is None else agent.offline_for
    error = "no check-in" if silence > _OFFLINE_MS else None
    was_down = silence if error else dice.random_age_or_none(0.1, min(agent.age, 5 * DAY))
    return _make_row(dice, demo, tenant, ("agent", agent.id), agent.age, was_down, error)


def _make_source_check(dice: SeededRandom, demo: DemoWorld, tenant: Tenant, source: DemoDataSource) -> Row:
    error = "401 Unauthorized: the client secret has expired" if source.status == "error" else None
    since = dice.random_age(10 * MINUTE, 9 * DAY) if error else None
    return _make_row(dice, demo, tenant, ("data_source", source.id), source.age, since, error)


def _iter_other_checks(dice: SeededRandom, demo: DemoWorld, tenant: Tenant) -> Iterator[Row]:
    for site in tenant.sites:
        if site.deleted is None:
            error = "more than half of the agents are offline" if dice.happens(0.05) else None
            yield _make_row(
                dice,
                demo,
                tenant,
                ("site", site.id),
                site.age,
                dice.random_age(MINUTE, DAY) if error else None,
                error,
            )
    for integration in dict.fromkeys(source.integration for source in tenant.sources):
        yield _make_row(dice, demo, tenant, ("integration", integration), tenant.age // 2, None)
    for job in iter_jobs(demo, tenant):
        if job.status == "failed":
            yield _make_row(dice, demo, tenant, ("scheduled_job", job.id), job.age, job.due, job.error)
