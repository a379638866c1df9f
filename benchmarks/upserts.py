"""Bulk upserts beside a bare COPY: `python -m benchmarks.upserts`.

100,000 entities of one data source, 5,000 a call: all new, again unchanged, again with 5 % changed. Beside them the
same rows by COPY into an unlogged table without index, key, trigger or events, which is the fastest way into
PostgreSQL that there is. Each goes as sync workers do: under the role of requests, one transaction a call, committed
to the disk. Rounds are in turns, and each begins with an empty table; the median counts.
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

from core.database import Database
from core.embedded import EmbeddedPostgres
from core.ids import new_id
from core.limits import UPSERT_ITEMS_MAX
from core.settings import Settings
from core.transactions import Transaction, carry_out
from services.batches import UpsertResult
from services.data_hash import data_hash
from services.entities import EntityItem, upsert_entities
from services.migrations import migrate

RESULTS: Final = Path(__file__).with_name("results")
_CHANGED_EACH: Final = 20
_TENANT: Final = "bench-upserts"
_SETTLE: Final = """
    SET synchronous_commit = on;
    TRUNCATE events_log, entity_relationships, entities;
    VACUUM ANALYZE entities, events_log;
    CHECKPOINT;
"""


def items(count: int) -> list[EntityItem]:
    """Endpoints as a vendor delivers them: half a KiB each."""
    return [_item(number) for number in range(count)]


def _item(number: int) -> EntityItem:
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
        "endpoints", raw["id"], raw, {"hostname": hostname, "ipAddresses": [address], "online": True}
    )


def changed(of: Sequence[EntityItem], turn: int) -> list[EntityItem]:
    """The same, but for 5 % which are otherwise."""
    return [
        replace(item, raw_data={**item.raw_data, "turn": turn}) if at % _CHANGED_EACH == 0 else item
        for at, item in enumerate(of)
    ]


async def prepare(dsn: str) -> str:
    """Migrate; gives the data source to write to, of a tenant of its own."""
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


class Bench:
    """The ways in, each over the same items."""

    def __init__(self, database: Database, owner: asyncpg.Connection, source: str, count: int) -> None:
        self._database = database
        self._owner = owner
        self._source = source
        self._items = items(count)
        self._turn = 0

    async def round(self) -> dict[str, float]:
        """The rows a second of each way in, from empty tables on."""
        for statement in filter(str.strip, _SETTLE.split(";")):
            await self._owner.execute(statement)
        count = len(self._items)
        self._turn += 1
        return {
            "copy": await _rate(count, self._copy),
            "first": await _rate(count, lambda: self._upsert(self._items, created=count)),
            "unchanged": await _rate(count, lambda: self._upsert(self._items, unchanged=count)),
            "changed": await _rate(count, self._change),
        }

    async def _change(self) -> None:
        some = changed(self._items, self._turn)
        updated = len(range(0, len(some), _CHANGED_EACH))
        await self._upsert(some, updated=updated, unchanged=len(some) - updated)

    async def _upsert(self, rows: Sequence[EntityItem], **expected: int) -> None:
        counts = dict.fromkeys(("created", "updated", "unchanged"), 0)
        for lot in _lots(rows):
            result = await self._call(lot)
            for name in counts:
                counts[name] += getattr(result, name)
        if counts != {**dict.fromkeys(counts, 0), **expected}:
            raise SystemExit(f"expected {expected}, got {counts}")

    async def _call(self, lot: Sequence[EntityItem]) -> UpsertResult:
        async def work(transaction: Transaction) -> UpsertResult:
            await transaction.fetch("SELECT set_config('app.tenant_id', $1, true)", (_TENANT,))
            return await upsert_entities(transaction, _TENANT, self._source, lot)

        return await carry_out(self._database, work)

    async def _copy(self) -> None:
        await self._owner.execute("DROP TABLE IF EXISTS bare; CREATE UNLOGGED TABLE bare (LIKE entities)")
        for lot in _lots(self._items):
            await self._owner.copy_records_to_table("bare", records=self._records(lot), columns=_COLUMNS)

    def _records(self, lot: Sequence[EntityItem]) -> Iterator[tuple[object, ...]]:
        now = time.time_ns() // 1_000_000
        for item in lot:
            texts = json.dumps(item.raw_data), json.dumps(item.normalized_data)
            hashed = data_hash(self._source, item.raw_data)
            yield (
                new_id(),
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


def _lots(rows: Sequence[EntityItem]) -> Iterator[Sequence[EntityItem]]:
    return (rows[at : at + UPSERT_ITEMS_MAX] for at in range(0, len(rows), UPSERT_ITEMS_MAX))


async def _rate(count: int, work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return count / (time.perf_counter() - began)


async def measure(dsn: str, count: int, rounds: int) -> dict[str, float]:
    """The median rate of each way in, in rows a second; the first round only warms up."""
    source = await prepare(dsn)
    database = await Database.connect(dsn, Settings())
    owner = await asyncpg.connect(dsn)
    try:
        bench = Bench(database, owner, source, count)
        seen = [await bench.round() for _ in range(rounds + 1)][1:]
        await owner.execute("DROP TABLE bare")
    finally:
        await owner.close()
        await database.close()
    return {name: round(median(each[name] for each in seen)) for name in seen[0]}


def main() -> None:
    """Run everything, and write what was seen to `benchmarks/results/upserts.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench-upserts"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        rates = asyncio.run(measure(postgres.dsn, options.rows, options.rounds))
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
