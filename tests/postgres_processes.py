"""Which processes of PostgreSQL run on a data directory."""

from pathlib import Path

import psutil


def postgres_processes(data_dir: Path) -> list[psutil.Process]:
    """The living ones, whose working directory PostgreSQL makes the cluster's own."""
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
