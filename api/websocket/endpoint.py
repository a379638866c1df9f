"""The endpoint `/graphql` over WebSocket: the handshake."""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from api.allowed_origins import build_origin_check
from api.caller import read_client_address
from api.cors import RefusedOrigins
from api.middleware import read_request_id
from api.websocket.connection import SocketConnection
from api.websocket.connection_log import ConnectionRecord
from api.websocket.services import WebSocketServices
from api.websocket.transport import TRANSPORT_KEY, WebSocketTransport
from core.settings import Settings
from subscriptions.protocol.messages import CloseCode, build_close

SUBPROTOCOL: Final = "graphql-transport-ws"


class SocketEndpoint:
    """Accepts connections, and creates a `SocketConnection` for each."""

    def __init__(self, services: WebSocketServices, settings: Settings) -> None:
        self._services = services
        self._is_allowed_origin = build_origin_check(settings)
        self._refused_origins = RefusedOrigins("WEBSOCKET_ORIGINS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until it ends."""
        headers = Headers(scope=scope)
        refused = self._find_refusal(headers)
        transport: WebSocketTransport = scope[TRANSPORT_KEY]
        await receive()  # the connect event
        if refused:
            await refused(scope, receive, send)
            transport.handshake_complete = True  # uvicorn does not count a refusal, and would log an error
            return
        speaks = SUBPROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if speaks else None})
        record = ConnectionRecord(read_request_id(headers))
        socket = SocketConnection(transport, self._services, headers, record, read_client_address(scope))
        transport.begin_messages(socket)
        if not speaks:
            socket.close(
                build_close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"The sub-protocol must be {SUBPROTOCOL}")
            )
        await socket.receive_until_closed(receive)

    def _find_refusal(self, headers: Headers) -> Response | None:
        if not self._is_allowed_origin(headers):
            self._refused_origins.report(headers.get("Origin", ""))
            return PlainTextResponse("Origin not allowed: WEBSOCKET_ORIGINS must contain it.", 403)
        if self._services.registry.is_full:
            return PlainTextResponse(
                "Too many WebSockets are open. Try again later.", 503, {"Retry-After": "5"}
            )
        return None
