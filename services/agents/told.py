"""What agents tell of themselves, read strictly: all that is wrong with it is told at once."""

import re
from collections.abc import Mapping
from typing import Any, Final

from core.errors import BadUserInputError
from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS
from services.agents.beats import Beat
from services.agents.enrollment import Device
from services.agents.guid import guid_of

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

_LONG: Final = ("hostname", "guid", "site_id", "agent_id")
"""Texts of up to `AGENT_TEXT_MAX_CHARS`; of all others `AGENT_WORD_MAX_CHARS` are allowed."""

_KNOWN: Final = frozenset(
    {*_LONG, "platform", "version", "mac", "mac_address", "serial", "ip_address", "ext_address"}
)


class Told:
    """Texts by their names, taken out one by one; `tell` raises what was wrong with them."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
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
        problem = _problem(name, value)
        if problem:
            self._problems[name] = problem
            return None
        return str(value) if value.strip() else None

    def tell(self) -> None:
        """Go on where nothing was wrong.

        Raises:
            BadUserInputError: Something was; it has every bad field.
        """
        if self._problems:
            said = "; ".join(f"{name} {problem}" for name, problem in self._problems.items())
            raise BadUserInputError(f"The input is not good: {said}.", self._problems)


def _problem(name: str, value: object) -> str | None:
    most = AGENT_TEXT_MAX_CHARS if name in _LONG else AGENT_WORD_MAX_CHARS
    if not isinstance(value, str):
        return "must be a text"
    if len(value) > most:
        return f"has {len(value)} characters; {most} are allowed"
    return "has control characters" if _CONTROL.search(value) else None


def beat_of(given: Mapping[str, Any], agent_id: str, tenant_id: str, *, whole: bool = True) -> Beat:
    """The check-in of an agent. A guid is read and not heeded: it stays what it was.

    Args:
        given: What it tells.
        agent_id: Which agent it is.
        tenant_id: Whose.
        whole: Whether it must tell its host name and version.

    Raises:
        BadUserInputError: Something is missing or malformed.
    """
    told = Told(given)
    take = told.needed if whole else told.optional
    hostname, version = take("hostname"), take("version")
    addresses = (told.optional(name) for name in ("ip_address", "ext_address", "mac_address"))
    beat = Beat(agent_id, tenant_id, hostname, version, *addresses)
    told.optional("guid")
    told.tell()
    return beat


def device_of(given: Mapping[str, Any]) -> tuple[str, Device]:
    """The site at which a device is to be enrolled, and the device.

    Raises:
        BadUserInputError: Something is missing or malformed.
    """
    told = Told(given)
    site_id, hostname = told.needed("site_id"), told.needed("hostname")
    guid, mac = told.optional("guid"), told.optional("mac")
    told.optional("serial")
    device = Device(
        guid_of(site_id, hostname, guid, mac),
        hostname,
        told.needed("platform"),
        told.needed("version"),
        told.optional("ip_address"),
        mac,
        told.optional("ext_address"),
    )
    told.tell()
    return site_id, device


def known_texts(given: Any) -> dict[str, str]:
    """Of what was given the texts that agents tell of themselves, cut short, for the log: it keeps no secrets."""
    texts = given.items() if isinstance(given, dict) else ()
    return {
        name: value[:AGENT_TEXT_MAX_CHARS].replace("\0", "")
        for name, value in texts
        if name in _KNOWN and isinstance(value, str)
    }
