"""What a person sees of a fleet: a line that moves on a terminal, a line now and then elsewhere, and a summary."""

import asyncio
from collections import deque
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from simulator.plan import Plan
from simulator.tally import Tally

_LOOK_S: Final = 0.5
_LOOKS: Final = 10
"""Over so many looks the rate is taken."""

_LATE_S: Final = 0.25
"""From this on the simulator, not the server, is what slows the fleet down."""

_SPOKEN_S: Final = 10.0
"""How often a line is written where nothing can move."""


def enrolment_bar(console: Console) -> Progress:
    """Counts enrolled devices."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


async def shown(tally: Tally, plan: Plan, console: Console) -> None:
    """Show how it goes, until cancelled."""
    progress = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console)
    with progress:
        task = progress.add_task("", total=plan.duration_s)
        loop, spoken_s, pace = asyncio.get_running_loop(), 0.0, _Pace(tally)
        while True:
            await asyncio.sleep(_LOOK_S)
            elapsed_s = tally.elapsed_s(loop.time())
            text = _now(tally, pace.at(elapsed_s))
            progress.update(task, description=text, completed=elapsed_s)
            if not console.is_terminal and elapsed_s - spoken_s >= _SPOKEN_S:
                spoken_s = elapsed_s
                console.print(f"{elapsed_s:6.0f} s {text}", soft_wrap=True, highlight=False)


class _Pace:
    """Check-ins a second of late."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=_LOOKS)

    def at(self, elapsed_s: float) -> float:
        """The rate over the last looks."""
        (since_s, before), now = self._seen[0], self._tally.acknowledged
        self._seen.append((elapsed_s, now))
        return (now - before) / (elapsed_s - since_s) if elapsed_s > since_s else 0.0


def _now(tally: Tally, rate: float) -> str:
    half, most = (tally.latencies.at(share) * 1000 for share in (0.5, 0.99))
    return (
        f"{rate:,.1f}/s, p50 {half:.1f} p99 {most:.1f} ms, {tally.away} away, {tally.failures.total()} failed"
    )


def summary(tally: Tally, plan: Plan) -> list[str]:
    """What has been, in lines."""
    seconds, at = tally.elapsed_s(0.0), tally.latencies.at
    times = ", ".join(f"p{share:g} {at(share / 100) * 1000:.1f}" for share in (50, 90, 99, 99.9))
    failures = ", ".join(f"{count} {reason}" for reason, count in tally.failures.most_common())
    rate = tally.acknowledged / seconds if seconds else 0.0
    lines = [
        f"agents        {tally.agents}, for {seconds:.1f} s",
        f"acknowledged  {tally.acknowledged}, {rate:.1f} a second; {plan.asked_rate:.1f} asked for",
        f"latency       {times}, longest {tally.latencies.largest_s * 1000:.1f} ms",
        f"failed        {failures or 'none'}",
    ]
    if tally.behind_s > _LATE_S:
        lines.append(
            f"The simulator itself was late by up to {tally.behind_s:.2f} s: it has too little time here."
        )
    return lines
