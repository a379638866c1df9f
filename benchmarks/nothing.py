"""Our server with one route more, which verifies an agent's token and does nothing: the measure of check-ins."""

import sys
from typing import Any

import server
from api import app
from api.agent_api import PREFIX, AgentApi, _Route
from api.agent_messages import Call
from core.agent_tokens import AgentIdentity
from services.agents.fleet import Fleet

PATH = f"{PREFIX}nothing"


class _WithNothing(AgentApi):
    """The agents' API, and nothing."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        nothing = _Route(fleet.tokens.agent, fleet.agent_rates, self._nothing, is_logged=False)
        self._routes = {**self._routes, PATH: nothing}  # type: ignore[misc]

    async def _nothing(self, _call: Call, _agent: AgentIdentity) -> dict[str, Any]:
        return {}


if __name__ == "__main__":
    setattr(app, "AgentApi", _WithNothing)  # noqa: B010 - tells mypy that this is meant
    sys.exit(server.main())
