"""The actions that jobs can run. An action is a plain async function of the job's context.

    async def report_usage(context: JobContext) -> None:
        async with context.transaction() as transaction:
            ...
        context.checkpoint()
        async with context.final_transaction() as transaction:
            ...  # committed together with the completion, or not at all

A job may run more than once before it completes, from its beginning. What it has committed stays.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.jobs.context import JobContext
from services.jobs.usage_report import PAYLOAD_SCHEMA, report_usage

Run = Callable[[JobContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Action:
    """What jobs of one action do.

    Attributes:
        name: The action, as in `scheduled_jobs.action`.
        run: Does the work.
        is_sync: Whether it synchronizes a data source. One such job runs for a data source at a time.
        payload_schema: The JSON Schema of the payload of jobs that people create; None if they may not.
    """

    name: str
    run: Run
    is_sync: bool = False
    payload_schema: Mapping[str, Any] | None = None


Actions = Mapping[str, Action]


def index_actions(*actions: Action) -> Actions:
    """The actions by their names."""
    return {action.name: action for action in actions}


ACTIONS: Final[Actions] = index_actions(
    Action("usage.report", report_usage, payload_schema=PAYLOAD_SCHEMA),
)
"""Every action of this server."""
