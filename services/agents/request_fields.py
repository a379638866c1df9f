"""Strict parsing of the values that agents report. One error lists all bad fields."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from core.errors import BadUserInputError
from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS
from services.agents.check_in import CheckIn
from services.agents.enrollment import EnrollingDevice
from services.agents.legacy_agents import LegacyIds, build_not_adopted_error
from services.device_identity import build_device_identity, canonicalize_mac

_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

_LONG_FIELDS: Final = ("hostname", "guid", "site_id", "agent_id", "device_id")
"""Texts of up to `AGENT_TEXT_MAX_CHARS`. All others may have `AGENT_WORD_MAX_CHARS`."""

_KNOWN_FIELDS: Final = frozenset(
    {*_LONG_FIELDS, "platform", "version", "mac", "mac_address", "serial", "ip_address", "ext_address"}
)


class RequestFields:
    """Reads texts by name, and collects what is wrong with them for one error at the end."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._problems: dict[str, str] = {}

    def take_required(self, name: str) -> str:
        """A text that must be there. If it is missing, the result is empty and the field is recorded as bad."""
        text = self.take_optional(name)
        if text is None:
            self._problems.setdefault(name, "is required")
        return text or ""

    def take_optional(self, name: str) -> str | None:
        """A text that may be absent, null or blank, which all mean the same."""
        value = self._given.get(name)
        if value is None:
            return None
        problem = _find_problem(name, value)
        if problem:
            self._problems[name] = problem
            return None
        return str(value) if value.strip() else None

    def raise_problems(self) -> None:
        """Raise an error if any field was bad.

        Raises:
            BadUserInputError: A field was bad; the error has all bad fields.
        """
        if self._problems:
            said = "; ".join(f"{name} {problem}" for name, problem in self._problems.items())
            raise BadUserInputError(f"Invalid input: {said}.", self._problems)


def _find_problem(name: str, value: object) -> str | None:
    length_max = AGENT_TEXT_MAX_CHARS if name in _LONG_FIELDS else AGENT_WORD_MAX_CHARS
    if not isinstance(value, str):
        return "must be a string"
    if len(value) > length_max:
        return f"must have at most {length_max} characters, not {len(value)}"
    return "must not contain control characters" if _CONTROL_CHARACTERS.search(value) else None


def parse_check_in(
    given: Mapping[str, Any],
    agent_id: str,
    tenant_id: str,
    *,
    token_id: str | None = None,
    is_complete: bool = True,
) -> CheckIn:
    """The check-in of an agent. A reported guid is validated and ignored: the stored one stays.

    Args:
        given: The reported values.
        agent_id: The agent's id.
        tenant_id: The agent's tenant.
        token_id: The id of the token that the agent presented.
        is_complete: Whether host name and version are required.

    Raises:
        BadUserInputError: Something is missing or malformed.
    """
    fields = RequestFields(given)
    take = fields.take_required if is_complete else fields.take_optional
    hostname, version = take("hostname"), take("version")
    addresses = fields.take_optional("ip_address"), fields.take_optional("ext_address")
    mac = fields.take_optional("mac_address")
    check_in = CheckIn(agent_id, tenant_id, hostname, version, *addresses, mac and canonicalize_mac(mac))
    fields.take_optional("guid")
    fields.raise_problems()
    return replace(check_in, token_id=token_id)


def parse_legacy_ids(device_id: str | None, site_id: str | None, given: Mapping[str, Any]) -> LegacyIds:
    """The ids of an agent that sends no token: two headers, and the guid of its body.

    Raises:
        UnauthenticatedError: One of them is missing.
        BadUserInputError: One of them is malformed.
    """
    fields = RequestFields({"device_id": device_id, "site_id": site_id, "guid": given.get("guid")})
    device, site, guid = (fields.take_optional(name) for name in ("device_id", "site_id", "guid"))
    fields.raise_problems()
    if device is None or site is None or guid is None:
        raise build_not_adopted_error()
    return LegacyIds(device, site, guid)


_MACOS_NAMES: Final = frozenset({"darwin", "mac", "macos", "mac os", "mac os x", "macosx", "os x", "osx"})


def parse_device(given: Mapping[str, Any]) -> tuple[str, EnrollingDevice]:
    """The site at which to enroll a device, and the device.

    Raises:
        BadUserInputError: Something is missing or malformed.
    """
    fields = RequestFields(given)
    site_id, hostname = fields.take_required("site_id"), fields.take_required("hostname")
    guid, mac = fields.take_optional("guid"), fields.take_optional("mac")
    fields.take_optional("serial")
    identity = build_device_identity(site_id, hostname, guid, mac)
    device = EnrollingDevice(
        identity.guid,
        hostname,
        _canonicalize_platform(fields.take_required("platform")),
        fields.take_required("version"),
        fields.take_optional("ip_address"),
        mac and canonicalize_mac(mac),
        fields.take_optional("ext_address"),
        identity.spellings,
        identity.former,
        identity.key if identity.spellings else "",
    )
    fields.raise_problems()
    return site_id, device


def _canonicalize_platform(given: str) -> str:
    """One name for macOS, which runtimes and installers call differently. Other platforms stay as they are."""
    return "macos" if given.lower() in _MACOS_NAMES else given


def select_known_texts(given: Any) -> dict[str, str]:
    """The texts of known fields, cut short for the log. The result has no secrets."""
    texts = given.items() if isinstance(given, dict) else ()
    return {
        name: value[:AGENT_TEXT_MAX_CHARS].replace("\0", "")
        for name, value in texts
        if name in _KNOWN_FIELDS and isinstance(value, str)
    }
