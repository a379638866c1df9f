"""Background jobs and the events of entities. Jobs are completed, due, running, failed or retried."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from demo.seeded_random import DAY, HOUR, MINUTE, SECOND, SeededRandom
from demo.vendor_entities import VendorEntity, list_entities
from demo.world import DemoDataSource, DemoWorld, Row, Tenant, demo_table, dump_json

_ACTIONS: Final = {
    "halopsa": ("sync.companies", "sync.endpoints", "sync.tickets"),
    "autotask": ("sync.companies", "sync.tickets"),
    "sophos-partner": ("sync.endpoints", "sync.firewalls"),
    "microsoft-365": ("sync.identities", "sync.groups", "sync.licenses"),
    "datto-rmm": ("sync.sites", "sync.endpoints"),
    "msp-agent": (),
}
_ROUNDS: Final = 3
"""The number of jobs of each data source and action: the newest and earlier ones."""
_ERRORS: Final = (
    "429 Too Many Requests: retry after 30 s",
    "401 Unauthorized: the client secret has expired",
    "503 Service Unavailable",
    "the answer was not JSON: unexpected end at byte 16384",
    "timed out after 60 s",
)
_ATTEMPTS_MAX: Final = 3
_EVENTS_PER_ENTITY: Final = 0.17
_OUTCOMES: Final = {error[:3]: outcome for error, outcome in zip(
    _ERRORS, ("rate_limited", "credentials", "vendor_down", "fault", "vendor_down"), strict=True
)}  # fmt: skip
"""The outcome of an attempt that failed by each error, by how the error begins."""
_RARE_OUTCOMES: Final = ("lost", "released", "outcome_unknown", "canceled")


@dataclass(slots=True, eq=False)
class DemoJob:
    """One job. `due` is the age of its due time, below 0 if that is in the future."""

    id: str
    integration: str | None
    source: DemoDataSource | None
    action: str
    status: str
    attempts: int
    due: int
    started: int | None
    retry: int | None
    error: str | None
    age: int


def iter_jobs(demo: DemoWorld, tenant: Tenant) -> Iterator[DemoJob]:
    """A tenant's jobs. Each call yields the same jobs."""
    dice = demo.random_stream("jobs", tenant.index)
    for source in tenant.sources:
        for action in _ACTIONS[source.integration] if source.deleted is None else ():
            for round_ in range(_ROUNDS):
                yield _make_job(dice, source.integration, source, action, round_)
    for action in ("agents.sweep", "usage.report"):
        for round_ in range(_ROUNDS):
            yield _make_job(dice, "msp-agent" if action == "agents.sweep" else None, None, action, round_)


def _make_job(
    dice: SeededRandom, integration: str | None, source: DemoDataSource | None, action: str, round_: int
) -> DemoJob:
    """The job of that round. Round 0 is the newest, and older jobs are completed."""
    odds = (16, 4, 72, 8) if round_ == 0 else (0, 0, 93, 7)
    status = dice.choices(("pending", "running", "completed", "failed"), odds)[0]
    due = dice.random_age(2 * MINUTE, HOUR) + round_ * 6 * HOUR
    job = DemoJob(
        dice.generate_id(due),
        integration,
        source,
        action,
        status,
        1,
        due,
        due - SECOND,
        None,
        None,
        due + MINUTE,
    )
    if status == "failed":
        job.attempts, job.error = _ATTEMPTS_MAX, dice.choice(_ERRORS)
    elif status == "running":
        job.started = dice.random_age(SECOND, 2 * MINUTE)
    elif status == "pending":
        _make_waiting(dice, job)
    return job


def _make_waiting(dice: SeededRandom, job: DemoJob) -> None:
    """Make a job wait for its first attempt, or for a retry after a failure."""
    if dice.happens(0.35):
        job.attempts, job.error, job.retry = (
            dice.choice((1, 2)),
            dice.choice(_ERRORS),
            -dice.random_age(MINUTE, HOUR),
        )
    else:
        job.attempts, job.started, job.due = 0, None, -dice.random_age(MINUTE, HOUR)


