"""Finds the processes of PostgreSQL that run on a data directory, and stops processes for a while."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil


def find_postgres_processes(data_dir: Path) -> list[psutil.Process]:
    """The live processes. Their working directory is the cluster's data directory."""
    return [process for process in psutil.process_iter() if _runs_on(process, data_dir)]


def _runs_on(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and process.name() == "postgres"
            and Path(process.cwd()).is_relative_to(data_dir)
        )
    except psutil.Error:
        return False


@contextmanager
def stopped_cluster(data_dir: Path) -> Iterator[None]:
    """Stop all processes of a cluster for the block. A stopped postmaster starts no further one."""
    with ExitStack() as stack:
        known: set[int] = set()
        while found := {process.pid for process in find_postgres_processes(data_dir)} - known:
            stack.enter_context(stopped(sorted(found)))
            known |= found
        yield


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stop processes for the block, as a hung machine does."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
