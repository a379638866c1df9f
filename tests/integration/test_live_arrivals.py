"""Many who sign in at once: looked up together, each as who they are, and none by what was read before they came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from core.database import Snapshot
from core.errors import UnauthenticatedError, UnavailableError
from tests.live.engine import Engine, engine

MANY = 300


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Engine]:
    async with engine(demo_database) as made:
        yield made
        made.live.groups.validate()


@pytest.fixture
def looks(demo: Engine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An entry for each snapshot that was taken from the pool of requests."""
    taken: list[object] = []
    snapshot = demo.database.snapshot

    def counted(*, platform: bool = False) -> AbstractAsyncContextManager[Snapshot]:
        taken.append(platform)
        return snapshot(platform=platform)

    monkeypatch.setattr(demo.database, "snapshot", counted)
    return taken


async def test_those_who_come_at_once_are_looked_up_together(demo: Engine, looks: list[object]) -> None:
    users = [demo.users[number % len(demo.users)] for number in range(MANY)]
    sittings = await asyncio.gather(*(demo.sit(user) for user in users))
    assert len(looks) <= 2
    for user, sitting in zip(users, sittings, strict=True):
        assert sitting.session.viewer is not None
        assert sitting.session.viewer.user_id == user
    assert len(demo.live.viewers) == MANY
    for sitting in sittings:
        sitting.session.close()
    assert not len(demo.live.viewers)


async def test_one_who_is_refused_keeps_nobody_else_out(demo: Engine, looks: list[object]) -> None:
    found = await asyncio.gather(demo.sit(0), demo.sit("nobody"), demo.sit(1), return_exceptions=True)
    assert isinstance(found[1], UnauthenticatedError)
    assert not isinstance(found[0], BaseException)
    assert not isinstance(found[2], BaseException)
    for sitting in (found[0], found[2]):
        sitting.session.close()
    assert looks == [True]


async def test_a_user_who_breaks_the_look_keeps_nobody_else_out(demo: Engine) -> None:
    """No token has such a subject; whatever else may break a look is like it."""
    found = await asyncio.gather(demo.sit(0), demo.sit("a\0b"), demo.sit(1), return_exceptions=True)
    assert [isinstance(one, Exception) for one in found] == [False, True, False]
    await _all_leave(found)


async def test_who_comes_during_a_look_waits_for_the_next(demo: Engine, looks: list[object]) -> None:
    first = asyncio.create_task(demo.sit(0))
    while not looks:  # noqa: ASYNC110 - until the look is under way
        await asyncio.sleep(0)
    await demo.write("UPDATE users SET status = 'inactive' WHERE id = $1", demo.users[1])
    try:
        with pytest.raises(UnauthenticatedError):
            await demo.sit(1)
    finally:
        await demo.write("UPDATE users SET status = 'active' WHERE id = $1", demo.users[1])
    (await first).session.close()


async def test_who_leaves_while_waiting_has_no_seat(demo: Engine) -> None:
    tasks = [asyncio.create_task(demo.sit(0)) for _ in range(20)]
    for task in tasks:
        await asyncio.sleep(0)
        task.cancel()
    await _all_leave(
        await asyncio.gather(*tasks, return_exceptions=True)
    )  # the first may have sat down before
    (await demo.sit(0)).session.close()
    assert not len(demo.live.viewers)


async def test_without_the_database_all_who_wait_are_told(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*, platform: bool = False) -> AbstractAsyncContextManager[Snapshot]:
        raise UnavailableError(f"The database is away. {platform}")

    with monkeypatch.context() as patched:
        patched.setattr(demo.database, "snapshot", lost)
        found = await asyncio.gather(*(demo.sit(0) for _ in range(MANY)), return_exceptions=True)
    assert all(isinstance(one, UnavailableError) for one in found)
    (await demo.sit(0)).session.close()


async def _all_leave(found: list[object]) -> None:
    for one in found:
        if not isinstance(one, BaseException):
            one.session.close()  # type: ignore[attr-defined]
