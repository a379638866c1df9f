"""What the older systems allow and the tables here do not: it is imported, and the report counts it."""

import csv
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld, Row
from tests.exports.supabase import write_dump
from tests.import_harness import ImportOutcome, read_tables, run_import

pytestmark = pytest.mark.newest

T: Final = 1_700_000_000_000
STAMPS: Final = {"created_at": T, "updated_at": T + 1}
TENANT: Final = {"id": "t", "name": "T", "status": "active", **STAMPS}
PSA: Final = {"id": "psa", "name": "P", "description": "", "category": "psa", "supported_types": [], **STAMPS}
SITE: Final = {"id": "s", "tenant_id": "t", "name": "S", "slug": "s", "status": "active", **STAMPS}
ROLE: Final = {"id": "r", "tenant_id": "t", "name": "R", "description": "", "rights": {}, **STAMPS}
USER: Final = {
    "id": "u", "tenant_id": "t", "role_id": "r", "email": "a@example.com", "name": "A", "status": "active",
    "metadata": {}, **STAMPS,
}  # fmt: skip
SOURCE: Final = {
    "id": "d", "tenant_id": "t", "integration_id": "psa", "status": "active", "config": {},
    "credential_expiration_at": 9_007_199_254_740_991, **STAMPS,
}  # fmt: skip
JOB: Final = {
    "id": "j", "tenant_id": "t", "integration_id": "psa", "action": "sync.sites", "payload": {}, "status": "pending",
    "attempts": 0, "attempts_max": 3, "scheduled_at": T + 2, "created_by": "system", **STAMPS,
}  # fmt: skip
BASE: Final = {"tenants": [TENANT], "integrations": [PSA], "roles": [ROLE], "users": [USER], "sites": [SITE],
               "data_sources": [SOURCE]}  # fmt: skip
FORMS: Final = ["convex", "dump"]


async def _import(url: str, path: Path, form: str, more: ExportedWorld, **options: Any) -> ImportOutcome:
    world = {**BASE, **more}
    file = write_snapshot(path / "a.zip", world) if form == "convex" else write_dump(path / "a.sql", world)
    return await run_import(url, file, **options)


async def _read_row(url: str, table: str, row_id: str) -> Row:
    return (await read_tables(url))[table][row_id]


@pytest.mark.parametrize("form", FORMS)
async def test_import_zero_times_of_pending_rows_are_absent(
    database_url: str, tmp_path: Path, form: str
) -> None:
    job = JOB | {"started_at": 0, "next_retry_at": 0, "scheduled_at": 0}
    agent = {
        "id": "a", "tenant_id": "t", "site_id": "s", "guid": "g", "hostname": "h", "platform": "p", "version": "1",
        "registered_at": T, "last_checkin_at": 0, "deleted_at": 0, **STAMPS,
    }  # fmt: skip
    tier = {
        "id": "p", "tenant_id": "t", "integration_id": "psa", "name": "N", "description": "", "unit_cost": 1,
        "effective_from": 0, "effective_until": 0, "created_at": T, "updated_at": 0,
    }  # fmt: skip
    more = {"scheduled_jobs": [job], "agents": [agent], "integration_pricing_tiers": [tier]}
    outcome = await _import(database_url, tmp_path, form, more)
    assert outcome.rejection_lines == []
    stored = await read_tables(database_url)
    assert stored["scheduled_jobs"]["j"] == job | {
        "data_source_id": None, "priority": None, "error": None,
        "started_at": None, "next_retry_at": None, "scheduled_at": T,
    }  # fmt: skip
    assert stored["agents"]["a"]["registered_at"] == T
    assert (stored["agents"]["a"]["last_checkin_at"], stored["agents"]["a"]["deleted_at"]) == (None, None)
    price = stored["integration_pricing_tiers"]["p"]
    assert (price["effective_from"], price["effective_until"], price["updated_at"]) == (0, None, T)
    assert "agents: 1 x lastCheckinAt: 0 is not a time and was removed\n" in outcome.text
    assert "scheduled_jobs: 1 x startedAt: 0 is not a time and was removed\n" in outcome.text


