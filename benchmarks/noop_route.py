"""Our server with one more route, which verifies an agent's token and does nothing: the baseline of check-ins."""

import sys
from typing import Any

import server
from api import app
from api.agents.endpoints import PREFIX, AgentApi, _Route
from api.agents.http_messages import AgentCall
from core.auth.agent_tokens import AgentIdentity
from services.agents.agent_service import AgentService

PATH = f"{PREFIX}nothing"


class _NoopAgentApi(AgentApi):
    """The agents' API, and the route that does nothing."""

    def __init__(self, fleet: AgentService) -> None:
        super().__init__(fleet)
        nothing = _Route(
            fleet.tokens.verify_agent_token, fleet.agent_rate_limiter, self._handle_noop, is_logged=False
        )
        self._routes = {**self._routes, PATH: nothing}  # type: ignore[misc]

    async def _handle_noop(self, _call: AgentCall, _agent: AgentIdentity) -> dict[str, Any]:
        return {}


if __name__ == "__main__":
    setattr(app, "AgentApi", _NoopAgentApi)  # noqa: B010 - mypy then sees that this is intended
    sys.exit(server.main())
