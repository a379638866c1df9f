"""What fair shares and the byte meter cost a request that waits for nobody, in µs of CPU.

    .venv/bin/python -m benchmarks.fair_costs

Each figure is the median of some rounds, and each round repeats its work many times. CPU time is counted, so that
other processes matter little.
"""

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any, Final

from core.database.byte_meter import ByteMeter
from core.fair_queue import FairQueue
from core.share_load import ShareActivity, ShareLoad

_ROUNDS: Final = 9
_REPETITIONS: Final = 50_000
_MESSAGE: Final = bytes(2_000)
"""About the answer of a small read."""

_SHARES: Final = ("a", "b")


class _Transport:
    def set_protocol(self, _protocol: Any) -> None: ...


class _Protocol:
    def data_received(self, data: bytes) -> None: ...


class _Connection:
    """The parts of asyncpg's connection that the meter uses."""

    def __init__(self) -> None:
        self._transport, self._protocol = _Transport(), _Protocol()


def _measure(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        began = process_time()
        for _ in range(_REPETITIONS):
            work()
        rounds.append(process_time() - began)
    return median(rounds) / _REPETITIONS * 1e6


def _build_pair(queue: FairQueue, *, is_long: bool) -> Callable[[], None]:
    """Takes a slot and gives it back, for two shares in turn."""
    turn = 0

    def take_and_release() -> None:
        nonlocal turn
        turn = 1 - turn
        queue.try_acquire(_SHARES[turn], is_long=is_long)
        queue.release(_SHARES[turn], is_long=is_long)

    return take_and_release


def main() -> None:
    """Measure everything, and print a line each."""
    nothing = _measure(lambda: None)
    bare, meter = _Protocol(), ByteMeter(_Connection())
    meter.start(1e9)
    for name, work in (
        ("fair queue, taken and released", _build_pair(FairQueue(10), is_long=False)),
        ("and the activity of shares", _build_pair(_bounded_queue(), is_long=False)),
        ("and the bound of long statements", _build_pair(_bounded_queue(), is_long=True)),
        ("a message of PostgreSQL, unmetered", lambda: bare.data_received(_MESSAGE)),
        ("a message of PostgreSQL, metered", lambda: meter.data_received(_MESSAGE)),
    ):
        print(f"{name:40} {_measure(work) - nothing:6.2f} µs")


def _bounded_queue() -> FairQueue:
    return FairQueue(10, load=ShareLoad(ShareActivity(), 2))


if __name__ == "__main__":
    main()
