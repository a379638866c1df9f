"""What all sockets of a server share, and what they ask of the live layer (`subscriptions.live.Live`)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from api.operations import Operations
from api.request_record import RequestRecord
from api.sockets import Sockets
from core.tokens import Identity
from core.viewer import Viewer
from resolvers.documents import Document
from resolvers.execution import Request
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Gone, Sink


class LiveSubscription(Protocol):
    """What a subscription is to its socket."""

    def cancel(self) -> None:
        """Tell nothing more; once or more often."""


class LiveSession(Protocol):
    """What the viewer behind one socket may do there."""

    @property
    def viewer(self) -> Viewer | None:
        """The viewer as it is now; None for an anonymous one."""

    async def renew(self, identity: Identity) -> None:
        """Go on with a fresh token of the same subject."""

    def subscribe(self, document: Document, request: Request, sink: Sink) -> LiveSubscription:
        """Begin a subscription."""

    def catch_up(self, reached: Callable[[Moment], None]) -> bool:
        """Take a new moment, and tell it when all that is open has been told as of it; false where it will not be."""

    def close(self) -> None:
        """End all of them."""


class LiveQueries(Protocol):
    """What keeps answers true."""

    async def sign_in(
        self, identity: Identity | None, tenant: str | None, gone: Callable[[Gone], None]
    ) -> LiveSession:
        """A session for one socket."""

    def ring(self) -> None:
        """Something has been committed here."""


@dataclass(frozen=True, slots=True)
class Host:
    """What all sockets of this server share."""

    operations: Operations
    live: LiveQueries
    sockets: Sockets
    observe: Callable[[RequestRecord], None]
