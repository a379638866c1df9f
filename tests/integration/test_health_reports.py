"""Health reports: one row for each resource, updated by each report."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from core.errors import BadUserInputError, NotFoundError
from models.enums import HealthResourceType
from services.health_checks import report_health
from tests.transaction_harness import TransactionHarness

AGENT = HealthResourceType.AGENT


@pytest_asyncio.fixture(loop_scope="session")
async def transaction_harness(transaction_harness: TransactionHarness) -> TransactionHarness:
    """Without health checks."""
    await transaction_harness.owner.execute("DELETE FROM health_checks")
    return transaction_harness


async def _report_and_read(
    transaction_harness: TransactionHarness,
    *,
    ok: bool,
    kind: HealthResourceType = AGENT,
    resource: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Send the reports; returns the row afterwards."""
    async with transaction_harness.transaction() as transaction:
        resource_id = resource or transaction_harness.mine["agents"]
        row_id = await report_health(
            transaction, transaction_harness.tenant_id, kind, resource_id, ok=ok, **more
        )
    (row,) = await transaction_harness.fetch_rows("SELECT * FROM health_checks WHERE id = $1", row_id)
    return row


async def test_first_report_of_success_creates_healthy_row(transaction_harness: TransactionHarness) -> None:
    row = await _report_and_read(transaction_harness, ok=True, metadata={"latencyMs": 3})
    assert (row["status"], row["failure_count"], row["resource_type"]) == ("healthy", 0, "agent")
    assert (row["resource_id"], row["tenant_id"]) == (
        transaction_harness.mine["agents"],
        transaction_harness.tenant_id,
    )
    assert row["last_check_at"] == row["last_success_at"]
    assert (row["last_failure_at"], row["error_message"]) == (None, None)
    assert json.loads(row["metadata"]) == {"latencyMs": 3}


async def test_reports_of_failure_degrade_then_mark_down_until_success(
    transaction_harness: TransactionHarness,
) -> None:
    seen = [
        await _report_and_read(transaction_harness, ok=ok)
        for ok in (True, False, False, False, False, True, False)
    ]
    assert [(row["status"], row["failure_count"]) for row in seen] == [
        ("healthy", 0), ("degraded", 1), ("degraded", 2), ("down", 3), ("down", 4), ("healthy", 0), ("degraded", 1)
    ]  # fmt: skip
    assert len({row["id"] for row in seen}) == 1
    assert all(row["updated_at"] > before["updated_at"] for before, row in pairwise(seen))


async def test_first_report_of_failure_creates_degraded_row(transaction_harness: TransactionHarness) -> None:
    row = await _report_and_read(transaction_harness, ok=False, error_message="no check-in")
    assert (row["status"], row["failure_count"], row["error_message"]) == ("degraded", 1, "no check-in")
    assert (row["last_success_at"], row["last_failure_at"]) == (None, row["last_check_at"])


@pytest.mark.parametrize(("after", "statuses"), [(1, ["down", "down"]), (2, ["degraded", "down"])])
async def test_report_with_down_after_marks_down_at_that_count(
    transaction_harness: TransactionHarness, after: int, statuses: list[str]
) -> None:
    assert [
        (await _report_and_read(transaction_harness, ok=False, down_after=after))["status"] for _ in statuses
    ] == statuses


async def test_report_keeps_time_of_other_outcome(transaction_harness: TransactionHarness) -> None:
    success = (await _report_and_read(transaction_harness, ok=True))["last_success_at"]
    await transaction_harness.owner.execute(
        "UPDATE health_checks SET last_success_at = last_success_at - 5000"
    )
    failed = await _report_and_read(transaction_harness, ok=False)
    assert failed["last_success_at"] == success - 5000
    assert failed["last_failure_at"] >= success
    healed = await _report_and_read(transaction_harness, ok=True)
    assert healed["last_failure_at"] == failed["last_failure_at"]
    assert healed["last_success_at"] >= failed["last_failure_at"]


async def test_report_of_success_clears_message_and_metadata(transaction_harness: TransactionHarness) -> None:
    await _report_and_read(transaction_harness, ok=False, error_message="401", metadata={"a": 1})
    row = await _report_and_read(transaction_harness, ok=True, error_message="of no use")
    assert (row["error_message"], row["metadata"]) == (None, None)


