"""`server.py` with one action that says when its worker stops, and then runs on until it is canceled."""

import asyncio
import sys
from functools import partial
from typing import Final

import server
from commands import job_workers, serve
from services.jobs.actions import Action, index_actions
from services.jobs.context import JobContext
from services.jobs.job_errors import JobReleasedError

ACTION: Final = "stubborn"
STOPPING: Final = "a job's worker stops"


async def _run_stubbornly(context: JobContext) -> None:
    while True:
        try:
            context.checkpoint()
        except JobReleasedError:
            print(STOPPING, flush=True)
            await asyncio.Event().wait()
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    actions = index_actions(Action(ACTION, _run_stubbornly))
    for module, name in ((serve, "run_jobs_in_server"), (job_workers, "run_jobs_until_signal")):
        setattr(module, name, partial(getattr(module, name), actions=actions))
    sys.exit(server.main())
