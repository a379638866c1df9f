"""Every mutation derived from a record: permitted callers, refused callers, its effects, and unchanged rows."""

from typing import Any, Final

import pytest

from core.case_conversion import to_camel_case
from core.clock import now_ms
from schema.mutation import MUTATIONS
from services.writes.field_kinds import JsonKind, ReferenceKind, TextKind
from services.writes.record import RowOwner, WritableField, WritableTable, WriteVerb
from tests.derived_mutations import BY_NAME, get_row_ids, prepare_call
from tests.mutation_harness import (
    ABSENT_ID,
    BAD_VALUES,
    MutationCall,
    MutationHarness,
    all_rights_except,
    build_call,
    is_platform_only,
    list_derived_mutations,
)
from tests.sample_rows import SAMPLE_ROWS
from tests.sealed_tokens import open_transaction

ALL: Final = [name for name, _, _ in list_derived_mutations()]
OF_TENANTS: Final = [
    name for name, record, _ in list_derived_mutations() if record.owner is not RowOwner.PLATFORM
]


def list_arguments(name: str) -> set[str | None]:
    """The names of the mutation's arguments."""
    return {argument.graphql_name for argument in MUTATIONS[name].arguments}


def list_required_fields(name: str) -> list[WritableField]:
    """The fields of the mutation's input that must not be null."""
    record, verb = BY_NAME[name]
    platform = is_platform_only(MUTATIONS[name])
    unique = {unique.field for unique in record.uniques} if "ids" in list_arguments(name) else set()
    return [
        field
        for field in record.list_settable_fields(verb)
        if not (field.null or field.stores_never)
        and (platform or not field.platform)
        and field.name not in unique
    ]


def list_references(name: str) -> list[tuple[str, str]]:
    """The fields of the input that refer to rows of tenants, each with the table."""
    record, verb = BY_NAME[name]
    return [
        (to_camel_case(field.name), field.kind.table)
        for field in record.list_settable_fields(verb)
        if isinstance(field.kind, ReferenceKind) and field.kind.table in _TABLES_OF_TENANTS
    ]


_TABLES_OF_TENANTS: Final = SAMPLE_ROWS.keys() - {"integrations"}
"""Tables whose rows belong to tenants, or are tenants: a tenant refers to no row of another one."""
WITH_INPUT: Final = [name for name in ALL if "input" in list_arguments(name)]
OF_PLATFORM: Final = [name for name in ALL if is_platform_only(MUTATIONS[name])]
WITH_REQUIRED_FIELDS: Final = [
    name for name in WITH_INPUT if BY_NAME[name][1] is WriteVerb.UPDATE and list_required_fields(name)
]
WITH_VERSION: Final = [name for name in ALL if "ifUpdatedAt" in list_arguments(name)]
OF_OWN_ROWS: Final = [
    name for name in OF_TENANTS if name not in OF_PLATFORM and list_arguments(name) & {"id", "ids"}
]
WITH_REFERENCES: Final = [name for name in OF_TENANTS if name in WITH_INPUT and list_references(name)]


def get_written_ids(answer: Any) -> list[str]:
    """The ids of the rows in a response."""
    done = answer.data["done"]
    return [row["id"] for row in (done if isinstance(done, list) else [done])]


