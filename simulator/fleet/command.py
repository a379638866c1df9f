"""`server.py simulate`: enrolls a fleet, runs its check-ins for a time or until Ctrl-C, and prints a summary."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from core.gc_tuning import freeze_long_lived_objects
from simulator.fleet.agent_store import KeptAgents
from simulator.fleet.cancellation import CancelOnce
from simulator.fleet.enrollment import enroll_fleet
from simulator.fleet.enrollment_tokens import create_tokens, read_tokens
from simulator.fleet.fleet import SimulatedFleet
from simulator.fleet.fleet_plan import FleetPlan
from simulator.fleet.progress_display import build_enrollment_bar, build_summary, show_progress
from simulator.fleet.server_address import ServerAddress
from simulator.fleet.statistics import FleetStatistics


async def simulate(
    url: str,
    plan: FleetPlan,
    enrollment_tokens: Sequence[str],
    platform: str | None,
    ending: CancelOnce,
    agents_file: Path,
) -> FleetStatistics | None:
    """Run a fleet against the server at `url`; progress goes to stderr, the summary to stdout.

    Args:
        url: The server's URL.
        plan: The behavior of the fleet.
        enrollment_tokens: The enrollment tokens of the devices, used in turn.
        platform: The platform token that creates enrollment tokens if none are given.
        ending: Ends the run early; once the fleet checks in, that is no failure.
        agents_file: The file that keeps the agents' tokens between runs.

    Returns:
        The counts of the run; None if it was ended before the fleet had enrolled.

    Raises:
        StartupError: The fleet cannot enroll.
    """
    ending.watch_task(asyncio.current_task())
    console, origin = Console(stderr=True), ServerAddress.from_url(url)
    kept = KeptAgents(agents_file, url.rstrip("/"))
    try:
        fleet = SimulatedFleet(
            await _enroll_fleet(origin, plan, enrollment_tokens, platform, console, kept), origin, plan
        )
    except asyncio.CancelledError:
        return None
    freeze_long_lived_objects()  # a collection over a large fleet would delay check-ins by 0.2 s
    display = asyncio.create_task(show_progress(fleet.tally, plan, console))
    with suppress(asyncio.CancelledError):
        await fleet.run()
    display.cancel()
    await asyncio.wait([display])
    sys.stdout.write("".join(f"{line}\n" for line in build_summary(fleet.tally, plan)))
    return fleet.tally


async def _enroll_fleet(
    origin: ServerAddress,
    plan: FleetPlan,
    enrollment_tokens: Sequence[str],
    platform: str | None,
    console: Console,
    kept: KeptAgents,
) -> list[bytes]:
    """Enroll all agents; returns the check-in request of each."""
    tokens = read_tokens(enrollment_tokens) or await create_tokens(origin, platform or "", plan.agents)
    sites = len({token.site_id for token in tokens})
    with build_enrollment_bar(console) as bar:
        task = bar.add_task(f"enrolling at {sites} sites", total=plan.agents)
        return await enroll_fleet(plan, origin, tokens, lambda count: bar.update(task, completed=count), kept)
