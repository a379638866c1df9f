"""Routes that only a demo serves to its own page: the viewers to choose from, each with a token.

A person who can read the terminal with the printed tokens may also get them here, and no other person. The caller
must be on this machine, without a proxy in between, and must be this server's own page. A page of another origin is
refused by its Origin. A foreign name that resolves to this machine is refused by its Host. The platform's token is
only printed on the terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.demo_issuer import DemoIssuer
from core.loopback import is_loopback


@dataclass(frozen=True)
class DemoViewer:
    """A user to sign in as; `label` describes the user in one line."""

    label: str
    user_id: str


VIEWERS_PATH: Final = "/demo-issuer/viewers"

_PROXY_HEADERS: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def build_demo_routes(issuer: DemoIssuer, viewers: Sequence[DemoViewer]) -> list[Route]:
    """The routes of the demo's page, and `/`, which redirects to it."""

    async def show_viewers(request: Request) -> Response:
        if not is_same_origin_page(request):
            return JSONResponse(
                {"error": "The demo's tokens are only for this server's own page on this machine."}, 403
            )
        shown = [{"label": viewer.label, "token": issuer.issue(viewer.user_id)} for viewer in viewers]
        return JSONResponse(shown, headers={"Cache-Control": "no-store"})

    async def redirect_to_page(_request: Request) -> Response:
        return RedirectResponse("graphql")  # relative, so that a proxy may serve it under a prefix

    return [
        Route(VIEWERS_PATH, show_viewers, methods=["POST"]),
        Route("/", redirect_to_page, methods=["GET"]),
    ]


def is_same_origin_page(request: Request) -> bool:
    """Whether a browser on this machine sent the request from this server's own page."""
    headers = request.headers
    return (
        request.client is not None
        and is_loopback(request.client.host)
        and is_loopback(request.url.hostname or "")
        and headers.getlist("Origin") == [f"{request.url.scheme}://{request.url.netloc}"]
        and headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        and not any(name in headers for name in _PROXY_HEADERS)
    )
