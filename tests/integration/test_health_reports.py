"""Health reports: one row for each resource, moved on by each report."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from core.errors import BadUserInputError, NotFoundError
from models.enums import HealthResourceType
from services.health import report_health
from tests.clusters import ThrowawayCluster
from tests.writing import Desk, desk

AGENT = HealthResourceType.AGENT


@pytest_asyncio.fixture(loop_scope="session")
async def mine(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Desk]:
    name = await cluster.create(template)
    async with desk(cluster.dsn(name)) as made:
        await made.owner.execute("DELETE FROM health_checks")
        yield made
    await cluster.drop(name)


async def _report(
    at: Desk, *, ok: bool, kind: HealthResourceType = AGENT, resource: str | None = None, **more: Any
) -> dict[str, Any]:
    """Reports, and gives the row as it is then."""
    async with at.transaction() as transaction:
        resource_id = resource or at.mine["agents"]
        row_id = await report_health(transaction, at.tenant_id, kind, resource_id, ok=ok, **more)
    (row,) = await at.rows("SELECT * FROM health_checks WHERE id = $1", row_id)
    return row


async def test_the_first_success_makes_a_healthy_row(mine: Desk) -> None:
    row = await _report(mine, ok=True, metadata={"latencyMs": 3})
    assert (row["status"], row["failure_count"], row["resource_type"]) == ("healthy", 0, "agent")
    assert (row["resource_id"], row["tenant_id"]) == (mine.mine["agents"], mine.tenant_id)
    assert row["last_check_at"] == row["last_success_at"]
    assert (row["last_failure_at"], row["error_message"]) == (None, None)
    assert json.loads(row["metadata"]) == {"latencyMs": 3}


async def test_failures_degrade_then_put_down_and_a_success_heals(mine: Desk) -> None:
    seen = [await _report(mine, ok=ok) for ok in (True, False, False, False, False, True, False)]
    assert [(row["status"], row["failure_count"]) for row in seen] == [
        ("healthy", 0), ("degraded", 1), ("degraded", 2), ("down", 3), ("down", 4), ("healthy", 0), ("degraded", 1)
    ]  # fmt: skip
    assert len({row["id"] for row in seen}) == 1
    assert all(row["updated_at"] > before["updated_at"] for before, row in pairwise(seen))


async def test_the_first_report_may_be_a_failure(mine: Desk) -> None:
    row = await _report(mine, ok=False, error_message="no check-in")
    assert (row["status"], row["failure_count"], row["error_message"]) == ("degraded", 1, "no check-in")
    assert (row["last_success_at"], row["last_failure_at"]) == (None, row["last_check_at"])


@pytest.mark.parametrize(("after", "statuses"), [(1, ["down", "down"]), (2, ["degraded", "down"])])
async def test_how_many_put_it_down_can_be_said(mine: Desk, after: int, statuses: list[str]) -> None:
    assert [(await _report(mine, ok=False, down_after=after))["status"] for _ in statuses] == statuses


async def test_times_are_kept(mine: Desk) -> None:
    success = (await _report(mine, ok=True))["last_success_at"]
    await mine.owner.execute("UPDATE health_checks SET last_success_at = last_success_at - 5000")
    failed = await _report(mine, ok=False)
    assert failed["last_success_at"] == success - 5000
    assert failed["last_failure_at"] >= success
    healed = await _report(mine, ok=True)
    assert healed["last_failure_at"] == failed["last_failure_at"]
    assert healed["last_success_at"] >= failed["last_failure_at"]


async def test_each_report_says_all_anew(mine: Desk) -> None:
    await _report(mine, ok=False, error_message="401", metadata={"a": 1})
    row = await _report(mine, ok=True, error_message="of no use")
    assert (row["error_message"], row["metadata"]) == (None, None)


async def test_a_count_does_not_overflow(mine: Desk) -> None:
    await _report(mine, ok=False)
    await mine.owner.execute("UPDATE health_checks SET failure_count = 2147483646")
    assert [(await _report(mine, ok=False))["failure_count"] for _ in range(2)] == [2147483647] * 2


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("agent", "agents"),
        ("data_source", "data_sources"),
        ("site", "sites"),
        ("scheduled_job", "scheduled_jobs"),
        ("integration", "integrations"),
    ],
)
async def test_every_kind_of_resource(mine: Desk, kind: str, table: str) -> None:
    row = await _report(mine, ok=True, kind=HealthResourceType(kind), resource=mine.mine[table])
    assert row["resource_id"] == mine.mine[table]
    assert row[f"{kind}_id"] == mine.mine[table]


@pytest.mark.parametrize("kind", list(HealthResourceType))
async def test_what_is_not_there_is_not_found(mine: Desk, kind: HealthResourceType) -> None:
    for resource in ("nowhere", "", "\x00", mine.mine["sites" if kind is AGENT else "agents"]):
        with pytest.raises(NotFoundError, match=kind.value.replace("_", " ")):
            await _report(mine, ok=True, kind=kind, resource=resource or " ")
    assert await mine.value("SELECT count(*) FROM health_checks") == 0


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("agent", "agents"),
        ("data_source", "data_sources"),
        ("site", "sites"),
        ("scheduled_job", "scheduled_jobs"),
    ],
)
async def test_a_neighbours_and_a_deleted_one_are_not_there(mine: Desk, kind: str, table: str) -> None:
    with pytest.raises(NotFoundError):
        await _report(mine, ok=True, kind=HealthResourceType(kind), resource=mine.theirs[table])
    if table != "scheduled_jobs":
        await mine.owner.execute(f"UPDATE {table} SET deleted_at = 1")  # noqa: S608 - our own names
        with pytest.raises(NotFoundError):
            await _report(mine, ok=True, kind=HealthResourceType(kind), resource=mine.mine[table])
    assert await mine.value("SELECT count(*) FROM health_checks") == 0


async def test_an_integration_fares_for_each_tenant(mine: Desk) -> None:
    kind, integration = HealthResourceType.INTEGRATION, mine.theirs["integrations"]
    await _report(mine, ok=False, kind=kind, resource=integration)
    async with mine.transaction(mine.theirs["tenants"]) as transaction:
        await report_health(transaction, mine.theirs["tenants"], kind, integration, ok=True)
    statuses = "SELECT array_agg(status ORDER BY status) FROM health_checks WHERE resource_id = $1"
    assert await mine.value(statuses, integration) == ["degraded", "healthy"]


async def test_what_cannot_be_kept_is_refused(mine: Desk) -> None:
    with pytest.raises(BadUserInputError) as caught:
        await _report(mine, ok=False, error_message="\x00", metadata={"a": "\x00"})
    assert set(caught.value.fields) == {"errorMessage", "metadata"}
    with pytest.raises(BadUserInputError):
        await _report(mine, ok=False, error_message="x" * 10_001)
    assert await mine.value("SELECT count(*) FROM health_checks") == 0


async def test_reports_at_once_are_all_counted(mine: Desk) -> None:
    await asyncio.gather(*(_report(mine, ok=False) for _ in range(20)))
    (row,) = await mine.rows("SELECT * FROM health_checks")
    assert (row["failure_count"], row["status"]) == (20, "down")


async def test_nothing_of_it_is_audited(mine: Desk) -> None:
    before = await mine.value("SELECT count(*) FROM audit_log")
    await _report(mine, ok=True)
    assert await mine.value("SELECT count(*) FROM audit_log") == before
