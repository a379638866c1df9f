"""The endpoint `/graphql` over WebSocket: the handshake."""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from api.origins import allowed_origins
from api.request_record import request_id
from api.socket import Socket
from api.socket_host import Host
from api.socket_record import SocketRecord
from api.wire import WIRE, Wire
from core.settings import Settings
from subscriptions.socket.messages import CloseCode, close

SUBPROTOCOL: Final = "graphql-transport-ws"


class SocketEndpoint:
    """Accepts connections, and hands each to a `Socket`."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._allows = allowed_origins(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until it ends."""
        headers = Headers(scope=scope)
        refused = self._refused(headers)
        wire: Wire = scope[WIRE]
        await receive()  # that somebody connects
        if refused:
            await refused(scope, receive, send)
            wire.handshake_complete = True  # uvicorn would log an error: it does not count a refusal as one
            return
        speaks = SUBPROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if speaks else None})
        record = SocketRecord(request_id(headers))
        wire.forget_handshake()
        socket = Socket(wire, self._host, headers, record)
        if not speaks:
            socket.close(
                close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"The sub-protocol must be {SUBPROTOCOL}")
            )
        await socket.listen(receive)

    def _refused(self, headers: Headers) -> Response | None:
        if not self._allows(headers):
            return PlainTextResponse("Pages of this origin may not open a WebSocket here.", 403)
        if self._host.sockets.is_full:
            return PlainTextResponse("There are too many WebSockets open.", 503, {"Retry-After": "5"})
        return None
