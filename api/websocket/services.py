"""The shared parts of all sockets of a server.

And their interface to the live layer (`subscriptions.live_layer.LiveLayer`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from api.graphql_service import GraphQLService
from api.observability.access_log import RequestRecord
from api.websocket.registry import SocketRegistry
from core.auth.sealing import TransactionTokens
from core.auth.tokens import Identity
from core.auth.viewer import Viewer
from resolvers.compiler.executable_operation import ExecutableOperation
from subscriptions.subscriber import Disconnect, Subscriber


class LiveSubscription(Protocol):
    """The interface of a subscription to its socket."""

    def cancel(self) -> None:
        """Send nothing more; may be called more than once."""


class LiveSession(Protocol):
    """The live operations of one socket's viewer."""

    @property
    def viewer(self) -> Viewer | None:
        """The present viewer; None for an anonymous one."""

    async def renew(self, identity: Identity) -> None:
        """Continue with a fresh token of the same subject."""

    def subscribe(self, operation: ExecutableOperation, subscriber: Subscriber) -> LiveSubscription:
        """Start a subscription."""

    def wait_for_transaction(self, transaction: str, on_answered: Callable[[bool], None]) -> None:
        """Call `on_answered` once: whether all open subscriptions of the session show a transaction.

        Raises:
            ProductError: The session cannot wait for it.
        """

    def close(self) -> None:
        """End all subscriptions."""


class LiveService(Protocol):
    """The interface of the live layer to the sockets.

    Attributes:
        transactions: Names committed transactions to clients.
    """

    transactions: TransactionTokens

    async def sign_in(
        self, identity: Identity | None, tenant: str | None, on_disconnect: Callable[[Disconnect], None]
    ) -> LiveSession:
        """Open a session for one socket."""

    def wake(self) -> None:
        """Start a poll after a commit of this server."""


@dataclass(frozen=True, slots=True)
class WebSocketServices:
    """The shared parts of all sockets of this server."""

    graphql: GraphQLService
    live: LiveService
    registry: SocketRegistry
    observe: Callable[[RequestRecord], None]
