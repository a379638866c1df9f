"""What a person sees of a fleet: a line that moves on a terminal, a line now and then elsewhere, and a summary."""

import asyncio
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simulator.plan import Plan
from simulator.tally import Tally

_LOOK_S: Final = 0.5
_SPOKEN_S: Final = 10.0
"""How often a line is written where nothing can move."""


def enrolment_bar(console: Console) -> Progress:
    """Counts enrolled devices."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


async def shown(tally: Tally, plan: Plan, console: Console) -> None:
    """Show how it goes, until cancelled."""
    progress = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console)
    loop, last, spoken = asyncio.get_running_loop(), (0.0, 0), 0.0
    with progress:
        task = progress.add_task("", total=plan.duration_s)
        while True:
            await asyncio.sleep(_LOOK_S)
            elapsed, done = tally.elapsed_s(loop.time()), tally.acknowledged
            if elapsed - last[0] >= 2 * _LOOK_S:
                rate, last = (done - last[1]) / (elapsed - last[0]), (elapsed, done)
                progress.update(task, description=_now(tally, rate), completed=elapsed)
            if not console.is_terminal and elapsed - spoken >= _SPOKEN_S:
                spoken = elapsed
                console.print(f"{elapsed:6.0f} s  {_now(tally, rate)}", soft_wrap=True, highlight=False)


def _now(tally: Tally, rate: float) -> str:
    times = " ".join(f"p{share}: {tally.latencies.at(share / 100) * 1000:.1f}" for share in (50, 99))
    return (
        f"{rate:8,.1f} check-ins/s, {times} ms, {tally.away} of {tally.agents} away, "
        f"{tally.failures.total()} failed"
    )


def summary(tally: Tally, plan: Plan) -> Table:
    """What has been."""
    seconds = tally.elapsed_s(0.0)
    rate = tally.acknowledged / seconds if seconds else 0.0
    table = Table.grid(padding=(0, 2))
    times = ", ".join(
        f"p{share:g} {tally.latencies.at(share / 100) * 1000:.1f}" for share in (50, 90, 99, 99.9)
    )
    failures = ", ".join(f"{count} {reason}" for reason, count in tally.failures.most_common())
    table.add_row("agents", f"{tally.agents}, {seconds:.1f} s")
    table.add_row(
        "acknowledged", f"{tally.acknowledged}, {rate:.1f} a second ({plan.asked_rate:.1f} asked for)"
    )
    table.add_row("latency", f"{times}, longest {tally.latencies.largest_s * 1000:.1f} ms")
    table.add_row("failed", failures or "none")
    if tally.behind_s > _LATE_S:
        table.add_row(
            "note", f"beats were late by up to {tally.behind_s:.2f} s: the simulator is too slow for this"
        )
    return table


_LATE_S: Final = 0.25
"""From this on the simulator, not the server, is what slows the fleet down."""
