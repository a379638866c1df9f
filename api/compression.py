"""Compression of responses for clients that accept gzip. Other clients bypass it."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware, GZipResponder
from starlette.types import Receive, Scope, Send

from api.content_negotiation import accepts_gzip


class CompressionMiddleware(GZipMiddleware):
    """Starlette's middleware, bypassed for clients that do not accept gzip.

    Starlette would inspect each message for them, too. It does not read qualities.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not accepts_gzip(Headers(scope=scope).getlist("Accept-Encoding")):
            await self.app(scope, receive, send)
            return
        responder = GZipResponder(
            self.app,
            self.minimum_size,
            compresslevel=self.compresslevel,
            thread_minimum_size=self.thread_minimum_size,
            exclude_content_types=self.exclude_content_types,
        )
        await responder(scope, receive, send)
