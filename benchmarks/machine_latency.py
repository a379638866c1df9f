"""The latency of the machine itself: how late a sleep ends, and how long the disk takes for 8 KiB."""

import os
import threading
import time
from pathlib import Path
from typing import Final, Self

from simulator.fleet.statistics import Latencies

_PAUSE_S: Final = 0.02
_PAGE: Final = bytes(8192)


class LatencyProbe:
    """A thread that sleeps and writes in turns. No check-in can be faster than what it measures."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "probe"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._sleeps, self._writes = Latencies(), Latencies()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._path.unlink()

    def report(self) -> dict[str, float]:
        """Milliseconds: how late sleeps ended, and how long a page took to reach the disk."""
        series = (("late", self._sleeps), ("disk", self._writes))
        return {
            f"{name}_p{p}": round(of.compute_percentile(p / 100) * 1000, 1)
            for name, of in series
            for p in (50, 99)
        }

    def _run(self) -> None:
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY)
        while True:
            began = time.perf_counter()
            if self._over.wait(_PAUSE_S):
                break
            woken = time.perf_counter()
            self._sleeps.add(woken - began - _PAUSE_S)
            os.pwrite(file, _PAGE, 0)
            os.fdatasync(file)
            self._writes.add(time.perf_counter() - woken)
        os.close(file)
