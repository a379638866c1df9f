"""Values of a Supabase export that have another meaning here."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.exports.exported_world import ExportedWorld, Row
from tests.exports.supabase import write_dump, write_folder
from tests.import_harness import ImportOutcome, read_tables, run_import

pytestmark = pytest.mark.newest

ENUMS: Final = [
    ("users", "status", "invited", "pending", "metadata"),
    ("data_sources", "status", "failed", "error", "metadata"),
    ("data_sources", "status", "expired", "error", "metadata"),
    ("health_checks", "status", "critical", "down", "metadata"),
    ("health_checks", "status", "unknown", "degraded", "metadata"),
    ("scheduled_jobs", "status", "cancelled", "failed", None),
    ("events_log", "status", "cancelled", "failed", None),
    ("tenant_bills", "status", "void", "cancelled", None),
    ("tenant_bills", "status", "failed", "draft", None),
    ("tenant_billing_adjustments", "type", "fixed", "discount", None),
]


async def _import_changed_row(
    url: str, exported_world: ExportedWorld, path: Path, table: str, change: dict[str, Any], form: str
) -> tuple[ImportOutcome, Row]:
    """Import with a table's first row changed; returns the resulting row."""
    first, *others = exported_world[table]
    changed = {**exported_world, table: [first | change, *others]}
    file = write_folder(path / "csv", changed) if form == "csv" else write_dump(path / "dump.sql", changed)
    outcome = await run_import(url, file)
    return outcome, (await read_tables(url))[table].get(first["id"], {})


@pytest.mark.parametrize("form", ["csv", "dump"])
@pytest.mark.parametrize(
    ("table", "column", "before", "after", "kept"), ENUMS, ids=[f"{e[0]}-{e[2]}" for e in ENUMS]
)
async def test_import_unknown_enum_values_are_mapped_and_counted(
    database_url: str,
    exported_world: ExportedWorld,
    tmp_path: Path,
    form: str,
    table: str,
    column: str,
    before: str,
    after: str,
    kept: str,
) -> None:
    change = {column: before, **({"next_retry_at": 1_790_000_000_000} if table == "scheduled_jobs" else {})}
    outcome, row = await _import_changed_row(database_url, exported_world, tmp_path, table, change, form)
    assert row[column] == after
    assert f"{table}: 1 x {column}: {before} became {after}\n" in outcome.text
    if kept:
        assert row[kept] == {
            **(exported_world[table][0][kept] or {}),
            f"imported{column.capitalize()}": before,
        }
    if table == "scheduled_jobs":
        assert row["next_retry_at"] is None


@pytest.mark.parametrize("kind", ["percentage", "free"])
async def test_import_adjustments_that_are_no_amounts_are_rejected(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path, kind: str
) -> None:
    outcome, row = await _import_changed_row(
        database_url, exported_world, tmp_path, "tenant_billing_adjustments", {"type": kind}, "dump"
    )
    assert not row
    assert len(outcome.rejection_lines) == 1
    assert "type: an adjustment" in outcome.rejection_lines[0]
    assert "is not supported: adjustments must be amounts" in outcome.rejection_lines[0]


async def test_import_last_second_of_9999_becomes_never(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    never = next(
        row
        for row in exported_world["data_sources"]
        if row["credential_expiration_at"] == 9_007_199_254_740_991
    )
    await run_import(database_url, write_dump(tmp_path / "dump.sql", exported_world))
    assert (await read_tables(database_url))["data_sources"][never["id"]][
        "credential_expiration_at"
    ] == 9_007_199_254_740_991


async def test_import_foreign_tables_are_skipped_unread(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    theirs = (
        "COPY auth.users (id, encrypted_password) FROM stdin;\nann\t$2a$10$hunter2\n\\.\n"
        "COPY public.other_things (id) FROM stdin;\nCOPY public.sites (id) FROM stdin;\n\\.\n"
    )
    outcome = await run_import(database_url, write_dump(tmp_path / "dump.sql", exported_world, before=theirs))
    assert outcome.report.rejected == 0
    assert "Skipped unknown tables: auth.users, public.other_things\n" in outcome.text
    assert "hunter2" not in outcome.text


async def test_import_unknown_columns_are_omitted_and_counted(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    tenants = [row | {"stripe_customer": "cus_1"} for row in exported_world["tenants"]]
    outcome = await run_import(database_url, write_folder(tmp_path, {"tenants": tenants}))
    assert outcome.row_counts == {"tenants": (len(tenants), len(tenants), 0, 0, 0)}
    assert f"tenants: {len(tenants)} x the unknown field 'stripe_customer' was left out" in outcome.text


@pytest.mark.parametrize(
    ("given", "flat"),
    [
        ({"Sites.Write": True, "Agents.Read": False}, {"Sites.Write": True, "Agents.Read": False}),
        ({"sites": "Write", "agents": "Read", "billing": "None"}, {"Sites.Write": True, "Agents.Read": True}),
        (
            {"data_sources": "Full", "healthChecks": "read"},
            {"DataSources.Write": True, "HealthChecks.Read": True},
        ),
        (
            {"sites": {"read": True, "write": False}, "roles": {"write": True}},
            {"Sites.Read": True, "Roles.Write": True},
        ),
        ({"global": {"admin": True}}, {"Global.Admin": True}),
        ({"global": "Full", "sites": {"delete": True}, "Root.Everything": True, "users": 1}, {}),
    ],
)
async def test_import_older_shapes_of_rights_are_flattened(
    database_url: str,
    exported_world: ExportedWorld,
    tmp_path: Path,
    given: dict[str, Any],
    flat: dict[str, Any],
) -> None:
    _, role = await _import_changed_row(
        database_url, exported_world, tmp_path, "roles", {"rights": given}, "dump"
    )
    assert role["rights"] == flat
