"""`lastActivityAt` of users: kept coarsely, in one statement for many, and without waking other live queries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from api.app import build_app
from api.app_services import AppServices
from core.clock import now_ms
from core.limits import ACTIVITY_PAUSE_MS, ACTIVITY_USERS_MAX, ACTIVITY_WRITE_ROWS
from core.settings import Settings
from services.import_lock import exclude_background_writers
from services.startup import find_unready_reason
from services.users import last_activity
from services.users.last_activity import LastActivity
from tests.http_harness import open_http_harness
from tests.live.live_engine import open_live_engine
from tests.manual_clock import ManualClock
from tests.transaction_harness import TransactionHarness, open_transaction_harness
from tests.waiting import HANG_S


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def harness(shared_database_url: str) -> AsyncIterator[TransactionHarness]:
    async with open_transaction_harness(shared_database_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def clock(harness: TransactionHarness) -> ManualClock[int]:
    await harness.owner.execute(
        "UPDATE users SET status = 'active', last_activity_at = NULL, deleted_at = NULL"
    )
    return ManualClock(now_ms())


@pytest_asyncio.fixture
async def activity(harness: TransactionHarness, clock: ManualClock[int]) -> LastActivity:
    return LastActivity(harness.database, clock)


async def read_user(harness: TransactionHarness, user_id: str) -> dict[str, Any]:
    (row,) = await harness.fetch_rows("SELECT * FROM users WHERE id = $1", user_id)
    return row


async def test_activity_is_written_without_changing_the_row_otherwise(
    harness: TransactionHarness, activity: LastActivity, clock: ManualClock[int]
) -> None:
    user = harness.mine["users"]
    before = await read_user(harness, user)
    audited = await harness.fetch_value("SELECT count(*) FROM audit_log")
    activity.note(user)
    assert await activity.flush() == 1
    assert await read_user(harness, user) == before | {"last_activity_at": clock.now}
    assert await harness.fetch_value("SELECT count(*) FROM audit_log") == audited


async def test_activity_again_within_the_pause_writes_nothing(
    harness: TransactionHarness, activity: LastActivity, clock: ManualClock[int]
) -> None:
    user, first = harness.mine["users"], clock.now
    activity.note(user)
    await activity.flush()
    clock.now += ACTIVITY_PAUSE_MS - 1
    activity.note(user)
    assert await activity.flush() == 0
    assert (await read_user(harness, user))["last_activity_at"] == first
    clock.now += 1
    activity.note(user)
    assert await activity.flush() == 1
    assert (await read_user(harness, user))["last_activity_at"] == first + ACTIVITY_PAUSE_MS


async def test_activity_that_another_server_has_written_is_not_written_again(
    harness: TransactionHarness, activity: LastActivity, clock: ManualClock[int]
) -> None:
    user = harness.mine["users"]
    other = LastActivity(harness.database, clock)
    for each in (activity, other):
        each.note(user)
    assert [await activity.flush(), await other.flush()] == [1, 0]


async def test_activity_in_the_future_is_corrected(
    harness: TransactionHarness, activity: LastActivity, clock: ManualClock[int]
) -> None:
    user = harness.mine["users"]
    await harness.owner.execute("UPDATE users SET last_activity_at = $1", clock.now + 86_400_000)
    activity.note(user)
    assert await activity.flush() == 1
    assert (await read_user(harness, user))["last_activity_at"] == clock.now


async def test_activity_of_unknown_or_deleted_users_writes_nothing(
    harness: TransactionHarness, activity: LastActivity
) -> None:
    await harness.owner.execute("UPDATE users SET deleted_at = 1 WHERE id = $1", harness.mine["users"])
    for user in ("user_nobody", harness.mine["users"], None):
        activity.note(user)
    assert await activity.flush() == 0
    assert await activity.flush() == 0


async def test_activity_of_a_locked_user_does_not_wait(
    harness: TransactionHarness, activity: LastActivity
) -> None:
    async with harness.owner.transaction():
        await harness.owner.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", harness.mine["users"])
        activity.note(harness.mine["users"])
        activity.note(harness.theirs["users"])
        assert await asyncio.wait_for(activity.flush(), 3) == 1


async def test_activity_during_an_import_is_written_afterwards(
    harness: TransactionHarness, activity: LastActivity, shared_database_url: str
) -> None:
    importing = await asyncpg.connect(shared_database_url)
    try:
        await exclude_background_writers(importing)
        activity.note(harness.mine["users"])
        assert await activity.flush() == 0
    finally:
        await importing.close()
    assert await activity.flush() == 1


async def test_activity_is_written_when_the_server_stops(
    harness: TransactionHarness,
    activity: LastActivity,
    clock: ManualClock[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(last_activity, "ACTIVITY_STOP_S", HANG_S)
    running = asyncio.create_task(activity.run())
    await asyncio.sleep(0)  # it has begun
    activity.note(harness.mine["users"])
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert (await read_user(harness, harness.mine["users"]))["last_activity_at"] == clock.now


async def test_stop_does_not_wait_for_a_locked_table(
    harness: TransactionHarness, activity: LastActivity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_activity, "ACTIVITY_STOP_S", 0.1)
    running = asyncio.create_task(activity.run())
    await asyncio.sleep(0)
    activity.note(harness.mine["users"])
    async with harness.owner.transaction():
        await harness.owner.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()
    assert await activity.flush() == 1


async def test_activity_of_many_users_takes_a_statement_for_each_batch(
    harness: TransactionHarness, activity: LastActivity
) -> None:
    for number in range(2 * ACTIVITY_WRITE_ROWS + 1):
        activity.note(f"user_{number}")
    activity.note(harness.mine["users"])
    assert await activity.flush() == 1
    assert activity._pending == {}


def test_activity_of_too_many_users_is_bounded(clock: ManualClock[int]) -> None:
    activity = LastActivity(None, clock)  # type: ignore[arg-type]  # nothing is written
    for number in range(ACTIVITY_USERS_MAX + 10):
        activity.note(f"user_{number}")
    assert len(activity._noted) == len(activity._pending) == ACTIVITY_USERS_MAX
    assert "user_0" not in activity._pending


async def test_activity_runs_only_live_queries_that_select_it(writable_demo_database_url: str) -> None:
    async with open_live_engine(writable_demo_database_url) as engine:
        user = engine.user_ids[0]
        await engine.execute_sql("UPDATE users SET last_activity_at = NULL WHERE id = $1", user)
        connection = await engine.connect()
        names, activities = [
            await connection.subscribe(f"subscription {{ users {{ nodes {{ {field} }} }} }}").wait_for_states(
                1
            )
            for field in ("name status", "name lastActivityAt")
        ]
        await engine.wait_until_settled()
        runs = engine.run_count
        activity = LastActivity(engine.database)
        activity.note(user)
        assert await activity.flush() == 1
        await engine.wait_until_settled()
        assert (len(names.texts), len(activities.texts)) == (1, 2)
        assert engine.run_count - runs == 1
        assert connection.disconnects == []


async def test_activity_is_noted_by_requests_of_users(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url) as http:
        clock = ManualClock(now_ms())
        activity = LastActivity(http.database, clock)
        services = AppServices(
            database=http.database,
            verifier=http.verifier,
            find_problem=lambda: find_unready_reason(demo_database_url),
            activity=activity,
        )
        app = build_app(Settings(), services)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://msp.test"
        ) as client:
            for body in (
                {"query": "{ viewer { id } }"},
                {"query": "mutation { setCurrentSite(siteId: 7) { id } }"},
            ):
                clock.now += ACTIVITY_PAUSE_MS
                await client.post("/graphql", json=body, headers=http.build_headers(1))
                assert activity._pending == {http.user_ids[1]: clock.now}
            activity._pending.clear()
            clock.now += ACTIVITY_PAUSE_MS
            await client.post("/graphql", json={"query": "{ __typename }"})
            assert not activity._pending
