"""What agents send: bodies of JSON, read strictly, with all that is wrong with one told at once."""

import re
from typing import Any, Final

import orjson

from core.errors import BadUserInputError
from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS
from services.agents.beats import Beat
from services.agents.enrollment import Device
from services.agents.guid import guid_of

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

_KNOWN: Final = ("site_id", "guid", "hostname", "platform", "version", "mac", "mac_address", "serial")
_ADDRESSES: Final = ("ip_address", "ext_address")

_MOST: Final = {
    "hostname": AGENT_TEXT_MAX_CHARS,
    "guid": AGENT_TEXT_MAX_CHARS,
    "site_id": AGENT_TEXT_MAX_CHARS,
}
"""Characters of a field, where they are not `AGENT_WORD_MAX_CHARS`."""


class Body:
    """A JSON object whose texts are taken out one by one; `tell` raises what was wrong with them."""

    def __init__(self, body: bytes) -> None:
        """Read a body.

        Raises:
            BadUserInputError: It is not a JSON object.
        """
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadUserInputError(f"The body is not JSON: {error.msg}") from None
        if not isinstance(given, dict):
            raise BadUserInputError("The body is not a JSON object.")
        self._given: dict[str, Any] = given
        self._problems: dict[str, str] = {}

    def needed(self, name: str) -> str:
        """A text that must be there; empty where it is not, which `tell` tells."""
        text = self.optional(name)
        if text is None:
            self._problems.setdefault(name, "is missing")
        return text or ""

    def optional(self, name: str) -> str | None:
        """A text that may be absent, null or blank, which is all the same."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self._problems[name] = "must be a text"
        elif len(value) > (most := _MOST.get(name, AGENT_WORD_MAX_CHARS)):
            self._problems[name] = f"has {len(value)} characters; {most} are allowed"
        elif _CONTROL.search(value):
            self._problems[name] = "has control characters"
        elif value.strip():
            return value
        return None

    def tell(self) -> None:
        """Go on where nothing was wrong.

        Raises:
            BadUserInputError: Something was; it has every bad field.
        """
        if self._problems:
            said = "; ".join(f"{name} {problem}" for name, problem in self._problems.items())
            raise BadUserInputError(f"The body is not good: {said}.", self._problems)


def read_beat(body: bytes, agent_id: str, tenant_id: str) -> Beat:
    """The check-in of an agent. A guid is read and not heeded: whose check-in it is says the token.

    Raises:
        BadUserInputError: The body is malformed.
    """
    given = Body(body)
    beat = Beat(
        agent_id,
        tenant_id,
        given.needed("hostname"),
        given.needed("version"),
        given.optional("ip_address"),
        given.optional("ext_address"),
        given.optional("mac_address"),
    )
    given.optional("guid")
    given.tell()
    return beat


def read_device(body: bytes) -> tuple[str, Device]:
    """The site at which a device is to be enrolled, and the device.

    Raises:
        BadUserInputError: The body is malformed.
    """
    given = Body(body)
    site_id, hostname = given.needed("site_id"), given.needed("hostname")
    guid, mac = given.optional("guid"), given.optional("mac")
    given.optional("serial")
    device = Device(
        guid_of(site_id, hostname, guid, mac),
        hostname,
        given.needed("platform"),
        given.needed("version"),
        given.optional("ip_address"),
        mac,
        given.optional("ext_address"),
    )
    given.tell()
    return site_id, device


def known_texts(body: bytes) -> dict[str, str]:
    """Of whatever came the texts that agents tell of themselves, cut short: for the log, where no secret belongs."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    texts = given.items() if isinstance(given, dict) else ()
    return {
        name: value[:AGENT_TEXT_MAX_CHARS].replace("\0", "")
        for name, value in texts
        if name in (*_KNOWN, *_ADDRESSES) and isinstance(value, str)
    }
