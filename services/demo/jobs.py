"""Background jobs and the events of entities: done, due, running, failed and tried again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.demo.dice import DAY, HOUR, MINUTE, SECOND, Dice
from services.demo.things import Thing, things
from services.demo.world import Demo, Row, Source, Tenant, document, table

_ACTIONS: Final = {
    "halopsa": ("sync.companies", "sync.endpoints", "sync.tickets"),
    "autotask": ("sync.companies", "sync.tickets"),
    "sophos-partner": ("sync.endpoints", "sync.firewalls"),
    "microsoft-365": ("sync.identities", "sync.groups", "sync.licenses"),
    "datto-rmm": ("sync.sites", "sync.endpoints"),
    "msp-agent": (),
}
_ROUNDS: Final = 3
"""Jobs of each data source and action: the newest and those before it."""
_ERRORS: Final = (
    "429 Too Many Requests: retry after 30 s",
    "401 Unauthorized: the client secret has expired",
    "503 Service Unavailable",
    "the answer was not JSON: unexpected end at byte 16384",
    "timed out after 60 s",
)
_EVENTS_PER_ENTITY: Final = 0.17


@dataclass(slots=True, eq=False)
class Job:
    """One job. `due` is how long ago it was due, below 0 when it still will be."""

    id: str
    integration: str
    source: Source | None
    action: str
    status: str
    attempts: int
    due: int
    started: int | None
    retry: int | None
    error: str | None
    age: int


def queued(demo: Demo, tenant: Tenant) -> Iterator[Job]:
    """A tenant's jobs; the same again whenever asked."""
    dice = demo.stream("jobs", tenant.index)
    for source in tenant.sources:
        for action in _ACTIONS[source.integration] if source.deleted is None else ():
            for round_ in range(_ROUNDS):
                yield _job(dice, source.integration, source, action, round_)
    for action in ("agents.sweep", "usage.report"):
        for round_ in range(_ROUNDS):
            yield _job(dice, "msp-agent", None, action, round_)


def _job(dice: Dice, integration: str, source: Source | None, action: str, round_: int) -> Job:
    """The job of that round, 0 being the newest: older ones are over."""
    odds = (16, 4, 72, 8) if round_ == 0 else (0, 0, 93, 7)
    status = dice.choices(("pending", "running", "completed", "failed"), odds)[0]
    due = dice.age(2 * MINUTE, HOUR) + round_ * 6 * HOUR
    job = Job(
        dice.new_id(due), integration, source, action, status, 1, due, due - SECOND, None, None, due + MINUTE
    )
    if status == "failed":
        job.attempts, job.error = 3, dice.choice(_ERRORS)
    elif status == "running":
        job.started = dice.age(SECOND, 2 * MINUTE)
    elif status == "pending":
        _wait(dice, job)
    return job


def _wait(dice: Dice, job: Job) -> None:
    """Makes a job wait: for its first attempt, or for another one after a failure."""
    if dice.chance(0.35):
        job.attempts, job.error, job.retry = (
            dice.choice((1, 2)),
            dice.choice(_ERRORS),
            -dice.age(MINUTE, HOUR),
        )
    else:
        job.attempts, job.started, job.due = 0, None, -dice.age(MINUTE, HOUR)


@table(
    "scheduled_jobs",
    "id tenant_id integration_id data_source_id action payload priority status attempts attempts_max"
    " next_retry_at scheduled_at started_at error created_by created_at updated_at",
)
def scheduled_jobs(demo: Demo) -> Iterator[Row]:
    """Every tenant's jobs; most were made by the scheduler, some by a user."""
    for tenant in demo.tenants:
        dice = demo.stream("job-rows", tenant.index)
        for job in queued(demo, tenant):
            payload = {
                "full": dice.chance(0.1),
                "site": job.source.site.id if job.source and job.source.site else None,
            }
            maker = dice.choice(tenant.users).id if dice.chance(0.1) else "scheduler"
            changed = job.age if job.started is None else job.started
            yield (
                job.id, tenant.id, job.integration, job.source and job.source.id, job.action,
                document(payload), dice.choice((None, 0, 5, 10)), job.status, job.attempts, 3,
                demo.at(job.retry), demo.at(job.due), demo.at(job.started), job.error, maker,
                demo.at(job.age), demo.at(changed),
            )  # fmt: skip


@table(
    "events_log",
    "id tenant_id entity_id event_type status payload processed_at retry_count created_at updated_at",
)
def events_log(demo: Demo) -> Iterator[Row]:
    """What happened to some of the entities; the last events are still being processed."""
    for tenant in demo.tenants:
        dice = demo.stream("events", tenant.index)
        for thing in things(demo, tenant):
            if dice.chance(_EVENTS_PER_ENTITY):
                yield _event(dice, demo, tenant, thing)


def _event(dice: Dice, demo: Demo, tenant: Tenant, thing: Thing) -> Row:
    kind, age = ("created", thing.age) if dice.chance(0.4) else ("updated", dice.age(0, thing.age))
    if thing.deleted is not None:
        kind, age = "deleted", thing.deleted
    status = "completed" if age > DAY else dice.choice(("completed", "pending", "processing"))
    retries = 0
    if dice.chance(0.03):
        status, retries = "failed", 3
    done = max(0, age - dice.age(SECOND, MINUTE)) if status == "completed" else None
    payload = {"entityType": thing.kind, "externalId": thing.external_id, "type": kind}
    return (
        dice.new_id(age), tenant.id, thing.id, kind, status, document(payload),
        demo.at(done), retries, demo.at(age), demo.at(age if done is None else done),
    )  # fmt: skip
