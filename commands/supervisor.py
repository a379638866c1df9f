"""Several worker processes on one listening socket, and the supervisor that starts and restarts them.

The supervisor binds the socket, starts PostgreSQL if it is embedded, migrates, and forks. It runs no event loop and
no thread while workers run, so that a fork is safe at any time. For the reasons see `docs/decisions/workers.md`.
"""

import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import structlog

from api.observability.worker_metrics import WorkerMetrics
from commands.worker import Worker
from core.errors import StartupError
from core.limits import WORKER_HEALTHY_S, WORKER_KILL_S, WORKER_RESTART_MAX_S, WORKER_RESTART_MIN_S
from core.signals import SHUTDOWN_SIGNALS, handle_signals, raise_keyboard_interrupt

_POLL_S: Final = 0.05
_COUNTER: Final = struct.Struct("Q")
_log: Final = structlog.get_logger("supervisor")


class _Process:
    """One worker: its process, or the time of its next start."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.is_ready = False
        self.ready_fd = -1
        self.started_at = 0.0
        self.start_at = 0.0
        self.pause_s = WORKER_RESTART_MIN_S


class Supervisor:
    """Keeps `count` workers running until a signal."""

    def __init__(
        self, count: int, run: Callable[[Worker], None], ready: Callable[[], None], stop_s: float
    ) -> None:
        """Runs `run` in each worker, and calls `ready` once, when all accept requests.

        `stop_s` is how long the workers may take to stop, in seconds.
        """
        self._run = run
        self._ready = ready
        self._stop_s = stop_s
        self._workers = [_Process(number) for number in range(count)]
        self._signals: list[int] = []
        self._was_ready = False
        self._restarts = mmap.mmap(-1, _COUNTER.size)  # shared with the workers
        self._directory = Path(tempfile.mkdtemp(prefix="msp-workers-"))
        self._lifeline = os.pipe()

    def supervise(self, close_listeners: Callable[[], None]) -> int:
        """Run until a signal; returns the exit status, 1 if the workers cannot start.

        `close_listeners` closes the supervisor's own copies of the listening sockets, once it stops.
        """
        try:
            with handle_signals(self._note_signal):
                status = self._keep_running()
                close_listeners()
                self._stop()
            return status
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _keep_running(self) -> int:
        while not self._signals:
            for worker in self._workers:
                if worker.pid is None and time.monotonic() >= worker.start_at:
                    self._start(worker)
                elif worker.pid is not None:
                    self._read_ready(worker)
                    ended = self._reap(worker)
                    if ended is not None and not self._was_ready:
                        return ended or 1
            if not self._was_ready and all(worker.is_ready for worker in self._workers):
                self._was_ready = True
                self._ready()
            time.sleep(_POLL_S)
        return 0

    def _start(self, worker: _Process) -> None:
        readable, writable = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, SHUTDOWN_SIGNALS)
        pid = os.fork()
        if pid == 0:
            os.close(readable)
            self._run_worker_process(worker.number, writable)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SHUTDOWN_SIGNALS)
        os.close(writable)
        os.set_blocking(readable, False)
        worker.pid, worker.ready_fd = pid, readable
        worker.is_ready, worker.started_at = False, time.monotonic()

    def _run_worker_process(self, number: int, ready_fd: int) -> NoReturn:
        """The life of a worker process. It never returns into the supervisor's stack."""
        status = 1
        try:
            for how in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(how, raise_keyboard_interrupt)
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SHUTDOWN_SIGNALS)
            os.close(self._lifeline[1])
            for other in self._workers:
                if other.ready_fd >= 0:
                    os.close(other.ready_fd)
            metrics = WorkerMetrics(self._directory, number, len(self._workers), self._count_restarts)
            self._run(Worker(number, lambda: _report_ready(ready_fd), self._lifeline[0], metrics))
            status = 0
        except KeyboardInterrupt:
            status = 130
        except StartupError as error:
            sys.stderr.write(f"{error}\n")
        except BaseException:  # noqa: BLE001 - the process ends here
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    @staticmethod
    def _read_ready(worker: _Process) -> None:
        if worker.ready_fd >= 0 and not worker.is_ready:
            with suppress(BlockingIOError):
                worker.is_ready = os.read(worker.ready_fd, 1) != b""

    def _reap(self, worker: _Process) -> int | None:
        """Plan the restart of a worker that has ended; returns its exit status, None while it runs."""
        assert worker.pid is not None  # noqa: S101 - callers have checked it
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid == 0:
            return None
        os.close(worker.ready_fd)
        worker.pid, worker.ready_fd, worker.is_ready = None, -1, False
        now = time.monotonic()
        healthy = now - worker.started_at >= WORKER_HEALTHY_S
        worker.pause_s = WORKER_RESTART_MIN_S if healthy else min(worker.pause_s * 2, WORKER_RESTART_MAX_S)
        worker.start_at = now + worker.pause_s
        code = os.waitstatus_to_exitcode(status)
        if self._was_ready and not self._signals:
            _COUNTER.pack_into(self._restarts, 0, self._count_restarts() + 1)
            _log.error(
                "worker ended", worker=worker.number, pid=pid, status=code, restart_in_s=worker.pause_s
            )
        return code

    def _count_restarts(self) -> int:
        return int(_COUNTER.unpack_from(self._restarts, 0)[0])

    def _stop(self) -> None:
        """Pass the signals on, wait for the workers, and kill those that take too long."""
        passed, deadline = 0, time.monotonic() + self._stop_s + WORKER_KILL_S
        self._signals = self._signals or [signal.SIGINT]
        while any(worker.pid is not None for worker in self._workers):
            for number in self._signals[passed:]:
                self._send(number)
            passed = len(self._signals)
            if time.monotonic() > deadline:
                _log.error("workers killed, because they did not stop in time")
                self._send(signal.SIGKILL)
            time.sleep(_POLL_S)
            for worker in self._workers:
                if worker.pid is not None:
                    self._reap(worker)

    def _send(self, number: int) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, number)


def _report_ready(descriptor: int) -> None:
    with suppress(OSError):
        os.write(descriptor, b"1")
