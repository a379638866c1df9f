"""Bulk upserts, compared to a bare COPY: `python -m benchmarks.upserts`.

100,000 entities of one data source, 5,000 a call: all new, again unchanged, again with 5 % changed. The
comparison is the same rows by COPY into an unlogged table without index, key, trigger or events, which is the
fastest way to load PostgreSQL. Each runs like sync workers: under the role of requests, one transaction a
call, committed to the disk. Rounds are in turns, and each begins with an empty table. The median counts.
"""

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg

from core.database.database import Database
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.database.transactions import WriteTransaction, run_in_transaction
from core.ids import generate_id
from core.limits import UPSERT_ITEMS_MAX
from core.settings import Settings
from services.data_hash import compute_data_hash
from services.entities.entity_upserts import EntityItem, upsert_entities
from services.entities.upsert_batch import UpsertResult
from services.migrations import migrate

RESULTS: Final = Path(__file__).with_name("results")
_CHANGED_EACH: Final = 20
_TENANT: Final = "bench-upserts"
_RESET_SQL: Final = """
    SET synchronous_commit = on;
    TRUNCATE events_log, entity_relationships, entities;
    VACUUM ANALYZE entities, events_log;
    CHECKPOINT;
"""


def make_items(count: int) -> list[EntityItem]:
    """Endpoints in a vendor's form: half a KiB each."""
    return [_make_item(number) for number in range(count)]


def _make_item(number: int) -> EntityItem:
    hostname, address = f"DESK-{number:06}", f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    raw = {
        "id": f"{number:08x}-5c1e-4f3a-9b7d-000000000000",
        "type": "computer",
        "hostname": hostname,
        "os": {"name": "Windows 11 Pro", "platform": "windows", "isServer": False},
        "health": {"overall": "good", "threats": {"status": "good"}, "services": {"status": "good"}},
        "ipv4Addresses": [address],
        "macAddresses": [f"02:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"],
        "assignedProducts": [{"code": "coreAgent", "status": "installed"}],
        "tamperProtectionEnabled": True,
    }
    return EntityItem(
        "endpoints", str(raw["id"]), raw, {"hostname": hostname, "ipAddresses": [address], "online": True}
    )


def change_items(of: Sequence[EntityItem], turn: int) -> list[EntityItem]:
    """The same, with 5 % changed."""
    return [
        replace(item, raw_data={**item.raw_data, "turn": turn}) if at % _CHANGED_EACH == 0 else item
        for at, item in enumerate(of)
    ]


async def prepare_database(dsn: str) -> str:
    """Migrate; returns the data source to write to, of a tenant of its own."""
    await migrate(dsn, Settings())
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO tenants (id, name) VALUES ($1, 'Benchmark') ON CONFLICT DO NOTHING", _TENANT
        )
        await connection.execute(
            "INSERT INTO integrations (id, name, description, category) VALUES ($1, '', '', '')"
            " ON CONFLICT DO NOTHING",
            _TENANT,
        )
        await connection.execute(
            "INSERT INTO data_sources (id, tenant_id, integration_id) VALUES ($1, $1, $1) ON CONFLICT DO NOTHING",
            _TENANT,
        )
    finally:
        await connection.close()
    return _TENANT


