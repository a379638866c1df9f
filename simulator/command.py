"""`server.py simulate`: enrols a fleet, lets it beat until its time is over or Ctrl-C, and says how it went."""

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console

from core.signals import ENDING
from simulator.display import enrolment_bar, shown, summary
from simulator.enrolment import enrolled
from simulator.fleet import Fleet
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.site_tokens import SiteToken, given, made
from simulator.tally import Tally


async def simulate(url: str, plan: Plan, enrollment_tokens: Sequence[str], platform: str | None) -> Tally:
    """Run a fleet against the server at `url`; progress goes to stderr, the summary to stdout.

    Args:
        url: Where the server is.
        plan: What the fleet does.
        enrollment_tokens: What devices enrol with, in turns.
        platform: The token that makes these where none are given.

    Raises:
        StartupError: The fleet cannot enrol.
    """
    console, origin = Console(stderr=True), Origin.of(url)
    tokens = given(enrollment_tokens) or await made(origin, platform or "", plan.agents)
    fleet = Fleet(await _enrolled(plan, origin, tokens, console), origin, plan)
    display = asyncio.create_task(shown(fleet.tally, plan, console))
    try:
        await _until_signal(fleet)
    finally:
        display.cancel()
        await asyncio.wait([display])
    sys.stdout.write("".join(f"{line}\n" for line in summary(fleet.tally, plan)))
    return fleet.tally


async def _until_signal(fleet: Fleet) -> None:
    """Let it beat until its time is over, or a signal ends it, which is no failure; a second one changes nothing."""
    loop, run = asyncio.get_running_loop(), asyncio.create_task(fleet.run())
    for number in ENDING:
        loop.add_signal_handler(number, lambda: run.cancelling() or run.cancel())
    try:
        await asyncio.wait([run])
        if not run.cancelled():
            run.result()
    finally:
        run.cancel()
        for number in ENDING:
            loop.remove_signal_handler(number)


async def _enrolled(plan: Plan, origin: Origin, tokens: Sequence[SiteToken], console: Console) -> list[bytes]:
    with enrolment_bar(console) as bar:
        task = bar.add_task(
            f"enrolling at {len({token.site_id for token in tokens})} sites", total=plan.agents
        )
        return await enrolled(plan, origin, tokens, lambda count: bar.update(task, completed=count))
