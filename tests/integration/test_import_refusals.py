"""Refused rows: each is reported with its line and the reason, and nothing else is lost."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from core.clock import NEVER
from core.encryption import SecretKeys
from core.errors import StartupError
from core.settings import Settings
from services.imports.command import ExportOrigin, import_data, open_source
from services.imports.convex_encoding import Encoding
from services.imports.convex_snapshot import ConvexSnapshot
from services.imports.import_run import ImportOptions
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld, Row
from tests.exports.supabase import write_folder
from tests.import_harness import expect_tables, read_tables, run_import

pytestmark = pytest.mark.newest


def _copy_world(exported_world: ExportedWorld, **changed: list[Row]) -> ExportedWorld:
    return {**{table: [dict(row) for row in found] for table, found in exported_world.items()}, **changed}


def _find_other_tenant(exported_world: ExportedWorld) -> str:
    """Another tenant than that of the first site, with sites of its own."""
    return str(
        next(
            row["tenant_id"]
            for row in exported_world["sites"]
            if row["tenant_id"] != exported_world["sites"][0]["tenant_id"]
        )
    )


CHANGES: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "no tenant": ("sites", {"tenant_id": "nobody"}, "tenantId: no 'nobody' in tenants"),
    "no role": (
        "users",
        {"role_id": "nothing"},
        "roleId: no 'nothing' in roles of its tenant or global",
    ),
    "no integration": (
        "sites",
        {"psa_integration_id": "x"},
        "psaIntegrationId: no 'x' in integrations",
    ),
    "missing": ("agents", {"hostname": None}, "hostname: is required"),
    "not text": ("agents", {"hostname": 7}, "hostname: must be a string"),
    "no status": ("sites", {"status": "gone"}, "status: 'gone' must be one of active, archived, inactive"),
    "no moment": (
        "agents",
        {"registered_at": 2**60},
        "registeredAt: must be a time that a number holds exactly",
    ),
    "a plan for never": (
        "scheduled_jobs",
        {"scheduled_at": NEVER},
        "scheduledAt: must not be after the year 9999",
    ),
    "no count": ("scheduled_jobs", {"attempts": -1}, "attempts: must not be negative"),
    "no integer": (
        "scheduled_jobs",
        {"priority": 2**40},
        "priority: must be an integer of at most 32 bits",
    ),
    "a NUL": (
        "sites",
        {"name": "a\0b"},
        "name: must not contain a NUL character",
    ),
    "a NUL in JSON": (
        "sites",
        {"metadata": {"a": "\0"}},
        "metadata: must not contain a NUL character",
    ),
    "a text for an object": ("roles", {"rights": "none"}, "rights: must be an object"),
    "a long key": (
        "sites",
        {"slug": "x" * 601},
        "slug: must have at most 600 bytes, the limit of its index",
    ),
    "no agent": (
        "health_checks",
        {"resource_type": "agent", "resource_id": "x"},
        "resourceId: no 'x' in agents",
    ),
    "a person without tenant": (
        "audit_log",
        {"tenant_id": None, "user_id": "x"},
        "userId: a change without a tenant must not have a user",
    ),
    "no maker": (
        "tenant_billing_adjustments",
        {"created_by": "x"},
        "createdBy: no 'x' in users of its tenant",
    ),
}


@pytest.mark.parametrize(("table", "change", "reason"), CHANGES.values(), ids=CHANGES)
async def test_import_invalid_row_is_rejected_with_line_and_reason(
    database_url: str,
    exported_world: ExportedWorld,
    tmp_path: Path,
    table: str,
    change: dict[str, Any],
    reason: str,
) -> None:
    """The last row is changed, since no other row should refer to it. Rows that do are rejected, too."""
    world_ = _copy_world(exported_world)
    bad = world_[table][-1]
    bad.update(change)
    outcome = await run_import(database_url, write_snapshot(tmp_path / "a.zip", world_))
    assert outcome.rejection_lines[0].startswith(
        f"{table}, line {len(exported_world[table])} ({bad['id']}): {reason}"
    )
    there = await read_tables(database_url)
    assert bad["id"] not in there[table]
    for name, (read, inserted, updated, unchanged, rejected) in outcome.row_counts.items():
        assert (read, updated, unchanged) == (len(exported_world[name]), 0, 0)
        assert (inserted, rejected) == (len(there[name]), read - len(there[name]))
    assert len(outcome.rejection_lines) == outcome.report.rejected


async def test_import_dependents_of_a_rejected_row_are_rejected_by_name(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    world_ = _copy_world(exported_world)
    site = world_["sites"][0]
    site["slug"] = None
    outcome = await run_import(database_url, write_snapshot(tmp_path / "a.zip", world_))
    agents = [row["id"] for row in exported_world["agents"] if row["site_id"] == site["id"]]
    said = [line for line in outcome.rejection_lines if line.startswith("agents, ")]
    assert len(said) == len(agents) > 0
    assert all(line.endswith(f"siteId: no '{site['id']}' in sites of its tenant") for line in said)


async def test_import_row_with_another_tenant_is_rejected(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    world_ = _copy_world(exported_world)
    agent = next(row for row in world_["agents"] if row["tenant_id"] == world_["sites"][0]["tenant_id"])
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world))
    before = await read_tables(database_url)
    agent["tenant_id"] = _find_other_tenant(exported_world)
    outcome = await run_import(database_url, write_snapshot(tmp_path / "b.zip", world_), "agents")
    assert [line.partition("): ")[2] for line in outcome.rejection_lines] == [
        "the id belongs to a row of another tenant"
    ]
    assert await read_tables(database_url) == before


async def test_import_reference_into_another_tenant_is_rejected(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    world_ = _copy_world(exported_world, health_checks=[])
    site = next(
        row for row in exported_world["sites"] if row["tenant_id"] == _find_other_tenant(exported_world)
    )
    agent = next(row for row in world_["agents"] if row["tenant_id"] != site["tenant_id"])
    agent["site_id"] = site["id"]
    outcome = await run_import(database_url, write_snapshot(tmp_path / "b.zip", world_))
    assert f"siteId: no '{site['id']}' in sites of its tenant" in outcome.rejection_lines[0]
    assert agent["id"] in outcome.rejection_lines[0]


async def test_import_duplicate_rows_keeps_the_first(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    world_ = _copy_world(exported_world)
    sites, users = world_["sites"], world_["users"]
    sites.append(sites[0] | {"name": "Again"})
    live = [user for user in users if user["deleted_at"] is None]
    twin = live[0] | {"id": "twin", "email": live[0]["email"].upper()}
    users.append(twin)
    outcome = await run_import(database_url, write_snapshot(tmp_path / "a.zip", world_))
    line = users.index(live[0]) + 1
    assert outcome.rejection_lines == [
        f"users, line {len(users)} (twin): email: the same as in line {line}",
        f"sites, line {len(sites)} ({sites[0]['id']}): the id occurs in line 1 already",
    ]
    assert await read_tables(database_url) == expect_tables(exported_world)


async def test_import_new_row_with_taken_slug_keeps_the_stored_row(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world))
    site = exported_world["sites"][0]
    later = _copy_world(
        exported_world, sites=[site | {"id": "late", "name": "Late"}, *exported_world["sites"]]
    )
    outcome = await run_import(database_url, write_snapshot(tmp_path / "b.zip", later), "sites")
    assert outcome.rejection_lines == ["sites, line 1 (late): slug: the same as in line 2"]
    assert outcome.row_counts["sites"] == (
        len(exported_world["sites"]) + 1,
        0,
        0,
        len(exported_world["sites"]),
        1,
    )
    assert await read_tables(database_url) == expect_tables(exported_world)


async def test_import_slug_taken_here_is_rejected_until_it_is_free(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world))
    site = exported_world["sites"][0]
    late = _copy_world(exported_world, sites=[site | {"id": "late", "name": "Late"}])
    outcome = await run_import(database_url, write_snapshot(tmp_path / "b.zip", late), "sites")
    assert outcome.rejection_lines == [f"sites, line 1 (late): slug: already in use by '{site['id']}'"]
    renamed = _copy_world(exported_world, sites=[site | {"slug": "elsewhere"}, *late["sites"]])
    outcome = await run_import(database_url, write_snapshot(tmp_path / "c.zip", renamed), "sites")
    assert outcome.row_counts == {"sites": (2, 1, 1, 0, 0)}


async def test_import_rejected_update_keeps_the_stored_row(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    """One site would give up its slug, but is refused. So the site that was to get the slug is refused as well."""
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world))
    site = exported_world["sites"][0]
    later = _copy_world(exported_world, sites=[site | {"slug": None}, site | {"id": "late"}])
    outcome = await run_import(database_url, write_snapshot(tmp_path / "b.zip", later), "sites")
    assert outcome.row_counts == {"sites": (2, 0, 0, 0, 2)}
    assert await read_tables(database_url) == expect_tables(exported_world)


async def test_import_changed_audit_log_entry_is_rejected(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world))
    entries = [dict(row) for row in exported_world["audit_log"]]
    entries[0]["changes"] = {"name": ["was", "never"]}
    entries.append(entries[1] | {"id": "new"})
    outcome = await run_import(
        database_url,
        write_snapshot(tmp_path / "b.zip", _copy_world(exported_world, audit_log=entries)),
        "audit_log",
    )
    assert outcome.row_counts == {"audit_log": (len(entries), 1, 0, len(entries) - 2, 1)}
    assert outcome.rejection_lines[0].endswith(
        "already exists with other values: entries of the audit log cannot be changed"
    )


async def test_import_circular_relationships_are_accepted(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    world_ = _copy_world(exported_world)
    relation = world_["entity_relationships"][0]
    parent, child = relation["parent_entity_id"], relation["child_entity_id"]
    circle = [
        relation | {"id": "back", "parent_entity_id": child, "child_entity_id": parent},
        relation | {"id": "itself", "child_entity_id": parent},
        relation | {"id": "nowhere", "child_entity_id": "nobody"},
    ]
    world_["entity_relationships"] += circle
    outcome = await run_import(database_url, write_snapshot(tmp_path / "a.zip", world_))
    assert [line.partition("(")[2] for line in outcome.rejection_lines] == [
        "nowhere): childEntityId: no 'nobody' in entities of its tenant"
    ]


@pytest.mark.parametrize(
    "write", [lambda p, w: write_snapshot(p / "a.zip", w), write_folder], ids=["convex", "csv"]
)
async def test_import_strict_with_a_rejected_row_changes_nothing(
    database_url: str,
    exported_world: ExportedWorld,
    tmp_path: Path,
    write: Callable[[Path, ExportedWorld], Path],
) -> None:
    bad = _copy_world(exported_world)
    bad["tenant_billing_adjustments"][-1]["integration_id"] = "nothing"
    before = await read_tables(database_url)
    outcome = await run_import(database_url, write(tmp_path, bad), strict=True)
    assert len(outcome.rejection_lines) == outcome.report.rejected == 1
    assert "Nothing was changed: --strict imports all rows or none." in outcome.text
    assert await read_tables(database_url) == before
    outcome = await run_import(database_url, write(tmp_path, exported_world), strict=True)
    assert outcome.report.rejected == 0
    assert len((await read_tables(database_url))["agents"]) == len(exported_world["agents"])


_REFUSE_SITES: Final = """
CREATE FUNCTION refuse_sites() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no sites'; END $$;
CREATE CONSTRAINT TRIGGER refuse_sites AFTER INSERT ON sites DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse_sites()
"""


async def _install_trigger_that_refuses_sites(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_REFUSE_SITES)
    await connection.close()


async def _run_failing_import(
    url: str, path: Path, raised: type[Exception], *, strict: bool = False
) -> list[str]:
    """The report of an unfinished import."""
    output = io.StringIO()
    source = open_source(ExportOrigin.CONVEX, path)
    with pytest.raises(raised):
        await import_data(url, Settings(), source, ImportOptions(strict=strict), output, SecretKeys())
    source.close()
    return output.getvalue().splitlines()


async def test_import_strict_that_fails_at_commit_reports_no_tables(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await _install_trigger_that_refuses_sites(database_url)
    path = write_snapshot(tmp_path / "a.zip", exported_world)
    lines = await _run_failing_import(database_url, path, StartupError, strict=True)
    assert lines == ["Imported before the failure: nothing"]
    assert not (await read_tables(database_url))["tenants"]


async def test_import_aborted_by_database_reports_earlier_rejections(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await _install_trigger_that_refuses_sites(database_url)
    bad = _copy_world(exported_world)
    bad["tenants"].append({"id": "t", "created_at": 1})
    lines = await _run_failing_import(database_url, write_snapshot(tmp_path / "a.zip", bad), StartupError)
    assert lines[:2] == [
        f"tenants, line {len(bad['tenants'])} (t): name: is required",
        "Imported before the failure: tenants, integrations, roles, users",
    ]


async def test_import_aborted_by_internal_error_reports_imported_tables(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ConvexSnapshot._read_encoding

    def broken(self: ConvexSnapshot, table: str) -> Encoding:
        if table == "sites":
            raise ArithmeticError("a mistake of ours")
        return whole(self, table)

    bad = _copy_world(exported_world)
    bad["tenants"].append({"id": "t", "created_at": 1})
    monkeypatch.setattr(ConvexSnapshot, "_read_encoding", broken)
    lines = await _run_failing_import(database_url, write_snapshot(tmp_path / "a.zip", bad), ArithmeticError)
    assert lines[0].endswith("(t): name: is required")
    assert lines[1] == "Imported before the failure: tenants, integrations, roles, users"


async def test_import_dry_run_reports_the_result_and_changes_nothing(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    bad = _copy_world(exported_world)
    bad["sites"][0]["slug"] = None
    bad["entities"][3]["entity_type"] = None
    path = write_snapshot(tmp_path / "a.zip", bad)
    before = await read_tables(database_url)
    trial = await run_import(database_url, path, dry_run=True)
    assert await read_tables(database_url) == before
    assert "Nothing was changed: this was a dry run." in trial.text
    real = await run_import(database_url, path)
    assert (trial.row_counts, trial.rejection_lines) == (real.row_counts, real.rejection_lines)
    again = await run_import(database_url, path, dry_run=True)
    assert again.row_counts == (await run_import(database_url, path)).row_counts


async def test_import_unknown_table_option_is_refused(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    with pytest.raises(StartupError, match=r"^--tables: unknown table site; the tables are tenants, "):
        await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world), "site")


async def test_import_while_another_runs_is_refused(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    import asyncpg

    from services.imports.command import IMPORT_LOCK

    path = write_snapshot(tmp_path / "a.zip", exported_world)
    other = await asyncpg.connect(database_url)
    await other.execute("SELECT pg_advisory_lock($1)", IMPORT_LOCK)
    with pytest.raises(StartupError, match="Another import"):
        await run_import(database_url, path)
    await other.close()
    await run_import(database_url, path)
