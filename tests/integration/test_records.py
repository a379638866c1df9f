"""Each record against its table's declaration, the database's indexes, and the columns that no client sets."""

from collections.abc import Mapping
from typing import Final

import asyncpg
import pytest

from schema.mutation import MUTATIONS
from schema.mutation_field import MutationField
from schema.table import Kind, Scope
from schema.tables import BY_NAME
from services.writes.field_kinds import ReferenceKind
from services.writes.record import RowOwner, WritableTable, WriteVerb
from services.writes.records import RECORDS

OWNERS: Final[Mapping[Scope, RowOwner]] = {
    Scope.TENANT: RowOwner.TENANT,
    Scope.TENANT_OR_GLOBAL: RowOwner.TENANT_OR_GLOBAL,
    Scope.ITSELF: RowOwner.ITSELF,
    Scope.EVERYONE: RowOwner.PLATFORM,
}

VERBS: Final[Mapping[str, str]] = {
    "integrations": "create update",
    "data_source_to_site": "create delete restore",
    "agents": "update delete restore",
}
"""The operations on rows of tables that do not have all four."""

NOBODYS: Final = {
    "tenant_id", "created_at", "updated_at", "deleted_at", "last_activity_at", "last_sync_at", "registered_at",
    "last_checkin_at", "guid", "data_hash", "created_by", "psa_integration_id", "psa_company_id",
    "psa_parent_company_id",
}  # fmt: skip
"""Columns that clients set only by a mutation of their own."""


def test_records_are_exactly_these_tables() -> None:
    assert list(RECORDS) == [
        "tenants", "users", "roles", "sites", "integrations", "data_sources", "data_source_to_site", "agents",
        "entities", "global_entities", "entity_relationships", "integration_pricing_tiers",
        "tenant_billing_adjustments",
    ]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
class TestRecord:
    def test_record_verbs_match_its_mutations(self, record: WritableTable) -> None:
        wanted = VERBS.get(record.table, "create update delete restore").split()
        assert sorted(verb.value for verb in record.verbs) == sorted(wanted)
        type_name = BY_NAME[record.table].type_name
        names = {verb.value for verb in WriteVerb if f"{verb.value}{type_name}" in MUTATIONS}
        assert names == set(wanted)

    def test_record_matches_its_table(self, record: WritableTable) -> None:
        table = BY_NAME[record.table]
        assert record.owner is OWNERS[table.scope]
        assert record.module == table.module
        assert record.soft_deletes is table.soft_deletes
        assert record.stamped is ("updated_at" in table.columns)
        for name, sql_type in record.column_types.items():
            assert table.columns[name].kind.sql_type == sql_type, name

    def test_record_fields_match_the_columns(self, record: WritableTable) -> None:
        table = BY_NAME[record.table]
        references = {reference.column: reference.table for reference in table.references}
        for field in record.fields:
            column = table.columns[field.name]
            assert field.null is column.nullable, field.name
            assert field.name not in NOBODYS
            assert not (field.null and field.default), field.name
            if field.name in references:
                assert isinstance(field.kind, ReferenceKind)
                assert field.kind.table == references[field.name]
            elif field.name != "id":
                assert column.kind is not Kind.ID

    def test_record_other_columns_are_set_by_no_client(self, record: WritableTable) -> None:
        """Except for columns that the server derives from others, and the site of an agent, which moves."""
        known = {"id", *record.by_name, *record.extra, *NOBODYS}
        stored = {name for name, column in BY_NAME[record.table].columns.items() if column.options.stored}
        assert stored <= known

    async def test_record_unique_indexes_all_have_messages(
        self, shared_database_url: str, record: WritableTable
    ) -> None:
        connection = await asyncpg.connect(shared_database_url)
        rows = await connection.fetch(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indrelid = $1::text::regclass AND i.indisunique AND NOT i.indisprimary",
            record.table,
        )
        await connection.close()
        found = {row["relname"] for row in rows} - {f"{record.table}_by_tenant"}
        assert found == {unique.index for unique in record.uniques}

    def test_record_unique_fields_are_columns(self, record: WritableTable) -> None:
        assert {unique.field for unique in record.uniques} <= set(record.column_types)


@pytest.mark.parametrize("field", MUTATIONS.values(), ids=MUTATIONS)
def test_mutation_descriptions_name_the_required_right(field: MutationField) -> None:
    assert field.about.endswith(".")
    names_right = any(
        words in field.about for words in ("Requires the right", "Only the platform may use it.")
    )
    assert names_right is not (field.name in {"setCurrentSite", "acceptInvitation"})