async def test_report_at_largest_failure_count_does_not_overflow(
    transaction_harness: TransactionHarness,
) -> None:
    await _report_and_read(transaction_harness, ok=False)
    await transaction_harness.owner.execute("UPDATE health_checks SET failure_count = 2147483646")
    assert [(await _report_and_read(transaction_harness, ok=False))["failure_count"] for _ in range(2)] == [
        2147483647
    ] * 2


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
async def test_report_of_every_resource_type_sets_its_column(
    transaction_harness: TransactionHarness, kind: str, table: str
) -> None:
    row = await _report_and_read(
        transaction_harness, ok=True, kind=HealthResourceType(kind), resource=transaction_harness.mine[table]
    )
    assert row["resource_id"] == transaction_harness.mine[table]
    assert row[f"{kind}_id"] == transaction_harness.mine[table]


@pytest.mark.parametrize("kind", list(HealthResourceType))
async def test_report_of_unknown_resource_is_not_found(
    transaction_harness: TransactionHarness, kind: HealthResourceType
) -> None:
    for resource in ("nowhere", "", "\x00", transaction_harness.mine["sites" if kind is AGENT else "agents"]):
        with pytest.raises(NotFoundError, match=kind.value.replace("_", " ")):
            await _report_and_read(transaction_harness, ok=True, kind=kind, resource=resource or " ")
    assert await transaction_harness.fetch_value("SELECT count(*) FROM health_checks") == 0


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("agent", "agents"),
        ("data_source", "data_sources"),
        ("site", "sites"),
        ("scheduled_job", "scheduled_jobs"),
    ],
)
async def test_report_of_foreign_or_deleted_resource_is_not_found(
    transaction_harness: TransactionHarness, kind: str, table: str
) -> None:
    with pytest.raises(NotFoundError):
        await _report_and_read(
            transaction_harness,
            ok=True,
            kind=HealthResourceType(kind),
            resource=transaction_harness.theirs[table],
        )
    if table != "scheduled_jobs":
        await transaction_harness.owner.execute(f"UPDATE {table} SET deleted_at = 1")
        with pytest.raises(NotFoundError):
            await _report_and_read(
                transaction_harness,
                ok=True,
                kind=HealthResourceType(kind),
                resource=transaction_harness.mine[table],
            )
    assert await transaction_harness.fetch_value("SELECT count(*) FROM health_checks") == 0


async def test_report_of_integration_is_separate_for_each_tenant(
    transaction_harness: TransactionHarness,
) -> None:
    kind, integration = HealthResourceType.INTEGRATION, transaction_harness.theirs["integrations"]
    await _report_and_read(transaction_harness, ok=False, kind=kind, resource=integration)
    async with transaction_harness.transaction(transaction_harness.theirs["tenants"]) as transaction:
        await report_health(transaction, transaction_harness.theirs["tenants"], kind, integration, ok=True)
    statuses = "SELECT array_agg(status ORDER BY status) FROM health_checks WHERE resource_id = $1"
    assert await transaction_harness.fetch_value(statuses, integration) == ["degraded", "healthy"]


async def test_report_with_unstorable_text_is_bad_user_input(transaction_harness: TransactionHarness) -> None:
    with pytest.raises(BadUserInputError) as caught:
        await _report_and_read(transaction_harness, ok=False, error_message="\x00", metadata={"a": "\x00"})
    assert set(caught.value.fields) == {"errorMessage", "metadata"}
    with pytest.raises(BadUserInputError):
        await _report_and_read(transaction_harness, ok=False, error_message="x" * 10_001)
    assert await transaction_harness.fetch_value("SELECT count(*) FROM health_checks") == 0


async def test_concurrent_reports_are_all_counted(transaction_harness: TransactionHarness) -> None:
    await asyncio.gather(*(_report_and_read(transaction_harness, ok=False) for _ in range(20)))
    (row,) = await transaction_harness.fetch_rows("SELECT * FROM health_checks")
    assert (row["failure_count"], row["status"]) == (20, "down")


async def test_report_writes_no_audit_row(transaction_harness: TransactionHarness) -> None:
    before = await transaction_harness.fetch_value("SELECT count(*) FROM audit_log")
    await _report_and_read(transaction_harness, ok=True)
    assert await transaction_harness.fetch_value("SELECT count(*) FROM audit_log") == before
