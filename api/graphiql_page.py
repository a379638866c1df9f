"""GraphiQL from our own files: its page at /graphql, and the page's files under /graphiql/."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_DIRECTORY: Final = Path(__file__).with_name("graphiql")
_TYPES: Final = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_HASH_CHARS: Final = 12

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # CodeMirror's marks
        "font-src data:",  # included in GraphiQL's style sheet
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-cache",
    "Vary": "Accept, Authorization",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_FILE_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


class GraphiqlPage:
    """The page, and its files with addresses that change with their content."""

    def __init__(self, *, demo: bool) -> None:
        """Reads the files once. The page of a demo has a list of its viewers."""
        files = {path.name: path.read_bytes() for path in _list_paths()}
        addresses = {name: _build_hashed_name(name, content) for name, content in files.items()}
        self._files = {
            addresses[name]: (content, _TYPES[name.rpartition(".")[2]]) for name, content in files.items()
        }
        self._page = _render_page(addresses, demo=demo)

    def serve_page(self, _request: Request) -> Response:
        """The page."""
        return Response(self._page, headers=_PAGE_HEADERS, media_type="text/html")

    def build_files_route(self) -> Route:
        """The route of all its files."""
        return Route("/graphiql/{address}", self._serve_file, methods=["GET"])

    async def _serve_file(self, request: Request) -> Response:
        found = self._files.get(request.path_params["address"])
        if found is None:
            raise HTTPException(404)
        content, media_type = found
        return Response(content, headers=_FILE_HEADERS, media_type=media_type)


def _list_paths() -> list[Path]:
    return [path for path in sorted(_DIRECTORY.rglob("*")) if path.suffix[1:] in _TYPES]


def _build_hashed_name(name: str, content: bytes) -> str:
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(content).hexdigest()[:_HASH_CHARS]}.{ending}"


def _render_page(addresses: dict[str, str], *, demo: bool) -> str:
    page = (_DIRECTORY / "index.html").read_text("utf-8")
    for name, address in addresses.items():
        page = page.replace(f'"{name}"', f'"graphiql/{address}"')
    return page.replace("data-demo=no", f"data-demo={'yes' if demo else 'no'}")
