"""Every mutation that follows from a record: who may, who may not, what it leaves, and what it leaves alone."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from services.writes.complaints import graphql_name
from services.writes.record import Field, Owner, Record, Verb
from services.writes.values import Json, Reference, Text
from tests.desk import (
    ABSENT,
    BAD,
    Call,
    Desk,
    NewDesk,
    call_of,
    derived,
    desks,
    everything_but,
    takes_platform,
)

ALL: Final = [name for name, _, _ in derived()]
BY_NAME: Final = {name: (record, verb) for name, record, verb in derived()}
OF_TENANTS: Final = [name for name, record, _ in derived() if record.owner is not Owner.PLATFORM]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_desk(shared_database_url: str) -> AsyncIterator[NewDesk]:
    async with desks(shared_database_url) as new:
        yield new


@pytest_asyncio.fixture
async def at(new_desk: NewDesk) -> Desk:
    return await new_desk()


async def ready(at: Desk, name: str) -> Call:
    """A good call of the mutation; what it restores is deleted, what nobody may have taken is free."""
    record, verb = BY_NAME[name]
    call = call_of(name, at.theirs if name == "restoreTenant" else at.mine)
    if verb is Verb.RESTORE:
        for row_id in ids_of(call):
            await at.set(record.table, row_id, deleted_at=1)
    return call


def ids_of(call: Call) -> list[str]:
    """The rows that a call names."""
    return list(call.given.get("ids", [call.given["id"]] if "id" in call.given else []))


def written(answer: Any) -> list[str]:
    """The rows that an answer has."""
    done = answer.data["done"]
    return [row["id"] for row in (done if isinstance(done, list) else [done])]


@pytest.mark.parametrize("name", ALL)
class TestEach:
    async def test_who_may_does_it_and_leaves_a_trail(self, at: Desk, name: str) -> None:
        record, verb = BY_NAME[name]
        call = await ready(at, name)
        answer = await at.ask(call)
        assert not answer.errors, (answer.errors, answer.fault)
        assert verb is Verb.CREATE or written(answer) == ids_of(call)
        for row_id in written(answer):
            trail = await at.trail(record.table, row_id)
            (entry,) = (e for e in trail if e["xmin"] == answer.extensions["transaction"])
            assert entry["action"] == verb.value
            assert entry["actor_type"] == ("platform" if takes_platform(call.field) else "user")
            assert (
                entry["user_id"]
                == entry["actor_id"]
                == (None if takes_platform(call.field) else at.mine.admin)
            )
            assert entry["tenant_id"] == (
                None if record.owner is Owner.PLATFORM else await owner(at, record, row_id)
            )
            await self._is_as_told(at, record, row_id, entry["changes"])
        assert at.graph.commits == 1

    async def _is_as_told(self, at: Desk, record: Record, row_id: str, changes: dict[str, Any]) -> None:
        assert changes
        row = await at.row(record.table, row_id)
        for column in record.types:
            if graphql_name(column) in changes and record.types[column] in ("text", "bigint"):
                assert changes[graphql_name(column)][1] == row[column]

    async def test_it_takes_the_right(self, at: Desk, name: str) -> None:
        record, _ = BY_NAME[name]
        call = await ready(at, name)
        clerk = await at.hire(everything_but(record.write_right))
        before = await at.contents()
        answer = await at.ask(call, who=clerk)
        assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])
        assert await at.contents() == before
        assert "transaction" not in answer.extensions

    async def test_what_is_the_platforms_no_administrator_does(self, at: Desk, name: str) -> None:
        call = await ready(at, name)
        if takes_platform(call.field):
            answer = await at.ask(call, who=at.mine.admin)
            assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])

    async def test_nobody_is_told_to_sign_in(self, at: Desk, name: str) -> None:
        answer = await at.ask_anonymously(await ready(at, name))
        assert (answer.data, answer.codes) == (None, ["UNAUTHENTICATED"])

    async def test_bad_input_is_told_at_once_and_changes_nothing(self, at: Desk, name: str) -> None:
        record, verb = BY_NAME[name]
        call = await ready(at, name)
        if "input" not in call.given:
            return
        bad = {graphql_name(f.name): bad_value(f) for f in record.settable(verb) if type(f.kind) in BAD}
        bad = {n: value for n, value in bad.items() if n in call.given["input"]}
        before = await at.contents()
        answer = await at.ask(Call(call.field, {**call.given, "input": {**call.given["input"], **bad}}))
        assert (answer.data, answer.codes) == (None, ["BAD_USER_INPUT"] if bad else [])
        assert {f"input.{n}" for n in bad} <= set(answer.errors[0]["extensions"]["fields"])
        assert await at.contents() == before

    async def test_nulls_where_there_must_be_something(self, at: Desk, name: str) -> None:
        record, verb = BY_NAME[name]
        call = await ready(at, name)
        if verb is not Verb.UPDATE:
            return
        nulls = {graphql_name(f.name): None for f in record.settable(verb) if not f.null}
        nulls = {n: None for n in nulls if n in call.given["input"]}
        if not nulls:
            return
        answer = await at.ask(Call(call.field, {**call.given, "input": nulls}))
        assert answer.codes == ["BAD_USER_INPUT"]
        assert answer.errors[0]["extensions"]["fields"] == {f"input.{n}": "must not be null" for n in nulls}

    async def test_a_stale_time_is_a_conflict(self, at: Desk, name: str) -> None:
        record, _ = BY_NAME[name]
        call = await ready(at, name)
        if "ifUpdatedAt" not in {argument.graphql_name for argument in call.field.arguments}:
            return
        (row_id,) = ids_of(call)
        stamp = (await at.row(record.table, row_id))["updated_at"]
        before = await at.contents()
        answer = await at.ask(call.with_("ifUpdatedAt", stamp - 1))
        assert (answer.data, answer.codes) == (None, ["CONFLICT"])
        assert list(answer.errors[0]["extensions"]["fields"]) == ["ifUpdatedAt"]
        assert await at.contents() == before
        answer = await at.ask(call.with_("ifUpdatedAt", stamp))
        assert not answer.errors
        assert (await at.row(record.table, row_id))["updated_at"] > stamp


def bad_value(field: Field) -> Any:
    """A value that this field does not take."""
    if isinstance(field.kind, Json) and not field.kind.any_value:
        return [1]
    return BAD[type(field.kind)]


async def owner(at: Desk, record: Record, row_id: str) -> str:
    """The tenant whose row it is."""
    return row_id if record.owner is Owner.ITSELF else str((await at.row(record.table, row_id))["tenant_id"])


@pytest.mark.parametrize("name", OF_TENANTS)
class TestAcross:
    async def test_a_neighbours_row_is_as_one_that_is_not_there(self, at: Desk, name: str) -> None:
        record, _ = BY_NAME[name]
        call = await ready(at, name)
        if not ids_of(call) or takes_platform(call.field):
            return
        before = await at.contents()
        argument = "ids" if "ids" in call.given else "id"
        told = []
        for row_id in (at.theirs.ids[record.table], ABSENT):
            answer = await at.ask(
                call.with_(argument, [*ids_of(call), row_id] if argument == "ids" else row_id)
            )
            assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])
            told.append(answer.errors[0]["message"].replace(row_id, "<id>"))
        assert told[0] == told[1]
        assert await at.contents() == before

    async def test_a_neighbours_row_is_not_referred_to(self, at: Desk, name: str) -> None:
        record, verb = BY_NAME[name]
        call = await ready(at, name)
        before = await at.contents()
        for field in record.settable(verb):
            if (
                isinstance(field.kind, Reference)
                and field.kind.table in at.theirs.ids
                and "input" in call.given
            ):
                path = f"input.{graphql_name(field.name)}"
                if field.kind.table == "integrations":
                    continue
                told = []
                for row_id in (at.theirs.ids[field.kind.table], ABSENT):
                    answer = await at.ask(call.with_(path, row_id))
                    assert (answer.data, answer.codes) == (None, ["BAD_USER_INPUT"])
                    told.append(answer.errors[0]["extensions"]["fields"])
                assert told[0] == told[1] == {path: "names nothing that is there"}
        assert await at.contents() == before


async def test_what_is_left_out_stays_and_a_null_clears(at: Desk) -> None:
    site = at.mine.ids["sites"]
    await at.set("sites", site, metadata='{"a": 1}')
    call = call_of("updateSite", at.mine)
    await at.ask(call.with_("input", {"name": "New"}))
    row = await at.row("sites", site)
    assert (row["name"], row["slug"], row["metadata"]) == ("New", "main", '{"a": 1}')
    await at.ask(call.with_("input", {"metadata": None}))
    assert (await at.row("sites", site))["metadata"] is None


async def test_what_changes_nothing_writes_nothing(at: Desk) -> None:
    before = await at.contents()
    answer = await at.ask(call_of("updateSite", at.mine).with_("input", {"name": "Main", "slug": "main"}))
    assert not answer.errors
    assert await at.contents() == before


async def test_a_change_takes_the_time_on_however_often_it_comes(at: Desk) -> None:
    site = at.mine.ids["sites"]
    ahead = 4_000_000_000_000
    await at.set("sites", site, updated_at=ahead)
    for number in range(3):
        await at.ask(call_of("updateSite", at.mine).with_("input", {"name": f"Name {number}"}))
    assert (await at.row("sites", site))["updated_at"] == ahead + 3


def test_every_text_has_an_end() -> None:
    for name, record, verb in derived():
        for field in record.settable(verb):
            assert not isinstance(field.kind, Text) or field.kind.most <= 10_000, (name, field.name)
