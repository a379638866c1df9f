"""The resource usage of processes: CPU in seconds, memory in MiB."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class UsageSample(NamedTuple):
    """CPU seconds since each process began, memory now, and the moment by `time.perf_counter`."""

    server_s: float
    postgres_s: float
    client_s: float
    server_mib: float
    postgres_mib: float
    at: float


class ResourceUsage:
    """The processes of a benchmark: a server, PostgreSQL on a data directory, and this one."""

    def __init__(self, server: psutil.Process, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._server = server
        self._postmaster = psutil.Process(find_postmaster(data_dir))
        self._client = psutil.Process()

    def sample(self) -> UsageSample:
        """Their usage so far."""
        postgres = list(_iter_processes(self._postmaster))
        ended = self._postmaster.cpu_times()
        postgres_s = sum(cpu for cpu, _ in postgres) + ended.children_user + ended.children_system
        return UsageSample(
            _cpu_seconds(self._server),
            postgres_s,
            _cpu_seconds(self._client),
            self._server.memory_info().rss / (1 << 20),
            sum(memory for _, memory in postgres),
            time.perf_counter(),
        )


def find_postmaster(data_dir: Path) -> int:
    """The process id of the PostgreSQL on a data directory."""
    return int(next(data_dir.glob("**/postmaster.pid")).read_text().split()[0])


def _iter_processes(postmaster: psutil.Process) -> Iterator[tuple[float, float]]:
    for process in (postmaster, *postmaster.children()):
        with suppress(psutil.NoSuchProcess):  # a backend that has just ended
            yield _cpu_seconds(process), process.memory_full_info().uss / (1 << 20)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