async def test_import_convex_created_at_of_zero_becomes_creation_time(
    database_url: str, tmp_path: Path
) -> None:
    path = write_snapshot(tmp_path / "a.zip", {"tenants": [TENANT]})
    rows = write_snapshot(tmp_path / "b.zip", {"tenants": [TENANT | {"created_at": None}]})
    await run_import(database_url, path)
    zero = write_snapshot(tmp_path / "c.zip", {"tenants": [TENANT | {"created_at": 0}]})
    await run_import(database_url, rows)
    assert (await _read_row(database_url, "tenants", "t"))["created_at"] == 1_600_000_000_000
    outcome = await run_import(database_url, zero)
    assert (await _read_row(database_url, "tenants", "t"))["created_at"] == 0  # what _creationTime says
    assert "createdAt: 0 is not a time and became _creationTime" in outcome.text


@pytest.mark.parametrize("form", FORMS)
async def test_import_fractions_of_integers_are_rounded_and_counted(
    database_url: str, tmp_path: Path, form: str
) -> None:
    given = {12.75: 13, 12.5: 13, 12.49: 12, -0.4: 0, -0.5: 0, -0.6: -1, 12.0: 12}
    call = {
        "url": "https://psa.example", "method": "GET", "status_code": 200, "expires_at": T, "created_at": T,
    }  # fmt: skip
    calls = [call | {"id": f"c{value}", "duration_ms": value} for value in given]
    outcome = await _import(database_url, tmp_path, form, {"api_logs": calls})
    stored = (await read_tables(database_url))["api_logs"]
    assert {value: stored[f"c{value}"]["duration_ms"] for value in given} == given
    assert "api_logs: 6 x durationMs: rounded to an integer\n" in outcome.text


async def test_import_convex_fraction_of_a_time_is_cut_and_counted(database_url: str, tmp_path: Path) -> None:
    user = USER | {"last_activity_at": T + 0.75}
    outcome = await _import(database_url, tmp_path, "convex", {"users": [user]})
    assert (await _read_row(database_url, "users", "u"))["last_activity_at"] == T
    assert "users: 1 x lastActivityAt: cut to whole milliseconds\n" in outcome.text
    assert "createdAt" not in outcome.text


@pytest.mark.parametrize("form", FORMS)
async def test_import_payload_and_metadata_that_are_no_objects_are_wrapped(
    database_url: str, tmp_path: Path, form: str
) -> None:
    values: list[Any] = [[1, {"a": 2}], "text", 7, True, []]
    named = list(enumerate(values))
    more = {
        "scheduled_jobs": [JOB | {"id": f"{n}", "payload": value} for n, value in named],
        "users": [USER, *(USER | {"id": f"{n}", "email": f"{n}@x.example", "metadata": value} for n, value in named)],
        "sites": [SITE, *(SITE | {"id": f"{n}", "slug": f"s{n}", "metadata": value} for n, value in named)],
    }  # fmt: skip
    world = _with_same_columns(more)
    outcome = await _import(database_url, tmp_path, form, world)
    assert outcome.rejection_lines == []
    stored = await read_tables(database_url)
    for table, field in (("scheduled_jobs", "payload"), ("users", "metadata"), ("sites", "metadata")):
        assert [stored[table][f"{n}"][field] for n, _ in named] == [{"value": value} for value in values]
        assert f"{table}: 5 x {field}: a value that is no object became the `value` of one" in outcome.text
    again = await _import(database_url, tmp_path, form, world)
    assert {counts[1:3] for counts in again.row_counts.values()} == {(0, 0)}


