"""uvicorn's HTTP protocol with a bound on a request's head: its own reads headers for as long as they come."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.limits import HEAD_MAX_BYTES

_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses a request whose line and headers are not complete after `HEAD_MAX_BYTES`.

    What came in one read with the head's begin is not counted: the end of the request before can be in it.
    """

    _head_bytes = 0
    _in_head = False
    _began_now = False

    def data_received(self, data: bytes) -> None:
        """Takes in what the client has sent."""
        self._began_now = False
        super().data_received(data)
        if self._in_head and not self._began_now:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
                self.transport.write(_REFUSAL)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes, self._in_head, self._began_now = 0, True, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The request's head is complete."""
        self._in_head = False
        super().on_headers_complete()
