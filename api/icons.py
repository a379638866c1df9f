"""The icons of the integrations that the product ships, under /icons/."""

from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import services.catalog

_DIRECTORY: Final = Path(services.catalog.__file__).parent / "icons"
_HEADERS: Final = {
    "Cache-Control": "public, max-age=86400",
    "X-Content-Type-Options": "nosniff",
    # An icon is an image and nothing else, also where it is opened by itself.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def build_icons_route() -> Route:
    """The route of all icons. They are public, and they are read once."""
    icons = {path.name: path.read_bytes() for path in sorted(_DIRECTORY.glob("*.svg"))}

    async def serve_icon(request: Request) -> Response:
        icon = icons.get(request.path_params["name"])
        if icon is None:
            raise HTTPException(404)
        return Response(icon, headers=_HEADERS, media_type="image/svg+xml")

    return Route("/icons/{name}", serve_icon, methods=["GET"])