async def test_import_payload_of_events_that_is_a_list_is_kept(database_url: str, tmp_path: Path) -> None:
    entity = {
        "id": "e", "tenant_id": "t", "integration_id": "psa", "data_source_id": "d", "entity_type": "x",
        "external_id": "1", "data_hash": "h", "raw_data": [1], "normalized_data": "x", **STAMPS,
    }  # fmt: skip
    event = {"id": "v", "tenant_id": "t", "entity_id": "e", "event_type": "created", "status": "pending",
             "payload": [1, "a"], "processed_at": 0, **STAMPS}  # fmt: skip
    await _import(database_url, tmp_path, "convex", {"entities": [entity], "events_log": [event]})
    row = await _read_row(database_url, "events_log", "v")
    assert (row["payload"], row["processed_at"], row["retry_count"]) == ([1, "a"], None, 0)


async def test_import_original_status_is_kept_with_metadata_that_is_a_list(
    database_url: str, tmp_path: Path
) -> None:
    check = {"id": "h", "tenant_id": "t", "resource_type": "site", "resource_id": "s", "status": "critical",
             "failure_count": 1, "last_check_at": T, "metadata": [1], **STAMPS}  # fmt: skip
    await _import(database_url, tmp_path, "dump", {"health_checks": [check]})
    row = await _read_row(database_url, "health_checks", "h")
    assert row["metadata"] == {"value": [1], "importedStatus": "critical"}


LINK: Final = {"id": "l", "tenant_id": "t", "data_source_id": "d", "site_id": "s", "created_at": T}


@pytest.mark.parametrize("form", FORMS)
async def test_import_link_without_tenant_gets_that_of_its_data_source(
    database_url: str, tmp_path: Path, form: str
) -> None:
    more = {"data_source_to_site": [LINK | {"tenant_id": None}]}
    for dry_run in (True, False):
        outcome = await _import(database_url, tmp_path, form, more, dry_run=dry_run)
        assert outcome.row_counts["data_source_to_site"] == (1, 1, 0, 0, 0)
        assert "1 x tenantId: was absent and became that of the data source\n" in outcome.text
    assert (await _read_row(database_url, "data_source_to_site", "l"))["tenant_id"] == "t"


@pytest.mark.parametrize("form", FORMS)
async def test_import_link_without_tenant_to_another_tenants_site_is_rejected(
    database_url: str, tmp_path: Path, form: str
) -> None:
    other = [TENANT | {"id": "t2"}], [SITE, SITE | {"id": "s2", "tenant_id": "t2"}]
    links = [
        LINK | {"tenant_id": None, "site_id": "s2"},
        LINK | {"id": "m", "tenant_id": None, "data_source_id": "none"},
    ]
    more = {"tenants": [TENANT, *other[0]], "sites": other[1], "data_source_to_site": links}
    outcome = await _import(database_url, tmp_path, form, more)
    assert [line.partition("): ")[2] for line in outcome.rejection_lines] == [
        "siteId: no 's2' in sites of its tenant",
        "dataSourceId: no 'none' in data_sources of its tenant",
    ]


async def test_import_csv_of_links_without_the_column_gets_tenants(database_url: str, tmp_path: Path) -> None:
    await _import(database_url, tmp_path, "convex", {})
    folder = tmp_path / "csv"
    folder.mkdir()
    with (folder / "data_source_to_site.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "data_source_id", "site_id"], ["l", "d", "s"]])
    outcome = await run_import(database_url, folder)
    assert outcome.row_counts["data_source_to_site"] == (1, 1, 0, 0, 0)
    assert (await _read_row(database_url, "data_source_to_site", "l"))["tenant_id"] == "t"
    again = await run_import(database_url, folder)
    assert again.row_counts["data_source_to_site"] == (1, 0, 0, 1, 0)


ENTRY: Final = {"id": "x", "tenant_id": "t", "user_id": "u", "table_name": "sites", "record_id": "s",
                "action": "update", "changes": {}, "created_at": T}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_import_audit_rows_with_a_user_are_the_users(
    database_url: str, tmp_path: Path, form: str
) -> None:
    entries = [ENTRY, ENTRY | {"id": "y", "user_id": None}]
    outcome = await _import(database_url, tmp_path, form, {"audit_log": entries})
    assert outcome.rejection_lines == []
    stored = (await read_tables(database_url))["audit_log"]
    assert (stored["x"]["actor_type"], stored["x"]["actor_id"]) == ("user", "u")
    assert (stored["y"]["actor_type"], stored["y"]["actor_id"]) == ("system", None)
    assert "audit_log: 1 x actorType: was absent and became user, since there is a userId\n" in outcome.text


@pytest.mark.parametrize("form", FORMS)
async def test_import_audit_row_of_an_earlier_import_stays_as_it_is(
    database_url: str, tmp_path: Path, form: str
) -> None:
    """Before, imports wrote `system` for such rows, and rows of the audit log never change."""
    await _import(database_url, tmp_path, form, {})
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO audit_log (id, tenant_id, user_id, table_name, record_id, action, created_at) "
        "VALUES ('x', 't', 'u', 'sites', 's', 'update', $1)",
        T,
    )
    await connection.close()
    outcome = await _import(database_url, tmp_path, form, {"audit_log": [ENTRY]})
    assert outcome.row_counts["audit_log"] == (1, 0, 0, 1, 0)