@demo_table(
    "scheduled_jobs",
    "id tenant_id integration_id data_source_id action payload priority status attempts attempts_max"
    " next_retry_at scheduled_at started_at error created_by created_at updated_at",
)
def scheduled_jobs(demo: DemoWorld) -> Iterator[Row]:
    """The jobs of all tenants. Most were made by the scheduler, and some by a user."""
    for tenant in demo.tenants:
        dice = demo.random_stream("job-rows", tenant.index)
        for job in iter_jobs(demo, tenant):
            payload = {
                "full": dice.happens(0.1),
                "site": job.source.site.id if job.source and job.source.site else None,
            }
            maker = dice.choice(tenant.users).id if dice.happens(0.1) else "scheduler"
            changed = job.age if job.started is None else job.started
            yield (
                job.id, tenant.id, job.integration, job.source and job.source.id, job.action,
                dump_json(payload), dice.choice((None, 0, 5, 10)), job.status, job.attempts, _ATTEMPTS_MAX,
                demo.ms_at(job.retry), demo.ms_at(job.due), demo.ms_at(job.started), job.error, maker,
                demo.ms_at(job.age), demo.ms_at(changed),
            )  # fmt: skip


@demo_table("job_attempts", "id tenant_id job_id number started_at ended_at outcome error worker created_at")
def job_attempts(demo: DemoWorld) -> Iterator[Row]:
    """The ended attempts of the jobs. Each tenant has one of each rare outcome."""
    for tenant in demo.tenants:
        dice = demo.random_stream("job-attempts", tenant.index)
        rare = list(_RARE_OUTCOMES)
        for job in iter_jobs(demo, tenant):
            if job.started is None or job.status == "running":
                continue
            error = _OUTCOMES[job.error[:3]] if job.error else None
            for number in range(1, job.attempts + 1):
                is_last = number == job.attempts
                outcome = (
                    (error or "completed") if is_last else (rare.pop() if rare else error or "vendor_down")
                )
                began = job.started + (job.attempts - number) * 10 * MINUTE
                ended = began - dice.random_age(SECOND, MINUTE)
                yield (
                    dice.generate_id(ended), tenant.id, job.id, number, demo.ms_at(began), demo.ms_at(ended), outcome,
                    None if outcome == "completed" else job.error or "The worker was lost", "demo-worker",
                    demo.ms_at(ended),
                )  # fmt: skip


@demo_table("job_progress", "id tenant_id job_id done total unit created_at updated_at")
def job_progress(demo: DemoWorld) -> Iterator[Row]:
    """How far some jobs of each tenant are: those that run, and a few that have ended."""
    for tenant in demo.tenants:
        dice = demo.random_stream("job-progress", tenant.index)
        for number, job in enumerate(iter_jobs(demo, tenant)):
            if job.started is None or (job.status != "running" and number % 10):
                continue
            total = dice.choice((None, 40, 250))
            done = total if total is not None and job.status != "running" else dice.choice((0, 12, 30))
            age = max(0, job.started - SECOND)
            yield (
                dice.generate_id(age), tenant.id, job.id, done, total, dice.choice((None, "devices", "pages")),
                demo.ms_at(age), demo.ms_at(age),
            )  # fmt: skip


@demo_table(
    "events_log",
    "id tenant_id entity_id event_type status payload processed_at retry_count created_at updated_at",
)
def events_log(demo: DemoWorld) -> Iterator[Row]:
    """Events of some entities. The last events are still being processed."""
    for tenant in demo.tenants:
        dice = demo.random_stream("events", tenant.index)
        for thing in list_entities(demo, tenant):
            if dice.happens(_EVENTS_PER_ENTITY):
                yield _make_event(dice, demo, tenant, thing)


def _make_event(dice: SeededRandom, demo: DemoWorld, tenant: Tenant, thing: VendorEntity) -> Row:
    kind, age = ("created", thing.age) if dice.happens(0.4) else ("updated", dice.random_age(0, thing.age))
    if thing.deleted is not None:
        kind, age = "deleted", thing.deleted
    status = "completed" if age > DAY else dice.choice(("completed", "pending", "processing"))
    retries = 0
    if dice.happens(0.03):
        status, retries = "failed", 3
    done = max(0, age - dice.random_age(SECOND, MINUTE)) if status == "completed" else None
    payload = {"entityType": thing.kind, "externalId": thing.external_id, "type": kind}
    return (
        dice.generate_id(age), tenant.id, thing.id, kind, status, dump_json(payload),
        demo.ms_at(done), retries, demo.ms_at(age), demo.ms_at(age if done is None else done),
    )  # fmt: skip
