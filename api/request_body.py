"""Reads the body of a request up to a limit."""

from starlette.requests import Request

from api.http_errors import BodyTooLargeError


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: It has more than `limit` bytes. The rest is not read.
        ClientDisconnect: The client disconnected before it was complete.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLargeError(limit)
    return bytes(body)
