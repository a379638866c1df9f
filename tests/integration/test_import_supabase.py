"""What in a Supabase export means something else here."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.exports.supabase import write_dump, write_folder
from tests.exports.world import Row, World, without_secrets, world
from tests.importing import Outcome, contents, imported

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


@pytest.fixture(scope="module")
def rows() -> World:
    return without_secrets(world())


async def _import(
    url: str, rows: World, path: Path, table: str, change: dict[str, Any], form: str
) -> tuple[Outcome, Row]:
    """Import with a table's first row changed; what came of that row."""
    first, *others = rows[table]
    changed = {**rows, table: [first | change, *others]}
    file = write_folder(path / "csv", changed) if form == "csv" else write_dump(path / "dump.sql", changed)
    outcome = await imported(url, file)
    return outcome, (await contents(url))[table].get(first["id"], {})


@pytest.mark.parametrize("form", ["csv", "dump"])
@pytest.mark.parametrize(
    ("table", "column", "before", "after", "kept"), ENUMS, ids=[f"{e[0]}-{e[2]}" for e in ENUMS]
)
async def test_values_that_there_are_none_of(
    database_url: str,
    rows: World,
    tmp_path: Path,
    form: str,
    table: str,
    column: str,
    before: str,
    after: str,
    kept: str,
) -> None:
    change = {column: before, **({"next_retry_at": 1_790_000_000_000} if table == "scheduled_jobs" else {})}
    outcome, row = await _import(database_url, rows, tmp_path, table, change, form)
    assert row[column] == after
    assert f"{table}: 1 x {column}: {before} became {after}\n" in outcome.text
    if kept:
        assert row[kept] == {**(rows[table][0][kept] or {}), f"imported{column.capitalize()}": before}
    if table == "scheduled_jobs":
        assert row["next_retry_at"] is None


@pytest.mark.parametrize("kind", ["percentage", "free"])
async def test_adjustments_that_have_no_meaning_here(
    database_url: str, rows: World, tmp_path: Path, kind: str
) -> None:
    outcome, row = await _import(
        database_url, rows, tmp_path, "tenant_billing_adjustments", {"type": kind}, "dump"
    )
    assert not row
    assert len(outcome.rejections) == 1
    assert "type: an adjustment" in outcome.rejections[0]
    assert "has no meaning here: adjustments are amounts" in outcome.rejections[0]


async def test_the_last_second_of_9999_is_never(database_url: str, rows: World, tmp_path: Path) -> None:
    never = next(
        row for row in rows["data_sources"] if row["credential_expiration_at"] == 9_007_199_254_740_991
    )
    await imported(database_url, write_dump(tmp_path / "dump.sql", rows))
    assert (await contents(database_url))["data_sources"][never["id"]][
        "credential_expiration_at"
    ] == 9_007_199_254_740_991


async def test_tables_of_others_are_skipped_and_not_read(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    theirs = (
        "COPY auth.users (id, encrypted_password) FROM stdin;\nann\t$2a$10$hunter2\n\\.\n"
        "COPY public.other_things (id) FROM stdin;\nCOPY public.sites (id) FROM stdin;\n\\.\n"
    )
    outcome = await imported(database_url, write_dump(tmp_path / "dump.sql", rows, before=theirs))
    assert outcome.report.rejected == 0
    assert "Skipped, as there is no such table here: auth.users, public.other_things\n" in outcome.text
    assert "hunter2" not in outcome.text


async def test_columns_of_others_are_left_out_and_counted(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    tenants = [row | {"stripe_customer": "cus_1"} for row in rows["tenants"]]
    outcome = await imported(database_url, write_folder(tmp_path, {"tenants": tenants}))
    assert outcome.numbers == {"tenants": (len(tenants), len(tenants), 0, 0, 0)}
    assert (
        f"tenants: {len(tenants)} x the field 'stripe_customer', which there is not here, was left out"
        in outcome.text
    )


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
async def test_older_shapes_of_rights(
    database_url: str, rows: World, tmp_path: Path, given: dict[str, Any], flat: dict[str, Any]
) -> None:
    _, role = await _import(database_url, rows, tmp_path, "roles", {"rights": given}, "dump")
    assert role["rights"] == flat
