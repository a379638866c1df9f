"""The baseline for messages: a bare Starlette WebSocket that sends one text to all clients, on the same uvicorn."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

_SOCKETS: set[WebSocket] = set()


async def serve_websocket(socket: WebSocket) -> None:
    """Keep a socket open until its client leaves."""
    await socket.accept("graphql-transport-ws")
    _SOCKETS.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        _SOCKETS.discard(socket)


async def broadcast(request: Request) -> Response:
    """Send the body to every socket."""
    text = (await request.body()).decode()
    for socket in list(_SOCKETS):
        await socket.send_text(text)
    return Response(str(len(_SOCKETS)))


def main() -> None:
    """Serve on the given port."""
    routes = [WebSocketRoute("/", serve_websocket), Route("/broadcast", broadcast, methods=["POST"])]
    uvicorn.run(
        Starlette(routes=routes),
        port=int(sys.argv[1]),
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
