"""The command that simulates a fleet."""

from argparse import Namespace
from typing import Final

from commands.async_runner import run_to_end
from commands.tokens import add_demo_settings, load_signing_key
from core.auth.signing import issue_platform_token
from core.settings import Settings
from core.signals import handle_signals
from simulator.fleet.cancellation import CancelOnce
from simulator.fleet.fleet_plan import FleetPlan

AGENTS_FILE: Final = "simulated-agents.json"
"""The file in the data directory that keeps the agents' tokens between runs."""


def simulate(settings: Settings, arguments: Namespace) -> None:
    """Run a simulated fleet of agents that check in at a server."""
    from simulator.fleet.command import simulate as simulated  # rich is slow to load, and no server needs it

    settings = add_demo_settings(settings)
    platform = None if arguments.enrollment_tokens else issue_platform_token(load_signing_key(settings))
    plan = FleetPlan(
        agents=arguments.agents,
        interval_s=arguments.interval,
        duration_s=arguments.duration,
        drop=arguments.drop,
        away_s=arguments.away,
        connections=arguments.connections,
    )
    url = arguments.url or f"http://127.0.0.1:{settings.port}"
    ending = CancelOnce()
    with handle_signals(ending.cancel_task):
        kept = settings.data_dir / AGENTS_FILE
        if run_to_end(simulated(url, plan, arguments.enrollment_tokens, platform, ending, kept)) is None:
            raise KeyboardInterrupt
