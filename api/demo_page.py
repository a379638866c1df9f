"""What only a demo serves to its own page: the viewers to choose from, each with a token.

Whoever can reach the terminal that printed the tokens may have them here, too, and nobody else: the caller
must be on this machine, without a proxy between, and be this server's own page. A page of another origin
cannot be (its Origin is its own), nor one whose name was made to resolve to this machine (the Host is that
name). The platform's token is not among them: it stays on the terminal.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.demo_issuer import DemoIssuer
from services.demo import DemoViewer

VIEWERS_PATH: Final = "/demo-issuer/viewers"

_OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def demo_routes(issuer: DemoIssuer, viewers: Sequence[DemoViewer]) -> list[Route]:
    """The routes of the demo's page, and `/`, which leads there."""

    async def show_viewers(request: Request) -> Response:
        if not is_own_page(request):
            return JSONResponse({"error": "Only this server's own page, on this machine, is told."}, 403)
        shown = [{"label": viewer.label, "token": issuer.issue(viewer.user_id)} for viewer in viewers]
        return JSONResponse(shown, headers={"Cache-Control": "no-store"})

    async def lead_on(_request: Request) -> Response:
        return RedirectResponse("/graphql")

    return [Route(VIEWERS_PATH, show_viewers, methods=["POST"]), Route("/", lead_on, methods=["GET"])]


def is_own_page(request: Request) -> bool:
    """Whether a browser on this machine asks on behalf of this server's own page."""
    headers = request.headers
    return (
        request.client is not None
        and _is_loopback(request.client.host)
        and _is_loopback(request.url.hostname or "")
        and headers.getlist("Origin") == [f"{request.url.scheme}://{request.url.netloc}"]
        and headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        and not any(name in headers for name in _OF_PROXIES)
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
