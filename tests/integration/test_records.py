"""Each record against the declaration of its table, the database's indexes, and what nobody may set."""

from collections.abc import Mapping
from typing import Final

import asyncpg
import pytest

from schema.mutation import MUTATIONS
from schema.mutation_field import MutationField
from schema.table import Kind, Scope
from schema.tables import BY_NAME
from services.writes.record import Owner, Record, Verb
from services.writes.records import RECORDS
from services.writes.values import Reference

OWNERS: Final[Mapping[Scope, Owner]] = {
    Scope.TENANT: Owner.TENANT,
    Scope.TENANT_OR_GLOBAL: Owner.TENANT_OR_GLOBAL,
    Scope.ITSELF: Owner.ITSELF,
    Scope.EVERYONE: Owner.PLATFORM,
}

VERBS: Final[Mapping[str, str]] = {
    "integrations": "create update",
    "data_source_to_site": "create delete restore",
    "agents": "update delete restore",
}
"""What may be done to rows of tables that are not all four."""

NOBODYS: Final = {
    "tenant_id", "created_at", "updated_at", "deleted_at", "last_activity_at", "last_sync_at", "registered_at",
    "last_checkin_at", "guid", "data_hash", "created_by", "psa_integration_id", "psa_company_id",
    "psa_parent_company_id",
}  # fmt: skip
"""Columns that no client sets, but by a verb of their own."""


def test_the_tables_that_people_write_are_these() -> None:
    assert list(RECORDS) == [
        "tenants", "users", "roles", "sites", "integrations", "data_sources", "data_source_to_site", "agents",
        "entities", "global_entities", "entity_relationships", "integration_pricing_tiers",
        "tenant_billing_adjustments",
    ]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
class TestRecord:
    def test_its_verbs(self, record: Record) -> None:
        wanted = VERBS.get(record.table, "create update delete restore").split()
        assert sorted(verb.value for verb in record.verbs) == sorted(wanted)
        type_name = BY_NAME[record.table].type_name
        names = {verb.value for verb in Verb if f"{verb.value}{type_name}" in MUTATIONS}
        assert names == set(wanted)

    def test_it_is_as_its_table(self, record: Record) -> None:
        table = BY_NAME[record.table]
        assert record.owner is OWNERS[table.scope]
        assert record.module == table.module
        assert record.soft_deletes is table.soft_deletes
        assert record.stamped is ("updated_at" in table.columns)
        for name, sql_type in record.types.items():
            assert table.columns[name].kind.sql_type == sql_type, name

    def test_its_fields_are_as_the_columns(self, record: Record) -> None:
        table = BY_NAME[record.table]
        references = {reference.column: reference.table for reference in table.references}
        for field in record.fields:
            column = table.columns[field.name]
            assert field.null is column.nullable, field.name
            assert field.name not in NOBODYS
            assert not (field.null and field.default), field.name
            if field.name in references:
                assert isinstance(field.kind, Reference)
                assert field.kind.table == references[field.name]
            elif field.name != "id":
                assert column.kind is not Kind.ID

    def test_every_other_column_is_nobodys(self, record: Record) -> None:
        """But for what the server makes of the others, and the site of an agent, which moves."""
        known = {"id", *record.by_name, *record.extra, *NOBODYS}
        stored = {name for name, column in BY_NAME[record.table].columns.items() if column.options.stored}
        assert stored <= known

    async def test_every_unique_index_has_words(self, shared_database_url: str, record: Record) -> None:
        connection = await asyncpg.connect(shared_database_url)
        rows = await connection.fetch(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indrelid = $1::text::regclass AND i.indisunique AND NOT i.indisprimary",
            record.table,
        )
        await connection.close()
        found = {row["relname"] for row in rows} - {f"{record.table}_by_tenant"}
        assert found == {unique.index for unique in record.uniques}

    def test_what_is_unique_is_a_column(self, record: Record) -> None:
        assert {unique.field for unique in record.uniques} <= set(record.types)


@pytest.mark.parametrize("field", MUTATIONS.values(), ids=MUTATIONS)
def test_every_mutation_says_what_it_takes(field: MutationField) -> None:
    assert field.about.endswith(".")
    told = any(words in field.about for words in ("Takes the right", "For the platform alone."))
    assert told is not (field.name == "setCurrentSite")