class UpsertBenchmark:
    """The variants, each over the same items."""

    def __init__(self, database: Database, owner: asyncpg.Connection, source: str, count: int) -> None:
        self._database = database
        self._owner = owner
        self._source = source
        self._items = make_items(count)
        self._turn = 0

    async def run_round(self) -> dict[str, float]:
        """The rows a second of each variant, from empty tables on."""
        for statement in filter(str.strip, _RESET_SQL.split(";")):
            await self._owner.execute(statement)
        count = len(self._items)
        self._turn += 1
        return {
            "copy": await _measure_rate(count, self._measure_copy),
            "first": await _measure_rate(count, lambda: self._measure_upsert(self._items, created=count)),
            "unchanged": await _measure_rate(
                count, lambda: self._measure_upsert(self._items, unchanged=count)
            ),
            "changed": await _measure_rate(count, self._change_items),
        }

    async def _change_items(self) -> None:
        some = change_items(self._items, self._turn)
        updated = len(range(0, len(some), _CHANGED_EACH))
        await self._measure_upsert(some, updated=updated, unchanged=len(some) - updated)

    async def _measure_upsert(self, rows: Sequence[EntityItem], **expected: int) -> None:
        counts = dict.fromkeys(("created", "updated", "unchanged"), 0)
        for lot in _iter_batches(rows):
            result = await self._call_upsert(lot)
            for name in counts:
                counts[name] += getattr(result, name)
        if counts != {**dict.fromkeys(counts, 0), **expected}:
            raise SystemExit(f"expected {expected}, got {counts}")

    async def _call_upsert(self, lot: Sequence[EntityItem]) -> UpsertResult:
        async def upsert_in_transaction(transaction: WriteTransaction) -> UpsertResult:
            await transaction.fetch("SELECT set_config('app.tenant_id', $1, true)", (_TENANT,))
            return await upsert_entities(transaction, _TENANT, self._source, lot)

        return await run_in_transaction(self._database, upsert_in_transaction)

    async def _measure_copy(self) -> None:
        await self._owner.execute("DROP TABLE IF EXISTS bare; CREATE UNLOGGED TABLE bare (LIKE entities)")
        for lot in _iter_batches(self._items):
            await self._owner.copy_records_to_table("bare", records=self._iter_records(lot), columns=_COLUMNS)

    def _iter_records(self, lot: Sequence[EntityItem]) -> Iterator[tuple[object, ...]]:
        now = time.time_ns() // 1_000_000
        for item in lot:
            texts = json.dumps(item.raw_data), json.dumps(item.normalized_data)
            hashed = compute_data_hash(self._source, item.raw_data)
            yield (
                generate_id(),
                _TENANT,
                self._source,
                self._source,
                None,
                *item.key,
                hashed,
                *texts,
                now,
                now,
                None,
            )


_COLUMNS: Final = (
    "id", "tenant_id", "integration_id", "data_source_id", "site_id", "entity_type", "external_id", "data_hash",
    "raw_data", "normalized_data", "created_at", "updated_at", "deleted_at",
)  # fmt: skip


def _iter_batches(rows: Sequence[EntityItem]) -> Iterator[Sequence[EntityItem]]:
    return (rows[at : at + UPSERT_ITEMS_MAX] for at in range(0, len(rows), UPSERT_ITEMS_MAX))


async def _measure_rate(count: int, upsert_in_transaction: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await upsert_in_transaction()
    return count / (time.perf_counter() - began)


async def measure_rates(dsn: str, count: int, rounds: int) -> dict[str, float]:
    """The median rate of each variant, in rows a second. The first round only warms up."""
    source = await prepare_database(dsn)
    database = await Database.connect(dsn, Settings())
    owner = await asyncpg.connect(dsn)
    try:
        bench = UpsertBenchmark(database, owner, source, count)
        seen = [await bench.run_round() for _ in range(rounds + 1)][1:]
        await owner.execute("DROP TABLE bare")
    finally:
        await owner.close()
        await database.close()
    return {name: round(median(each[name] for each in seen)) for name in seen[0]}


def main() -> None:
    """Run everything, and write the results to `benchmarks/results/upserts.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench-upserts"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        rates = asyncio.run(measure_rates(postgres.dsn, options.rows, options.rounds))
    finally:
        postgres.stop()
    for name, rate in rates.items():
        print(f"{name:10} {rate:>9,.0f} rows/s, {rate / rates['copy']:.2f} of the bare COPY")
    RESULTS.mkdir(exist_ok=True)
    report: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
        "rows": options.rows,
        "a_call": UPSERT_ITEMS_MAX,
        "rows_a_second": rates,
    }
    (RESULTS / "upserts.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
