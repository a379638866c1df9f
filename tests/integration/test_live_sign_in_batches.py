"""Many concurrent sign-ins: read in one statement, each with its own viewer, and none from a read before it came."""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

import pytest

from core.database.database import ReadTransaction
from core.errors import UnauthenticatedError, UnavailableError
from tests.live.live_engine import LiveConnection, LiveEngine

pytestmark = pytest.mark.newest

MANY = 300


@pytest.fixture
def snapshots_taken(live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An entry for each snapshot that was taken from the pool of requests."""
    taken: list[object] = []
    snapshot = live_engine.database.read_transaction

    def count_snapshot(*, platform: bool = False) -> AbstractAsyncContextManager[ReadTransaction]:
        taken.append(platform)
        return snapshot(platform=platform)

    monkeypatch.setattr(live_engine.database, "read_transaction", count_snapshot)
    return taken


async def test_sign_in_many_concurrently_share_few_snapshots(
    live_engine: LiveEngine, snapshots_taken: list[object]
) -> None:
    users = [live_engine.user_ids[number % len(live_engine.user_ids)] for number in range(MANY)]
    sittings = await asyncio.gather(*(live_engine.connect(user) for user in users))
    assert len(snapshots_taken) <= 2
    for user, connection in zip(users, sittings, strict=True):
        assert connection.session.viewer is not None
        assert connection.session.viewer.user_id == user
    assert len(live_engine.live.viewers) == MANY
    for connection in sittings:
        connection.session.close()
    assert not len(live_engine.live.viewers)


async def test_sign_in_with_one_refused_admits_the_others(
    live_engine: LiveEngine, snapshots_taken: list[object]
) -> None:
    found = await asyncio.gather(
        live_engine.connect(0), live_engine.connect("nobody"), live_engine.connect(1), return_exceptions=True
    )
    assert isinstance(found[1], UnauthenticatedError)
    assert not isinstance(found[0], BaseException)
    assert not isinstance(found[2], BaseException)
    for connection in (found[0], found[2]):
        connection.session.close()
    assert snapshots_taken == [True]


async def test_sign_in_with_one_failing_subject_admits_the_others(live_engine: LiveEngine) -> None:
    """No token has such a subject. It stands for any other error in the statement."""
    found = await asyncio.gather(
        live_engine.connect(0), live_engine.connect("a\0b"), live_engine.connect(1), return_exceptions=True
    )
    assert [isinstance(one, Exception) for one in found] == [False, True, False]
    await _close_all(found)


async def test_sign_in_during_a_running_batch_waits_for_the_next(
    live_engine: LiveEngine, snapshots_taken: list[object]
) -> None:
    first = asyncio.create_task(live_engine.connect(0))
    while not snapshots_taken:  # noqa: ASYNC110 - until the statement is running
        await asyncio.sleep(0)
    await live_engine.execute_sql(
        "UPDATE users SET status = 'inactive' WHERE id = $1", live_engine.user_ids[1]
    )
    try:
        with pytest.raises(UnauthenticatedError):
            await live_engine.connect(1)
    finally:
        await live_engine.execute_sql(
            "UPDATE users SET status = 'active' WHERE id = $1", live_engine.user_ids[1]
        )
    (await first).session.close()


async def test_sign_in_cancelled_while_waiting_leaves_no_viewer(live_engine: LiveEngine) -> None:
    tasks = [asyncio.create_task(live_engine.connect(0)) for _ in range(20)]
    for task in tasks:
        await asyncio.sleep(0)
        task.cancel()
    await _close_all(
        await asyncio.gather(*tasks, return_exceptions=True)
    )  # the first may have been signed in before
    (await live_engine.connect(0)).session.close()
    assert not len(live_engine.live.viewers)


async def test_sign_in_without_database_fails_for_all_waiting(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_unavailable(*, platform: bool = False) -> AbstractAsyncContextManager[ReadTransaction]:
        raise UnavailableError(f"The database is away. {platform}")

    with monkeypatch.context() as patched:
        patched.setattr(live_engine.database, "read_transaction", raise_unavailable)
        found = await asyncio.gather(*(live_engine.connect(0) for _ in range(MANY)), return_exceptions=True)
    assert all(isinstance(one, UnavailableError) for one in found)
    (await live_engine.connect(0)).session.close()


async def _close_all(found: Iterable[LiveConnection | BaseException]) -> None:
    for one in found:
        if not isinstance(one, BaseException):
            one.session.close()