@pytest.mark.parametrize("name", ALL)
class TestEveryMutation:
    @pytest.mark.role_modes
    async def test_mutation_with_right_writes_rows_and_audit_log(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        record, verb = BY_NAME[name]
        call = await prepare_call(mutation_harness, name)
        answer = await mutation_harness.execute(call)
        assert not answer.errors, (answer.errors, answer.traceback)
        assert verb is WriteVerb.CREATE or get_written_ids(answer) == get_row_ids(call)
        for row_id in get_written_ids(answer):
            trail = await mutation_harness.read_audit_log(record.table, row_id)
            (entry,) = (e for e in trail if e["xmin"] == open_transaction(answer.extensions["transaction"]))
            assert entry["action"] == verb.value
            assert entry["actor_type"] == ("platform" if is_platform_only(call.field) else "user")
            assert (
                entry["user_id"]
                == entry["actor_id"]
                == (None if is_platform_only(call.field) else mutation_harness.mine.administrator_id)
            )
            assert entry["tenant_id"] == (
                None
                if record.owner is RowOwner.PLATFORM
                else await fetch_owner(mutation_harness, record, row_id)
            )
            await self._assert_row_matches_changes(mutation_harness, record, row_id, entry["changes"])
        assert mutation_harness.graphql.commit_count == 1

    async def _assert_row_matches_changes(
        self, mutation_harness: MutationHarness, record: WritableTable, row_id: str, changes: dict[str, Any]
    ) -> None:
        assert changes
        row = await mutation_harness.read_row(record.table, row_id)
        for column in record.column_types:
            if to_camel_case(column) in changes and record.column_types[column] in ("text", "bigint"):
                assert changes[to_camel_case(column)][1] == row[column]

    @pytest.mark.newest
    @pytest.mark.role_modes
    async def test_mutation_without_right_is_forbidden(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        record, _ = BY_NAME[name]
        call = await prepare_call(mutation_harness, name)
        clerk = await mutation_harness.add_user(all_rights_except(record.write_right))
        before = await mutation_harness.hash_tables()
        answer = await mutation_harness.execute(call, user_id=clerk)
        assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])
        right = None if is_platform_only(call.field) else record.write_right
        assert answer.errors[0]["extensions"].get("right") == right
        assert await mutation_harness.hash_tables() == before
        assert "transaction" not in answer.extensions

    @pytest.mark.newest
    async def test_mutation_by_anonymous_is_unauthenticated(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        answer = await mutation_harness.execute_anonymously(await prepare_call(mutation_harness, name))
        assert (answer.data, answer.codes) == (None, ["UNAUTHENTICATED"])


def make_bad_value(field: WritableField) -> Any:
    """An invalid value for this field."""
    if isinstance(field.kind, JsonKind) and not field.kind.any_value:
        return [1]
    return BAD_VALUES[type(field.kind)]


async def fetch_owner(mutation_harness: MutationHarness, record: WritableTable, row_id: str) -> str:
    """The row's tenant."""
    return (
        row_id
        if record.owner is RowOwner.ITSELF
        else str((await mutation_harness.read_row(record.table, row_id))["tenant_id"])
    )


@pytest.mark.newest
@pytest.mark.parametrize("name", OF_PLATFORM)
async def test_mutation_of_platform_by_administrator_is_forbidden(
    mutation_harness: MutationHarness, name: str
) -> None:
    call = await prepare_call(mutation_harness, name)
    answer = await mutation_harness.execute(call, user_id=mutation_harness.mine.administrator_id)
    assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])


@pytest.mark.newest
@pytest.mark.parametrize("name", WITH_INPUT)
async def test_mutation_with_bad_input_names_all_fields_and_changes_nothing(
    mutation_harness: MutationHarness, name: str
) -> None:
    record, verb = BY_NAME[name]
    call = await prepare_call(mutation_harness, name)
    bad = {
        to_camel_case(f.name): make_bad_value(f)
        for f in record.list_settable_fields(verb)
        if type(f.kind) in BAD_VALUES
    }
    bad = {n: value for n, value in bad.items() if n in call.arguments["input"]}
    before = await mutation_harness.hash_tables()
    answer = await mutation_harness.execute(
        MutationCall(call.field, {**call.arguments, "input": {**call.arguments["input"], **bad}})
    )
    assert (answer.data, answer.codes) == (None, ["BAD_USER_INPUT"] if bad else [])
    assert {f"input.{n}" for n in bad} <= set(answer.errors[0]["extensions"]["fields"])
    assert await mutation_harness.hash_tables() == before


@pytest.mark.newest
@pytest.mark.parametrize("name", WITH_REQUIRED_FIELDS)
async def test_mutation_with_null_for_required_field_is_refused(
    mutation_harness: MutationHarness, name: str
) -> None:
    call = await prepare_call(mutation_harness, name)
    nulls = {to_camel_case(field.name): None for field in list_required_fields(name)}
    assert nulls.keys() <= call.arguments["input"].keys()
    answer = await mutation_harness.execute(MutationCall(call.field, {**call.arguments, "input": nulls}))
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.errors[0]["extensions"]["fields"] == {f"input.{n}": "must not be null" for n in nulls}


