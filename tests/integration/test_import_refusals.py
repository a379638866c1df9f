"""Rows that cannot be taken: each is named with its line and the reason, and nothing else is lost."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from core.encryption import SecretKeys
from core.errors import StartupError
from core.settings import Settings
from services.imports.convex_encoding import Encoding
from services.imports.convex_snapshot import ConvexSnapshot
from services.imports.importing import Origin, import_data, opened_source
from services.imports.loading import Wishes
from tests.exports.convex import write_snapshot
from tests.exports.supabase import write_folder
from tests.exports.world import Row, World, without_secrets, world
from tests.importing import contents, expected, imported

pytestmark = pytest.mark.newest


@pytest.fixture(scope="module")
def rows() -> World:
    return without_secrets(world())


def _copy(rows: World, **changed: list[Row]) -> World:
    return {**{table: [dict(row) for row in found] for table, found in rows.items()}, **changed}


def _neighbours(rows: World) -> str:
    """The tenant to which the first site does not belong, and which has sites."""
    return str(
        next(row["tenant_id"] for row in rows["sites"] if row["tenant_id"] != rows["sites"][0]["tenant_id"])
    )


CHANGES: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "no tenant": ("sites", {"tenant_id": "nobody"}, "tenantId: there is no 'nobody' in tenants"),
    "no role": (
        "users",
        {"role_id": "nothing"},
        "roleId: there is no 'nothing' in roles of its tenant or for all",
    ),
    "no integration": (
        "sites",
        {"psa_integration_id": "x"},
        "psaIntegrationId: there is no 'x' in integrations",
    ),
    "missing": ("agents", {"hostname": None}, "hostname: is missing"),
    "not text": ("agents", {"hostname": 7}, "hostname: is not text"),
    "no status": ("sites", {"status": "gone"}, "status: 'gone' is none of active, archived, inactive"),
    "no moment": (
        "agents",
        {"registered_at": 2**60},
        "registeredAt: is not a moment within what a number holds exactly",
    ),
    "no count": ("scheduled_jobs", {"attempts": -1}, "attempts: is less than 0"),
    "no integer": (
        "scheduled_jobs",
        {"priority": 2**40},
        "priority: is not a whole number of at most 32 bits",
    ),
    "a NUL": ("sites", {"name": "a\0b"}, "name: has a NUL character, which PostgreSQL cannot hold"),
    "a NUL in JSON": ("sites", {"metadata": {"a": "\0"}}, "metadata: has a NUL character (\\u0000), which"),
    "a text for an object": ("users", {"metadata": "none"}, "metadata: is not an object"),
    "a long key": (
        "sites",
        {"slug": "x" * 601},
        "slug: has more than 600 bytes, which its index cannot hold",
    ),
    "no agent": (
        "health_checks",
        {"resource_type": "agent", "resource_id": "x"},
        "resourceId: there is no 'x' in agents",
    ),
    "a person without tenant": (
        "audit_log",
        {"tenant_id": None, "user_id": "x"},
        "userId: a change without tenant cannot",
    ),
    "no maker": (
        "tenant_billing_adjustments",
        {"created_by": "x"},
        "createdBy: there is no 'x' in users of its tenant",
    ),
}


@pytest.mark.parametrize(("table", "change", "reason"), CHANGES.values(), ids=CHANGES)
async def test_a_row_that_does_not_fit(
    database_url: str, rows: World, tmp_path: Path, table: str, change: dict[str, Any], reason: str
) -> None:
    """The last row is changed, as nothing refers to it by chance; what hangs on it is rejected, too."""
    world_ = _copy(rows)
    bad = world_[table][-1]
    bad.update(change)
    outcome = await imported(database_url, write_snapshot(tmp_path / "a.zip", world_))
    assert outcome.rejections[0].startswith(f"{table}, line {len(rows[table])} ({bad['id']}): {reason}")
    there = await contents(database_url)
    assert bad["id"] not in there[table]
    for name, (read, inserted, updated, unchanged, rejected) in outcome.numbers.items():
        assert (read, updated, unchanged) == (len(rows[name]), 0, 0)
        assert (inserted, rejected) == (len(there[name]), read - len(there[name]))
    assert len(outcome.rejections) == outcome.report.rejected


async def test_what_hangs_on_a_rejected_row_is_rejected_by_name(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    world_ = _copy(rows)
    site = world_["sites"][0]
    site["slug"] = None
    outcome = await imported(database_url, write_snapshot(tmp_path / "a.zip", world_))
    agents = [row["id"] for row in rows["agents"] if row["site_id"] == site["id"]]
    said = [line for line in outcome.rejections if line.startswith("agents, ")]
    assert len(said) == len(agents) > 0
    assert all(line.endswith(f"siteId: there is no '{site['id']}' in sites of its tenant") for line in said)


async def test_a_row_never_crosses_to_another_tenant(database_url: str, rows: World, tmp_path: Path) -> None:
    world_ = _copy(rows)
    agent = next(row for row in world_["agents"] if row["tenant_id"] == world_["sites"][0]["tenant_id"])
    await imported(database_url, write_snapshot(tmp_path / "a.zip", rows))
    before = await contents(database_url)
    agent["tenant_id"] = _neighbours(rows)
    outcome = await imported(database_url, write_snapshot(tmp_path / "b.zip", world_), "agents")
    assert [line.partition("): ")[2] for line in outcome.rejections] == [
        "the id is that of a row of another tenant"
    ]
    assert await contents(database_url) == before


async def test_a_reference_into_another_tenant_leads_nowhere(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    world_ = _copy(rows, health_checks=[])
    site = next(row for row in rows["sites"] if row["tenant_id"] == _neighbours(rows))
    agent = next(row for row in world_["agents"] if row["tenant_id"] != site["tenant_id"])
    agent["site_id"] = site["id"]
    outcome = await imported(database_url, write_snapshot(tmp_path / "b.zip", world_))
    assert f"siteId: there is no '{site['id']}' in sites of its tenant" in outcome.rejections[0]
    assert agent["id"] in outcome.rejections[0]


async def test_of_two_rows_alike_the_first_counts(database_url: str, rows: World, tmp_path: Path) -> None:
    world_ = _copy(rows)
    sites, users = world_["sites"], world_["users"]
    sites.append(sites[0] | {"name": "Again"})
    live = [user for user in users if user["deleted_at"] is None]
    twin = live[0] | {"id": "twin", "email": live[0]["email"].upper()}
    users.append(twin)
    outcome = await imported(database_url, write_snapshot(tmp_path / "a.zip", world_))
    line = users.index(live[0]) + 1
    assert outcome.rejections == [
        f"users, line {len(users)} (twin): email: the same as in line {line}",
        f"sites, line {len(sites)} ({sites[0]['id']}): the id is that of line 1, too",
    ]
    assert await contents(database_url) == expected(rows)


async def test_a_new_row_above_does_not_push_aside_one_that_is_here(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    await imported(database_url, write_snapshot(tmp_path / "a.zip", rows))
    site = rows["sites"][0]
    later = _copy(rows, sites=[site | {"id": "late", "name": "Late"}, *rows["sites"]])
    outcome = await imported(database_url, write_snapshot(tmp_path / "b.zip", later), "sites")
    assert outcome.rejections == ["sites, line 1 (late): slug: the same as in line 2"]
    assert outcome.numbers["sites"] == (len(rows["sites"]) + 1, 0, 0, len(rows["sites"]), 1)
    assert await contents(database_url) == expected(rows)


async def test_what_is_taken_here_is_not_taken_away(database_url: str, rows: World, tmp_path: Path) -> None:
    await imported(database_url, write_snapshot(tmp_path / "a.zip", rows))
    site = rows["sites"][0]
    late = _copy(rows, sites=[site | {"id": "late", "name": "Late"}])
    outcome = await imported(database_url, write_snapshot(tmp_path / "b.zip", late), "sites")
    assert outcome.rejections == [
        f"sites, line 1 (late): slug: taken by '{site['id']}', which is here already"
    ]
    renamed = _copy(rows, sites=[site | {"slug": "elsewhere"}, *late["sites"]])
    outcome = await imported(database_url, write_snapshot(tmp_path / "c.zip", renamed), "sites")
    assert outcome.numbers == {"sites": (2, 1, 1, 0, 0)}


async def test_a_row_whose_newer_version_is_refused_keeps_what_it_has(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    """One site would hand its slug on, but is refused; so whoever was to have it is refused as well."""
    await imported(database_url, write_snapshot(tmp_path / "a.zip", rows))
    site = rows["sites"][0]
    later = _copy(rows, sites=[site | {"slug": None}, site | {"id": "late"}])
    outcome = await imported(database_url, write_snapshot(tmp_path / "b.zip", later), "sites")
    assert outcome.numbers == {"sites": (2, 0, 0, 0, 2)}
    assert await contents(database_url) == expected(rows)


async def test_the_audit_log_is_only_added_to(database_url: str, rows: World, tmp_path: Path) -> None:
    await imported(database_url, write_snapshot(tmp_path / "a.zip", rows))
    entries = [dict(row) for row in rows["audit_log"]]
    entries[0]["changes"] = {"name": ["was", "never"]}
    entries.append(entries[1] | {"id": "new"})
    outcome = await imported(
        database_url, write_snapshot(tmp_path / "b.zip", _copy(rows, audit_log=entries)), "audit_log"
    )
    assert outcome.numbers == {"audit_log": (len(entries), 1, 0, len(entries) - 2, 1)}
    assert outcome.rejections[0].endswith(
        "is here already, and says something else: the audit log is only ever added to"
    )


async def test_relations_in_circles_are_relations(database_url: str, rows: World, tmp_path: Path) -> None:
    world_ = _copy(rows)
    relation = world_["entity_relationships"][0]
    parent, child = relation["parent_entity_id"], relation["child_entity_id"]
    circle = [
        relation | {"id": "back", "parent_entity_id": child, "child_entity_id": parent},
        relation | {"id": "itself", "child_entity_id": parent},
        relation | {"id": "nowhere", "child_entity_id": "nobody"},
    ]
    world_["entity_relationships"] += circle
    outcome = await imported(database_url, write_snapshot(tmp_path / "a.zip", world_))
    assert [line.partition("(")[2] for line in outcome.rejections] == [
        "nowhere): childEntityId: there is no 'nobody' in entities of its tenant"
    ]


@pytest.mark.parametrize(
    "write", [lambda p, w: write_snapshot(p / "a.zip", w), write_folder], ids=["convex", "csv"]
)
async def test_strict_takes_all_or_nothing(
    database_url: str, rows: World, tmp_path: Path, write: Callable[[Path, World], Path]
) -> None:
    bad = _copy(rows)
    bad["tenant_billing_adjustments"][-1]["integration_id"] = "nothing"
    before = await contents(database_url)
    outcome = await imported(database_url, write(tmp_path, bad), strict=True)
    assert len(outcome.rejections) == outcome.report.rejected == 1
    assert "Nothing was changed: --strict takes all or nothing." in outcome.text
    assert await contents(database_url) == before
    outcome = await imported(database_url, write(tmp_path, rows), strict=True)
    assert outcome.report.rejected == 0
    assert len((await contents(database_url))["agents"]) == len(rows["agents"])


_REFUSE_SITES: Final = """
CREATE FUNCTION refuse_sites() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no sites'; END $$;
CREATE CONSTRAINT TRIGGER refuse_sites AFTER INSERT ON sites DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse_sites()
"""


async def _refuse_sites(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_REFUSE_SITES)
    await connection.close()


async def _broken_off(url: str, path: Path, raised: type[Exception], **how: bool) -> list[str]:
    """What is told of an import that does not come to its end."""
    output = io.StringIO()
    source = opened_source(Origin.CONVEX, path)
    with pytest.raises(raised):
        await import_data(url, Settings(), source, Wishes(**how), output, SecretKeys())
    source.close()
    return output.getvalue().splitlines()


async def test_strict_tells_of_no_rows_before_they_are_in(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    await _refuse_sites(database_url)
    path = write_snapshot(tmp_path / "a.zip", rows)
    told = await _broken_off(database_url, path, StartupError, strict=True)
    assert told == ["Imported before it broke off: nothing"]
    assert not (await contents(database_url))["tenants"]


async def test_what_was_rejected_before_the_database_breaks_off_is_told(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    await _refuse_sites(database_url)
    bad = _copy(rows)
    bad["tenants"].append({"id": "t", "created_at": 1})
    told = await _broken_off(database_url, write_snapshot(tmp_path / "a.zip", bad), StartupError)
    assert told[:2] == [
        f"tenants, line {len(bad['tenants'])} (t): name: is missing",
        "Imported before it broke off: tenants, integrations, roles, users",
    ]


async def test_what_stands_is_told_whatever_goes_wrong(
    database_url: str, rows: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ConvexSnapshot._encoding

    def broken(self: ConvexSnapshot, table: str) -> Encoding:
        if table == "sites":
            raise ArithmeticError("a mistake of ours")
        return whole(self, table)

    bad = _copy(rows)
    bad["tenants"].append({"id": "t", "created_at": 1})
    monkeypatch.setattr(ConvexSnapshot, "_encoding", broken)
    told = await _broken_off(database_url, write_snapshot(tmp_path / "a.zip", bad), ArithmeticError)
    assert told[0].endswith("(t): name: is missing")
    assert told[1] == "Imported before it broke off: tenants, integrations, roles, users"


async def test_a_dry_run_says_what_would_happen(database_url: str, rows: World, tmp_path: Path) -> None:
    bad = _copy(rows)
    bad["sites"][0]["slug"] = None
    bad["entities"][3]["entity_type"] = None
    path = write_snapshot(tmp_path / "a.zip", bad)
    before = await contents(database_url)
    trial = await imported(database_url, path, dry_run=True)
    assert await contents(database_url) == before
    assert "Nothing was changed: this was a dry run." in trial.text
    real = await imported(database_url, path)
    assert (trial.numbers, trial.rejections) == (real.numbers, real.rejections)
    again = await imported(database_url, path, dry_run=True)
    assert again.numbers == (await imported(database_url, path)).numbers


async def test_a_table_that_there_is_not(database_url: str, rows: World, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"^--tables: there is no table site; there are tenants, "):
        await imported(database_url, write_snapshot(tmp_path / "a.zip", rows), "site")


async def test_two_imports_at_once_do_not_mix(database_url: str, rows: World, tmp_path: Path) -> None:
    import asyncpg

    from services.imports.importing import LOCK

    path = write_snapshot(tmp_path / "a.zip", rows)
    other = await asyncpg.connect(database_url)
    await other.execute("SELECT pg_advisory_lock($1)", LOCK)
    with pytest.raises(StartupError, match="Another import"):
        await imported(database_url, path)
    await other.close()
    await imported(database_url, path)
