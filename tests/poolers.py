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

from core.cluster import dsn
from core.embedded import roots_stand_in
from core.postmaster import PORT
from tests.clusters import ROLE, ThrowawayCluster

PGBOUNCER: Final = Path("/usr/sbin/pgbouncer")
"""Debian's 1.18, which keeps no prepared statements for its clients."""

SERVERS: Final = 8
"""Connections that it has to PostgreSQL: fewer than its clients have to it, so that they take turns."""

_PATIENCE_S: Final = 5.0

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
auth_file =
ignore_startup_parameters = extra_float_digits
logfile = {home}/log
pidfile = {home}/pid
"""


@contextmanager
def pooler(cluster: ThrowawayCluster, database: str) -> Iterator[str]:
    """A pooler that leads to one database of a cluster; gives the address by which it does."""
    home = Path(tempfile.mkdtemp(prefix="msp-pooler-", dir="/tmp"))
    process: subprocess.Popen[bytes] | None = None
    try:
        config = home / "pgbouncer.ini"
        filled = {"host": cluster.socket_dir, "port": PORT, "servers": SERVERS, "home": home}
        config.write_text(_CONFIG.format(**filled).replace("* =", f"{database} = user={ROLE}"))
        process = subprocess.Popen([PGBOUNCER, "-q", config], **_as(home))
        _wait_for(home / f".s.PGSQL.{PORT}", process)
        yield dsn(home, database, ROLE)
    finally:
        if process:
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE_S)
        shutil.rmtree(home)


def _wait_for(address: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not _listens(address):
        assert process.poll() is None, "PgBouncer did not start"
        assert time.monotonic() < deadline, "PgBouncer does not listen"
        time.sleep(0.01)


def _listens(address: Path) -> bool:
    """Whether it lets connect; its socket is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


def _as(home: Path) -> dict[str, Any]:
    """It does not run as root; PostgreSQL's account may reach PostgreSQL's socket."""
    if os.geteuid() != 0:
        return {}
    account = roots_stand_in()
    account.own(home)
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
