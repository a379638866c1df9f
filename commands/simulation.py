"""The fleet simulator as a command."""

from argparse import Namespace

from commands.running import run_to_end
from commands.tokens import of_demo, signing_key
from core.settings import Settings
from core.signals import handled_by
from core.signing import issue_platform_token
from simulator.ending import Ending
from simulator.plan import Plan


def simulate(settings: Settings, asked: Namespace) -> None:
    """Lets a fleet of agents that are not there check in at a server."""
    from simulator.command import simulate as simulated  # rich takes a while to load, which no server needs

    settings = of_demo(settings)
    platform = None if asked.enrollment_tokens else issue_platform_token(signing_key(settings))
    plan = Plan(
        agents=asked.agents,
        interval_s=asked.interval,
        duration_s=asked.duration,
        drop=asked.drop,
        away_s=asked.away,
        connections=asked.connections,
    )
    ending = Ending()
    with handled_by(ending.ask):
        if run_to_end(simulated(asked.url, plan, asked.enrollment_tokens, platform, ending)) is None:
            raise KeyboardInterrupt
