"""The output about a fleet: a live line on a terminal, an occasional line elsewhere, and a summary."""

import asyncio
from collections import deque
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from simulator.fleet.fleet_plan import FleetPlan
from simulator.fleet.statistics import FleetStatistics

_REFRESH_S: Final = 0.5
_SAMPLES: Final = 10
"""Samples over which the rate is computed."""

_LATE_S: Final = 0.25
"""From this delay on, the simulator and not the server limits the fleet."""

_LOG_INTERVAL_S: Final = 10.0
"""How often a line is written if the output is no terminal."""


def build_enrollment_bar(console: Console) -> Progress:
    """The progress bar of enrolled devices."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


async def show_progress(tally: FleetStatistics, plan: FleetPlan, console: Console) -> None:
    """Show the progress until cancelled."""
    progress = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console)
    with progress:
        task = progress.add_task("", total=plan.duration_s)
        loop, spoken_s, pace = asyncio.get_running_loop(), 0.0, _CheckInRate(tally)
        while True:
            await asyncio.sleep(_REFRESH_S)
            elapsed_s = tally.measure_elapsed_s(loop.time())
            text = _render_progress(tally, pace.compute_rate_at(elapsed_s))
            progress.update(task, description=text, completed=elapsed_s)
            if not console.is_terminal and elapsed_s - spoken_s >= _LOG_INTERVAL_S:
                spoken_s = elapsed_s
                console.print(f"{elapsed_s:6.0f} s {text}", soft_wrap=True, highlight=False)


class _CheckInRate:
    """The recent rate of check-ins per second."""

    def __init__(self, tally: FleetStatistics) -> None:
        self._tally = tally
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=_SAMPLES)

    def compute_rate_at(self, elapsed_s: float) -> float:
        """The rate over the last samples."""
        (since_s, before), now = self._seen[0], self._tally.acknowledged
        self._seen.append((elapsed_s, now))
        return (now - before) / (elapsed_s - since_s) if elapsed_s > since_s else 0.0


def _render_progress(tally: FleetStatistics, rate: float) -> str:
    half, most = (tally.latencies.compute_percentile(share) * 1000 for share in (0.5, 0.99))
    return (
        f"{rate:,.1f}/s, p50 {half:.1f} p99 {most:.1f} ms, {tally.away} away, {tally.failures.total()} failed"
    )


def build_summary(tally: FleetStatistics, plan: FleetPlan) -> list[str]:
    """The lines of the summary."""
    seconds, at = tally.measure_elapsed_s(0.0), tally.latencies.compute_percentile
    times = ", ".join(f"p{share:g} {at(share / 100) * 1000:.1f}" for share in (50, 90, 99, 99.9))
    failures = ", ".join(f"{count} {reason}" for reason, count in tally.failures.most_common())
    rate = tally.acknowledged / seconds if seconds else 0.0
    lines = [
        f"agents        {tally.agents}, for {seconds:.1f} s",
        f"acknowledged  {tally.acknowledged}, {rate:.1f} a second; target {plan.target_rate:.1f}",
        f"latency       {times}, longest {tally.latencies.largest_s * 1000:.1f} ms",
        f"failed        {failures or 'none'}",
    ]
    if tally.behind_s > _LATE_S:
        lines.append(
            f"The simulator was late by up to {tally.behind_s:.2f} s: this machine is too slow for it."
        )
    return lines
