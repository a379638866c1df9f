"""SIGTERM ends a process in which SIGINT is ignored, as a shell starts background processes."""

import asyncio
import signal
import subprocess
import sys
import time

import asyncpg
import httpx
import pytest

from tests.e2e.servers import ROOT, start_server, temporary_data_dir
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest
_IGNORING = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


async def _read_last_activity(dsn: str) -> int:
    """The newest activity of any user, in ms since the epoch."""
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT max(last_activity_at) FROM users"))
    finally:
        await connection.close()


def test_sigterm_ends_a_server_that_ignores_sigint(writable_demo_database_url: str) -> None:
    script = (
        f"{_IGNORING}; from core import limits; limits.ACTIVITY_STOP_S = {HANG_S}; "  # a busy machine is slow
    )
    script += "import sys, runpy; sys.argv[0] = 'server.py'; "
    script += "runpy.run_path('server.py', run_name='__main__')"
    with (
        temporary_data_dir() as path,
        start_server(
            "--demo", "--data-dir", path, program=("-c", script), lines=5,
            DATABASE_URL=writable_demo_database_url, SHUTDOWN_DELAY="600", SHUTDOWN_GRACE="600",
        ) as server,
    ):  # fmt: skip
        began = time.time()
        headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
        answer = httpx.post(
            f"{server.url}/graphql", json={"query": "{ viewer { id } }"}, headers=headers, timeout=HANG_S
        )
        assert answer.json()["data"]["viewer"]
        server.stop(signal.SIGTERM)
        assert server.process.returncode == 0
        assert "Traceback" not in server.log.read_text()
    assert asyncio.run(_read_last_activity(writable_demo_database_url)) >= int(
        began * 1000
    )  # written at the stop


@pytest.mark.parametrize("in_loop", [True, False])
def test_sigterm_ends_a_command_that_ignores_sigint(in_loop: bool) -> None:
    work = "run_to_end(asyncio.sleep(30))" if in_loop else "time.sleep(30)"
    script = f"""{_IGNORING}
import asyncio, time
from commands.async_runner import run_to_end
from core.signals import handle_signals, raise_keyboard_interrupt
with handle_signals(raise_keyboard_interrupt, (signal.SIGTERM, signal.SIGHUP)):
    try:
        print("started", flush=True)
        {work}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=HANG_S)[0] == "interrupted\n"
