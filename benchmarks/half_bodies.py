"""The memory cost of unfinished requests: 300 bodies of which 900 KB arrive, and nothing after that.

`.venv/bin/python -m benchmarks.half_bodies` starts a demo server and prints its resident memory in MB.
"""

import time
from typing import Final

from tests.e2e.raw_http import (
    MIB,
    POST,
    check_request_is_answered,
    measure_memory_mib,
    open_connections,
    send,
)
from tests.e2e.servers import Server, start_server, temporary_data_dir

BODIES: Final = 300
SENT_BYTES: Final = 900_000
READ_S: Final = 15
"""Within this time the server has read what it accepts of the bodies."""


def _print_memory(server: Server, when: str) -> None:
    print(f"{when}: {measure_memory_mib(server) * MIB / 1e6:.0f} MB")


def _peak_memory(server: Server) -> float:
    seen, until = 0.0, time.monotonic() + READ_S
    while time.monotonic() < until:
        seen = max(seen, measure_memory_mib(server))
        time.sleep(0.2)
    return seen * MIB / 1e6


def _measure_request_s(server: Server) -> float:
    started = time.monotonic()
    check_request_is_answered(server)
    return time.monotonic() - started


def main() -> None:
    """Measure one server."""
    with temporary_data_dir() as path, start_server("--demo", "--data-dir", path, lines=5) as server:
        check_request_is_answered(server)
        _print_memory(server, "before")
        with open_connections(server, BODIES) as clients:
            for client in clients:
                client.settimeout(20)
                send(client, POST + b"Content-Length: 1000000\r\n\r\n" + b" " * SENT_BYTES)
            print(f"most with {BODIES} half bodies: {_peak_memory(server):.0f} MB")
            print(f"another request: {_measure_request_s(server):.2f} s")
        time.sleep(2)
        _print_memory(server, "closed")
        server.stop()


if __name__ == "__main__":
    main()
