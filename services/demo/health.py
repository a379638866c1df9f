"""Health checks: how agents, data sources, sites, jobs and integrations fare."""

from collections.abc import Iterator
from typing import Final

from services.demo.agents import Agent, enrolled
from services.demo.dice import DAY, HOUR, MINUTE, SECOND, Dice
from services.demo.jobs import queued
from services.demo.world import Demo, Row, Source, Tenant, document, table

_OFFLINE: Final = 3 * MINUTE
"""Silence after which an agent counts as offline; down after the longer one."""
_DOWN: Final = HOUR


@table(
    "health_checks",
    "id tenant_id resource_type resource_id status failure_count last_check_at last_success_at"
    " last_failure_at error_message metadata created_at updated_at",
)
def health_checks(demo: Demo) -> Iterator[Row]:
    """One check for each resource that is looked at."""
    for tenant in demo.tenants:
        dice = demo.stream("health", tenant.index)
        for agent in enrolled(demo, tenant):
            if agent.deleted is None:
                yield _of_agent(dice, demo, tenant, agent)
        for source in tenant.sources:
            if source.deleted is None:
                yield _of_source(dice, demo, tenant, source)
        yield from _of_others(dice, demo, tenant)


def _row(
    dice: Dice,
    demo: Demo,
    tenant: Tenant,
    resource: tuple[str, str],
    age: int,
    down_for: int | None,
    error: str | None = None,
) -> Row:
    """A check; `down_for` is for how long the resource has been failing, None when it never was."""
    failing = error is not None
    status = "healthy" if not failing else "down" if down_for is not None and down_for > _DOWN else "degraded"
    checked = dice.age(SECOND, MINUTE)
    failures = min(1 + (down_for or 0) // MINUTE, 9_999) if failing else 0
    success = (
        down_for if failing and down_for is not None and down_for < age else None if failing else checked
    )
    failed = checked if failing else None if down_for is None else checked + down_for
    metadata = document({"latencyMs": dice.randrange(5, 900)}) if dice.chance(0.3) else None
    return (
        dice.new_id(age), tenant.id, *resource, status, failures, demo.at(checked), demo.at(success),
        demo.at(failed), error, metadata, demo.at(age), demo.at(min(age, down_for or age)),
    )  # fmt: skip


def _of_agent(dice: Dice, demo: Demo, tenant: Tenant, agent: Agent) -> Row:
    silence = agent.age if agent.silence is None else agent.silence
    error = "no check-in" if silence > _OFFLINE else None
    was_down = silence if error else dice.maybe_age(0.1, min(agent.age, 5 * DAY))
    return _row(dice, demo, tenant, ("agent", agent.id), agent.age, was_down, error)


def _of_source(dice: Dice, demo: Demo, tenant: Tenant, source: Source) -> Row:
    error = "401 Unauthorized: the client secret has expired" if source.status == "error" else None
    since = dice.age(10 * MINUTE, 9 * DAY) if error else None
    return _row(dice, demo, tenant, ("data_source", source.id), source.age, since, error)


def _of_others(dice: Dice, demo: Demo, tenant: Tenant) -> Iterator[Row]:
    for site in tenant.sites:
        if site.deleted is None:
            error = "more than half of the agents are offline" if dice.chance(0.05) else None
            yield _row(
                dice,
                demo,
                tenant,
                ("site", site.id),
                site.age,
                dice.age(MINUTE, DAY) if error else None,
                error,
            )
    for integration in dict.fromkeys(source.integration for source in tenant.sources):
        yield _row(dice, demo, tenant, ("integration", integration), tenant.age // 2, None)
    for job in queued(demo, tenant):
        if job.status == "failed":
            yield _row(dice, demo, tenant, ("scheduled_job", job.id), job.age, job.due, job.error)
