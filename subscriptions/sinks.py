"""What the engine tells, and whom: the border between live queries and the sockets that carry them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


@dataclass(slots=True)
class Payload:
    """An answer as it is sent, encoded once for all who get it.

    Attributes:
        text: The JSON of `{"data": ..., "errors": ..., "extensions": ...}`, the last two where there are any.
    """

    text: str
    _data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The same in UTF-8; made once, for a message to thousands."""
        if self._data is None:
            self._data = self.text.encode()
        return self._data


class Sink(Protocol):
    """Where one subscription is told; its calls neither block nor raise."""

    def state(self, payload: Payload) -> None:
        """The answer now: it takes the place of an older one that was not sent yet."""

    def event(self, payload: Payload) -> None:
        """What happened: sent in order, never replaced."""

    def error(self, errors: list[dict[str, Any]]) -> None:
        """The subscription has failed, and is over."""

    def complete(self) -> None:
        """The subscription is over."""


class Departure(StrEnum):
    """Why a viewer is no longer one."""

    EXPIRED = "expired"
    """The token has ended, and no fresh one came."""

    REFUSED = "refused"
    """The user, the role or the tenant is no longer there or no longer active."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Told once to a socket whose viewer is no longer one; its subscriptions are over by then.

    Attributes:
        departure: Why.
        message: The same in words, for a client.
    """

    departure: Departure
    message: str