async def test_import_billing_rows_without_any_time_get_the_present_once(
    database_url: str, tmp_path: Path
) -> None:
    tier = {"id": "p", "tenant_id": "t", "integration_id": "psa", "name": "N", "description": "", "unit_cost": 1,
            "effective_from": None, "effective_until": None, "created_at": None, "updated_at": None}  # fmt: skip
    first = await _import(database_url, tmp_path, "dump", {"integration_pricing_tiers": [tier]})
    assert first.rejection_lines == []
    stored = await _read_row(database_url, "integration_pricing_tiers", "p")
    assert stored["created_at"] == stored["updated_at"] == stored["effective_from"] > T
    again = await _import(database_url, tmp_path, "dump", {"integration_pricing_tiers": [tier]})
    assert again.row_counts["integration_pricing_tiers"] == (1, 0, 0, 1, 0)


async def test_import_tier_of_the_future_without_created_at_does_not_get_a_future_one(
    database_url: str, tmp_path: Path
) -> None:
    tier = {"id": "p", "tenant_id": "t", "integration_id": "psa", "name": "N", "description": "", "unit_cost": 1,
            "effective_from": 4_000_000_000_000, "created_at": None, "updated_at": None}  # fmt: skip
    await _import(database_url, tmp_path, "dump", {"integration_pricing_tiers": [tier]})
    stored = await _read_row(database_url, "integration_pricing_tiers", "p")
    assert stored["effective_from"] == 4_000_000_000_000 > stored["created_at"] > T


def _documents_with_clerk_ids() -> ExportedWorld:
    adjustment = {
        "id": "b", "tenant_id": "t", "type": "credit", "amount": 1, "reason": "", "effective_from": T,
        "effective_to": T + 1, "created_by": "u", **STAMPS,
    }  # fmt: skip
    return {
        "users": [
            USER | {"clerk_id": "user_1"},
            USER | {"id": "v", "email": "b@example.com", "status": "pending"},
            USER | {"id": "w", "email": "c@example.com", "clerk_id": ""},
        ],
        "audit_log": [
            ENTRY,
            ENTRY | {"id": "y", "user_id": "v", "table_name": "users", "record_id": "u"},
            ENTRY | {"id": "z", "record_id": "u"},
        ],
        "tenant_billing_adjustments": [adjustment],
        "scheduled_jobs": [JOB | {"created_by": "u"}, JOB | {"id": "k"}],
    }


def _with_same_columns(world: ExportedWorld) -> ExportedWorld:
    """The same with every column in each row of a table, as a dump has them."""
    return {
        table: [dict.fromkeys({name: None for row in rows for name in row}) | row for row in rows]
        for table, rows in world.items()
    }