@pytest.mark.parametrize("name", WITH_VERSION)
async def test_mutation_with_stale_updated_at_is_a_conflict(
    mutation_harness: MutationHarness, name: str
) -> None:
    record, _ = BY_NAME[name]
    call = await prepare_call(mutation_harness, name)
    (row_id,) = get_row_ids(call)
    stamp = (await mutation_harness.read_row(record.table, row_id))["updated_at"]
    before = await mutation_harness.hash_tables()
    answer = await mutation_harness.execute(call.with_value("ifUpdatedAt", stamp - 1))
    assert (answer.data, answer.codes) == (None, ["CONFLICT"])
    assert list(answer.errors[0]["extensions"]["fields"]) == ["ifUpdatedAt"]
    assert answer.errors[0]["extensions"]["updatedAt"] == stamp
    assert await mutation_harness.hash_tables() == before
    answer = await mutation_harness.execute(call.with_value("ifUpdatedAt", stamp))
    assert not answer.errors
    assert (await mutation_harness.read_row(record.table, row_id))["updated_at"] > stamp


@pytest.mark.newest
@pytest.mark.parametrize("name", OF_OWN_ROWS)
async def test_mutation_of_row_of_other_tenant_is_not_found(
    mutation_harness: MutationHarness, name: str
) -> None:
    record, _ = BY_NAME[name]
    call = await prepare_call(mutation_harness, name)
    before = await mutation_harness.hash_tables()
    argument = "ids" if "ids" in call.arguments else "id"
    messages = []
    for row_id in (mutation_harness.theirs.ids[record.table], ABSENT_ID):
        answer = await mutation_harness.execute(
            call.with_value(argument, [*get_row_ids(call), row_id] if argument == "ids" else row_id)
        )
        assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])
        messages.append(answer.errors[0]["message"].replace(row_id, "<id>"))
    assert messages[0] == messages[1]
    assert await mutation_harness.hash_tables() == before


@pytest.mark.newest
@pytest.mark.parametrize("name", WITH_REFERENCES)
async def test_mutation_referring_to_row_of_other_tenant_is_refused(
    mutation_harness: MutationHarness, name: str
) -> None:
    call = await prepare_call(mutation_harness, name)
    before = await mutation_harness.hash_tables()
    for field, table in list_references(name):
        messages = []
        for row_id in (mutation_harness.theirs.ids[table], ABSENT_ID):
            answer = await mutation_harness.execute(call.with_value(f"input.{field}", row_id))
            assert (answer.data, answer.codes) == (None, ["BAD_USER_INPUT"])
            messages.append(answer.errors[0]["extensions"]["fields"])
        assert messages[0] == messages[1] == {f"input.{field}": "must be the id of an existing row"}
    assert await mutation_harness.hash_tables() == before


async def test_update_omitted_field_is_kept_and_null_clears(mutation_harness: MutationHarness) -> None:
    site = mutation_harness.mine.ids["sites"]
    await mutation_harness.update_row("sites", site, metadata='{"a": 1}')
    call = build_call("updateSite", mutation_harness.mine)
    await mutation_harness.execute(call.with_value("input", {"name": "New"}))
    row = await mutation_harness.read_row("sites", site)
    assert (row["name"], row["slug"], row["metadata"]) == ("New", "main", '{"a": 1}')
    await mutation_harness.execute(call.with_value("input", {"metadata": None}))
    assert (await mutation_harness.read_row("sites", site))["metadata"] is None


async def test_update_without_change_writes_nothing(mutation_harness: MutationHarness) -> None:
    before = await mutation_harness.hash_tables()
    answer = await mutation_harness.execute(
        build_call("updateSite", mutation_harness.mine).with_value("input", {"name": "Main", "slug": "main"})
    )
    assert not answer.errors
    assert await mutation_harness.hash_tables() == before


async def test_update_repeated_always_advances_updated_at(mutation_harness: MutationHarness) -> None:
    site = mutation_harness.mine.ids["sites"]
    ahead = now_ms() + 3_600_000
    await mutation_harness.update_row("sites", site, updated_at=ahead)
    for number in range(3):
        await mutation_harness.execute(
            build_call("updateSite", mutation_harness.mine).with_value("input", {"name": f"Name {number}"})
        )
    assert (await mutation_harness.read_row("sites", site))["updated_at"] == ahead + 3


def test_text_fields_all_have_a_length_limit() -> None:
    for name, record, verb in list_derived_mutations():
        for field in record.list_settable_fields(verb):
            assert not isinstance(field.kind, TextKind) or field.kind.length_max <= 10_000, (name, field.name)
