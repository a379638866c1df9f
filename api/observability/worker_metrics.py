"""The metrics of all worker processes in one scrape.

Each worker serves its own metrics on a Unix socket in a private directory. The worker that Prometheus happens to
reach collects them from all, and adds the label `worker` to each sample. A worker that does not answer is missing,
and its `msp_worker_up` is 0.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.limits import WORKER_METRICS_S

Render = Callable[[], str]

_UP_HELP: Final = (
    "# HELP msp_worker_up Whether the worker process answers",
    "# TYPE msp_worker_up gauge",
)
_RESTARTS_HELP: Final = (
    "# HELP msp_worker_restarts_total Worker processes that ended unexpectedly and were started again",
    "# TYPE msp_worker_restarts_total counter",
)


class WorkerMetrics:
    """The metrics of one worker, and its access to those of the others."""

    def __init__(self, directory: Path, number: int, count: int, restarts: Callable[[], int]) -> None:
        """`number` counts from 0. `restarts` returns how many workers the supervisor has started again."""
        self._directory = directory
        self._number = number
        self._count = count
        self._restarts = restarts

    async def serve(self, render: Render) -> asyncio.Server:
        """Serve this worker's metrics to the others until the returned server is closed."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(render().encode())
                await writer.drain()
            writer.close()

        path = self._build_path(self._number)
        path.unlink(missing_ok=True)  # of a former process with this number
        return await asyncio.start_unix_server(answer, path)

    async def collect(self, render: Render) -> str:
        """The metrics of all workers; `render` returns those of this one."""
        others = [number for number in range(self._count) if number != self._number]
        texts = dict(zip(others, await asyncio.gather(*map(self._read, others)), strict=True))
        texts[self._number] = render()
        lines = [*merge_metrics({number: text for number, text in sorted(texts.items()) if text})]
        up = (
            f'msp_worker_up{{worker="{number}"}} {int(bool(texts[number]))}' for number in range(self._count)
        )
        restarts = f"msp_worker_restarts_total {self._restarts()}"
        return "\n".join((*lines, *_UP_HELP, *up, *_RESTARTS_HELP, restarts, ""))

    async def _read(self, number: int) -> str:
        """The metrics of another worker; empty if it does not answer in time."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(WORKER_METRICS_S):
                reader, writer = await asyncio.open_unix_connection(self._build_path(number))
                try:
                    return (await reader.read()).decode()
                finally:
                    writer.close()
        return ""

    def _build_path(self, number: int) -> Path:
        return self._directory / f"worker-{number}"


def merge_metrics(texts: Mapping[int, str]) -> Iterable[str]:
    """The lines of several expositions as one, in which each family stands once.

    Args:
        texts: The expositions by the value of the label `worker`, in Prometheus' text format.
    """
    families: dict[str, tuple[list[str], list[str]]] = {}
    for number, text in texts.items():
        samples: list[str] = []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                head, samples = families.setdefault(line.split(" ", 3)[2], ([], []))
                head[:] = [line]
            elif line.startswith("#"):
                head[1:] = [line]
            elif line:
                samples.append(_add_label(line, number))
    for head, samples in families.values():
        yield from head
        yield from samples


def _add_label(sample: str, number: int) -> str:
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{worker="{number}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{number}"}} {value}'
