"""PgBouncer in transaction mode, in front of a test's cluster."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from core.database.embedded.cluster import build_dsn
from core.database.embedded.embedded_postgres import ensure_unprivileged_account
from core.database.embedded.postmaster import PORT
from tests.clusters import ROLE, ThrowawayCluster
from tests.waiting import HANG_S

PGBOUNCER: Final = Path("/usr/sbin/pgbouncer")
"""Debian's 1.18, which does not support prepared statements of its clients."""

SERVER_CONNECTIONS: Final = 8
"""The number of its connections to PostgreSQL. It has more clients than that, so that they share connections."""


_CONFIG: Final = """
[databases]
* = host={host} port={port}
[pgbouncer]
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 200
listen_addr =
listen_port = {port}
unix_socket_dir = {home}
auth_type = any
admin_users = {role}
auth_file =
ignore_startup_parameters = extra_float_digits
logfile = {home}/log
pidfile = {home}/pid
"""


@contextmanager
def start_pgbouncer(cluster: ThrowawayCluster, database: str) -> Iterator[str]:
    """A pooler for one database of a cluster; yields its DSN."""
    home = Path(tempfile.mkdtemp(prefix="msp-pooler-", dir="/tmp"))
    process: subprocess.Popen[bytes] | None = None
    try:
        config = home / "pgbouncer.ini"
        filled = {
            "host": cluster.socket_dir,
            "port": PORT,
            "servers": SERVER_CONNECTIONS,
            "home": home,
            "role": ROLE,
        }
        config.write_text(_CONFIG.format(**filled).replace("* =", f"{database} = user={ROLE}"))
        process = subprocess.Popen([PGBOUNCER, "-q", config], **_account_options(home))
        _wait_until_listening(home / f".s.PGSQL.{PORT}", process)
        yield build_dsn(home, database, ROLE)
    finally:
        if process:
            process.send_signal(signal.SIGINT)
            process.wait(HANG_S)
        shutil.rmtree(home)


def _wait_until_listening(address: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + HANG_S
    while not _is_listening(address):
        assert process.poll() is None, "PgBouncer did not start"
        assert time.monotonic() < deadline, "PgBouncer does not listen"
        time.sleep(0.01)


def _is_listening(address: Path) -> bool:
    """Whether it accepts connections. Its socket exists a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


def _account_options(home: Path) -> dict[str, Any]:
    """Arguments to run it as PostgreSQL's account: it refuses root, and that account may use PostgreSQL's socket."""
    if os.geteuid() != 0:
        return {}
    account = ensure_unprivileged_account()
    account.take_ownership(home)
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
