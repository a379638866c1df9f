"""The duration of an import of a million rows: `python -m benchmarks.imports`.

The medium demo data (1.3 million rows of all 21 tables) is exported as a Convex snapshot. It is imported into
an empty database of the embedded PostgreSQL, which waits for the disk at each commit, and then imported again
without changes. Each step is the command as an operator runs it, in a process of its own with measured
memory. PostgreSQL's time is the CPU time of its processes. On a shared machine it is more accurate than the
clock.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from benchmarks.reads import RESULTS, prepare_database
from core.database.embedded.embedded_postgres import EmbeddedPostgres

_TARGET: Final = "msp_imported"
_TOTAL: Final = re.compile(r"^all\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)$", re.MULTILINE)


async def _create_empty_database(dsn: str) -> str:
    """A new database in the cluster of that one."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {_TARGET} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {_TARGET} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    finally:
        await connection.close()
    return dsn.replace("/msp?", f"/{_TARGET}?")


def _measure_command(dsn: str, postgres: psutil.Process, *words: object) -> tuple[dict[str, Any], str]:
    """Run a command; returns its elapsed and CPU seconds, PostgreSQL's CPU seconds, its memory, and its output."""
    before, began = _postgres_cpu_s(postgres), time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "server.py", *map(str, words)]
        process = subprocess.Popen(command, env=os.environ | {"DATABASE_URL": dsn}, stdout=output)
        most, pid = before, 0
        while not pid:
            most = max(most, _postgres_cpu_s(postgres))
            time.sleep(0.2)
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
        output.seek(0)
        said = output.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{' '.join(map(str, words))} failed: {said}")
    seen = {
        "seconds": round(time.monotonic() - began, 1),
        "seconds_computed": round(used.ru_utime + used.ru_stime, 1),
        "seconds_computed_by_postgres": round(most - before, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
    }
    return seen, said


def _postgres_cpu_s(postgres: psutil.Process) -> float:
    """The CPU seconds of PostgreSQL's processes, including ended ones as far as PostgreSQL counts them."""
    total = 0.0
    for process in (postgres, *postgres.children()):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def measure_imports(dsn: str, pid: int) -> dict[str, Any]:
    """Export, import, and import again."""
    postgres = psutil.Process(pid)
    asyncio.run(prepare_database(dsn))
    target = asyncio.run(_create_empty_database(dsn))
    subprocess.run(
        [sys.executable, "server.py", "migrate"], check=True, env=os.environ | {"DATABASE_URL": target}
    )
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="msp-bench-") as home:
        path = Path(home) / "snapshot.zip"
        results["export"], _ = _measure_command(dsn, postgres, "export", "convex", path)
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        for name in ("import", "import again"):
            seen, said = _measure_command(target, postgres, "import", "convex", path)
            found = _TOTAL.search(said)
            if found is None:
                raise SystemExit(f"The report has no total:\n{said}")
            numbers = [int(number.replace(",", "")) for number in found.groups()]
            keys = ("read", "inserted", "updated", "unchanged", "rejected")
            results[name] = seen | dict(zip(keys, numbers, strict=True))
            results[name]["rows_per_second"] = round(numbers[0] / seen["seconds"])
            print(name, results[name], flush=True)
        results["snapshot"] = {"bytes": path.stat().st_size, "bytes_unpacked": unpacked}
    return results


def main() -> None:
    """Run everything, and write the results to `benchmarks/results/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        pid = int((options.data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])
        seen = measure_imports(postgres.dsn, pid)
    finally:
        postgres.stop()
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **seen}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "imports.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
