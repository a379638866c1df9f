"""The identity of a device: its GUID, else its MAC address, else its host name.

All spellings of a value are one identity, and a placeholder is none. A GUID is stored in its canonical form,
which a trigger ensures. A device without a GUID gets one that is a hash of its MAC address. The hash is of
the MAC *as spelled*, as agents in the field compute it. If an agent changes the spelling, its device is found
by the others.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

_UUID: Final = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?")
_SHA_256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_MAC: Final = re.compile(
    r"[0-9A-Fa-f]{12}"
    r"|[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5}|(?: [0-9A-Fa-f]{2}){5})"
    r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}"
)
_NOT_HEX: Final = re.compile(r"[^0-9a-f]")

_NO_MACS: Final = frozenset({"000000000000", "020000000000"})
"""Zeros, and the fixed values that iOS and Android report in place of an address.

The multicast bit marks the others.
"""

_NO_UUIDS: Final = frozenset(
    {
        "03000200040005000006000700080009",  # firmware that was never given one
        "00020003000400050006000700080009",  # the same with its first parts in the other byte order
        "ffffffff00000000ffffffff00000000",
        "12345678123412341234123456789012",
        "123456781234567890abcdefabcdef12",
    }
)
_NO_WORDS: Final = frozenset(
    {
        "", "0", "none", "null", "nil", "undefined", "unknown", "na", "notapplicable", "notavailable", "notspecified",
        "notpresent", "notsettable", "invalid", "empty", "default", "defaultstring", "tobefilledbyoem", "oem",
        "systemserialnumber", "systemuuid", "serialnumber",
    }
)  # fmt: skip
"""Placeholders of firmware and scripts for unknown values, reduced to small letters and digits."""

_ONE_DIGIT: Final = ({"0"}, {"f"})


def canonicalize_guid(guid: str) -> str:
    """The canonical spelling of a GUID: a UUID in lower case with dashes, a SHA-256 in lower case, else unchanged."""
    if _UUID.fullmatch(guid):
        digits = guid.translate(_WITHOUT_MARKS).lower()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return guid.lower() if _SHA_256.fullmatch(guid) else guid


_WITHOUT_MARKS: Final = str.maketrans("", "", "{}-")


def canonicalize_mac(mac: str) -> str:
    """The canonical spelling of a MAC address, `aa:bb:cc:dd:ee:ff`. Text that is no 48-bit MAC stays as it is."""
    if not _MAC.fullmatch(mac):
        return mac
    return _join_digits(_extract_hex_digits(mac), 2, ":")


def is_placeholder_guid(guid: str) -> bool:
    """Whether a GUID is a placeholder: a firmware word for "none", or a UUID that many devices have."""
    if _normalize_word(guid) in _NO_WORDS:
        return True
    if not _UUID.fullmatch(guid):
        return set(_normalize_word(guid)) in _ONE_DIGIT
    digits = guid.translate(_WITHOUT_MARKS).lower()
    return len(set(digits)) == 1 or digits in _NO_UUIDS


def is_placeholder_mac(mac: str) -> bool:
    """Whether a MAC address identifies no device: zeros, broadcast, multicast, or a word for "none".

    Locally administered addresses are identities: virtual machines and containers have no others.
    """
    if not _MAC.fullmatch(mac):
        return _normalize_word(mac) in _NO_WORDS or set(_normalize_word(mac)) in _ONE_DIGIT
    digits = _extract_hex_digits(mac)
    return digits in _NO_MACS or bool(int(digits[:2], 16) & 1)


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """The identity of a device at a site.

    Attributes:
        guid: The GUID of its agent if the agent is new.
        spellings: Further GUIDs that the same device's agent may have, from other spellings of its MAC.
        former: GUIDs made of placeholders, as they were once accepted. An agent with one counts only if the host name
            agrees.
        key: The value that two registrations of one device share, whatever their spelling.
    """

    guid: str
    spellings: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    key: str = ""


def build_device_identity(
    site_id: str, hostname: str, guid: str | None = None, mac: str | None = None
) -> DeviceIdentity:
    """The identity of a device: by its GUID, else by its MAC address, else by its host name.

    The hash of a MAC is the SHA-256, in hex, of compact JSON: the MAC as it is spelled, and the site id.
    Without a MAC it is that of the host name and the site id.
    """
    former: list[str] = []
    if guid and not is_placeholder_guid(guid):
        canonical = canonicalize_guid(guid)
        return DeviceIdentity(canonical, key=canonical)
    if guid:
        former.append(canonicalize_guid(guid))
    if mac and not is_placeholder_mac(mac):
        made = _hash("mac", mac, site_id)
        spellings = tuple(_hash("mac", each, site_id) for each in _iter_mac_spellings(mac) if each != mac)
        return DeviceIdentity(made, spellings, tuple(former), _hash("mac", canonicalize_mac(mac), site_id))
    if mac:
        former.append(_hash("mac", mac, site_id))
    made = _hash("hostname", hostname, site_id)
    return DeviceIdentity(made, former=tuple(former), key=made)


def _hash(name: str, value: str, site_id: str) -> str:
    return hashlib.sha256(orjson.dumps({name: value, "siteId": site_id})).hexdigest()


def _iter_mac_spellings(mac: str) -> Iterator[str]:
    """The common spellings of a MAC address. Text that is no MAC has none."""
    if not _MAC.fullmatch(mac):
        return
    lower = _extract_hex_digits(mac)
    for digits in (lower, lower.upper()):
        yield from (
            _join_digits(digits, 2, ":"),
            _join_digits(digits, 2, "-"),
            _join_digits(digits, 4, "."),
            digits,
        )


def _join_digits(digits: str, width: int, mark: str) -> str:
    return mark.join(digits[at : at + width] for at in range(0, len(digits), width))


def _extract_hex_digits(text: str) -> str:
    return _NOT_HEX.sub("", text.lower())


def _normalize_word(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
