"""`server.py simulate`: enrols a fleet, lets it beat until its time is over or Ctrl-C, and says how it went."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console

from core.collector import keep_what_stands
from simulator.display import enrolment_bar, shown, summary
from simulator.ending import Ending
from simulator.enrolment import enrolled
from simulator.fleet import Fleet
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.site_tokens import given, made
from simulator.tally import Tally


async def simulate(
    url: str, plan: Plan, enrollment_tokens: Sequence[str], platform: str | None, ending: Ending
) -> Tally | None:
    """Run a fleet against the server at `url`; progress goes to stderr, the summary to stdout.

    Args:
        url: Where the server is.
        plan: What the fleet does.
        enrollment_tokens: What devices enrol with, in turns.
        platform: The token that makes these where none are given.
        ending: Ends it early; while the fleet beats that is no failure.

    Returns:
        What the fleet has seen; None where it was ended before it had enrolled.

    Raises:
        StartupError: The fleet cannot enrol.
    """
    ending.ends(asyncio.current_task())
    console, origin = Console(stderr=True), Origin.of(url)
    try:
        fleet = Fleet(await _beats(origin, plan, enrollment_tokens, platform, console), origin, plan)
    except asyncio.CancelledError:
        return None
    keep_what_stands()  # a round over a large fleet would hold its beats up for 0.2 s
    display = asyncio.create_task(shown(fleet.tally, plan, console))
    with suppress(asyncio.CancelledError):
        await fleet.run()
    display.cancel()
    await asyncio.wait([display])
    sys.stdout.write("".join(f"{line}\n" for line in summary(fleet.tally, plan)))
    return fleet.tally


async def _beats(
    origin: Origin, plan: Plan, enrollment_tokens: Sequence[str], platform: str | None, console: Console
) -> list[bytes]:
    """Enrol everybody; what each sends from then on."""
    tokens = given(enrollment_tokens) or await made(origin, platform or "", plan.agents)
    sites = len({token.site_id for token in tokens})
    with enrolment_bar(console) as bar:
        task = bar.add_task(f"enrolling at {sites} sites", total=plan.agents)
        return await enrolled(plan, origin, tokens, lambda count: bar.update(task, completed=count))
