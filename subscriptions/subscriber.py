"""The interface between live queries and the sockets that carry them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from core.errors import AccessRefusal


@dataclass(slots=True)
class Payload:
    """An answer in the form in which it is sent. It is encoded once for all subscribers.

    Attributes:
        text: The JSON of `{"data": ..., "errors": ..., "extensions": ...}`. The last two are there only if they are
            needed.
    """

    text: str
    _data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The text in UTF-8. It is encoded once, although it may go to thousands of sockets."""
        if self._data is None:
            self._data = self.text.encode()
        return self._data


class Subscriber(Protocol):
    """Receives the messages of one subscription. Its methods neither block nor raise."""

    def send_state(self, payload: Payload) -> None:
        """The present answer. It replaces an older one that has not been sent yet."""

    def send_event(self, payload: Payload) -> None:
        """An event. Events are sent in order and never replaced."""

    def send_error(self, errors: list[dict[str, Any]]) -> None:
        """The subscription has failed and is over."""

    def send_complete(self) -> None:
        """The subscription is over."""


class DisconnectReason(StrEnum):
    """Why a viewer has lost access, as the word for programs in the close reason."""

    EXPIRED = AccessRefusal.EXPIRED.value
    """The token has expired, and no new one came."""

    REFUSED = AccessRefusal.INACTIVE.value
    """The user, the role or the tenant no longer exists or is no longer active."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Passed once to a socket when its viewer has lost access. Its subscriptions are over by then.

    Attributes:
        reason: The reason.
        message: The reason as text for a client.
    """

    reason: DisconnectReason
    message: str