@pytest.mark.parametrize(("form", "name"), [("convex", "clerkId"), ("dump", "clerk_id")])
async def test_import_user_id_field_gives_users_their_ids_everywhere(
    database_url: str, tmp_path: Path, form: str, name: str
) -> None:
    world = _with_same_columns(_documents_with_clerk_ids())
    trial = await _import(database_url, tmp_path, form, world, user_id_field=name, dry_run=True)
    outcome = await _import(database_url, tmp_path, form, world, user_id_field=name)
    assert outcome.rejection_lines == trial.rejection_lines == []
    stored = await read_tables(database_url)
    assert set(stored["users"]) == {"user_1", "v", "w"}
    assert [stored["audit_log"][row]["user_id"] for row in "xyz"] == ["user_1", "v", "user_1"]
    assert [stored["audit_log"][row]["actor_id"] for row in "xyz"] == ["user_1", "v", "user_1"]
    assert [stored["audit_log"][row]["record_id"] for row in "xyz"] == ["s", "user_1", "u"]
    assert stored["tenant_billing_adjustments"]["b"]["created_by"] == "user_1"
    assert [stored["scheduled_jobs"][row]["created_by"] for row in "jk"] == ["user_1", "system"]
    kept = "the _id was kept" if form == "convex" else "the id was kept"
    assert f"users: 2 x id: without {name} {kept}\n" in outcome.text
    assert "unknown field" not in outcome.text
    again = await _import(database_url, tmp_path, form, world, user_id_field=name)
    assert {counts[1:3] for counts in again.row_counts.values()} == {(0, 0)}


async def test_import_user_id_field_with_only_other_tables_reads_the_users(
    database_url: str, tmp_path: Path
) -> None:
    world = {**BASE, **_documents_with_clerk_ids()}
    path = write_snapshot(tmp_path / "a.zip", world)
    named = ("tenants", "integrations", "roles", "users", "sites")
    await run_import(database_url, path, *named, user_id_field="clerkId")
    outcome = await run_import(database_url, path, "audit_log", user_id_field="clerkId")
    assert outcome.row_counts == {"audit_log": (3, 3, 0, 0, 0)}
    assert (await _read_row(database_url, "audit_log", "x"))["user_id"] == "user_1"


async def test_import_user_id_field_that_is_no_string_is_rejected(database_url: str, tmp_path: Path) -> None:
    outcome = await _import(
        database_url, tmp_path, "convex", {"users": [USER | {"clerk_id": 7}]}, user_id_field="clerkId"
    )
    assert outcome.rejection_lines == ["users, line 1 (u): clerkId: must be a string"]


async def test_import_without_user_id_field_reports_the_unknown_field(
    database_url: str, tmp_path: Path
) -> None:
    outcome = await _import(database_url, tmp_path, "convex", {"users": [USER | {"clerk_id": "user_1"}]})
    assert "users: 1 x the unknown field 'clerkId' was left out" in outcome.text
    assert set((await read_tables(database_url))["users"]) == {"u"}


async def test_import_report_groups_reasons_with_twenty_examples_each(
    database_url: str, tmp_path: Path
) -> None:
    orphans = [SITE | {"id": f"o{n}", "slug": f"o{n}", "tenant_id": f"x'{n}"} for n in range(23)]
    nameless = [SITE | {"id": f"n{n}", "slug": f"n{n}", "name": None} for n in range(20)]
    mixed = [row for pair in zip(orphans, nameless, strict=False) for row in pair] + orphans[20:]
    odd = SITE | {"id": "odd", "slug": "odd", "status": "gone"}
    outcome = await _import(database_url, tmp_path, "convex", {"sites": [SITE, *mixed, odd]})
    assert outcome.row_counts["sites"] == (45, 1, 0, 0, 44)
    lines = outcome.lines_before_counts
    assert lines[0] == "sites: 20 rows are rejected: name: is required"
    assert lines[1:21] == [f"sites, line {2 * n + 3} (n{n}): name: is required" for n in range(20)]
    assert lines[21].startswith("sites, line 45 (odd): status: 'gone' must be one of")
    assert lines[22] == "sites: 23 rows are rejected: tenantId: no … in tenants"
    assert lines[23] == "sites, line 2 (o0): tenantId: no 'x''0' in tenants"
    assert lines[43] == "sites: 3 more rows are rejected for this reason"
    assert len(lines) == 44
