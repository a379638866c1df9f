"""One device has one identity, however its GUID and its MAC are spelled; placeholders are no identity."""

import hashlib
from typing import Final

import pytest

from services.device_identity import (
    build_device_identity,
    canonicalize_guid,
    canonicalize_mac,
    is_placeholder_guid,
    is_placeholder_mac,
)

UUID: Final = "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"
MACS: Final = (
    "00:16:3e:ab:cd:ef",
    "00:16:3E:AB:CD:EF",
    "00-16-3e-ab-cd-ef",
    "00-16-3E-AB-CD-EF",
    "0016.3eab.cdef",
    "0016.3EAB.CDEF",
    "00163eabcdef",
    "00163EABCDEF",
)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        (UUID, UUID),
        (UUID.upper(), UUID),
        (f"{{{UUID.upper()}}}", UUID),
        (UUID.replace("-", ""), UUID),
        ("AB" * 32, "ab" * 32),
        ("AB" * 31, "AB" * 31),
        (UUID[:-1], UUID[:-1]),
        (f"{UUID}\n", f"{UUID}\n"),
        ("Serial-7", "Serial-7"),
    ],
)
def test_canonicalize_guid_of_any_spelling_gives_one_form(given: str, canonical: str) -> None:
    assert canonicalize_guid(given) == canonical


@pytest.mark.parametrize("given", [*MACS, "00 16 3e ab cd ef"])
def test_canonicalize_mac_of_any_spelling_gives_one_form(given: str) -> None:
    assert canonicalize_mac(given) == MACS[0]


@pytest.mark.parametrize("given", ["aa:01", "00:16:3e:ab:cd", "00:16-3e:ab:cd:ef", "eth0", MACS[0] + "\n"])
def test_canonicalize_mac_of_other_text_returns_it_unchanged(given: str) -> None:
    assert canonicalize_mac(given) == given


@pytest.mark.parametrize("given", MACS)
def test_device_identity_of_mac_has_hashes_of_all_its_spellings(given: str) -> None:
    identity = build_device_identity("s1", "desk", None, given)
    hashes = {hashlib.sha256(f'{{"mac":"{mac}","siteId":"s1"}}'.encode()).hexdigest() for mac in MACS}
    assert identity.guid == hashlib.sha256(f'{{"mac":"{given}","siteId":"s1"}}'.encode()).hexdigest()
    assert {identity.guid, *identity.spellings} == hashes
    assert identity.key == build_device_identity("s1", "desk", None, MACS[0]).key
    assert identity.key != build_device_identity("s2", "desk", None, given).key


@pytest.mark.parametrize(
    "mac",
    [
        "00:00:00:00:00:00", "000000000000", "ff:ff:ff:ff:ff:ff", "FF-FF-FF-FF-FF-FF", "01:00:5e:00:00:fb",
        "33:33:00:00:00:01", "02:00:00:00:00:00", "unknown", "N/A", "none", "--", "0:0:0:0:0:0",
        "00:00:00:00:00:00:00:00",
    ],
)  # fmt: skip
def test_device_identity_of_placeholder_mac_falls_back_to_hostname(mac: str) -> None:
    assert is_placeholder_mac(mac)
    one, other = (
        build_device_identity("s1", "one", None, mac),
        build_device_identity("s1", "other", None, mac),
    )
    assert one.guid == build_device_identity("s1", "one").guid
    assert one.guid != other.guid
    assert one.former == other.former != ()


@pytest.mark.parametrize("mac", ["52:54:00:12:34:56", "02:42:ac:11:00:02", "00:16:3e:00:00:00", "aa:01"])
def test_device_identity_of_local_or_short_mac_is_by_mac(mac: str) -> None:
    assert not is_placeholder_mac(mac)
    assert (
        build_device_identity("s1", "one", None, mac).guid
        == build_device_identity("s1", "other", None, mac).guid
    )


@pytest.mark.parametrize(
    "guid",
    [
        "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "Default string",
        "To be filled by O.E.M.", "To Be Filled By O.E.M", "03000200-0400-0500-0006-000700080009", "Not Specified",
        "unknown", "None", "0" * 64,
    ],
)  # fmt: skip
def test_device_identity_of_placeholder_guid_falls_back_to_mac_or_hostname(guid: str) -> None:
    assert is_placeholder_guid(guid)
    assert (
        build_device_identity("s1", "one", guid, MACS[1]).guid
        == build_device_identity("s1", "one", None, MACS[1]).guid
    )
    assert build_device_identity("s1", "one", guid).guid == build_device_identity("s1", "one").guid
    assert build_device_identity("s1", "one", guid).former == (canonicalize_guid(guid),)


@pytest.mark.parametrize("guid", [UUID, "ab" * 32, "mine", "11111111-1111-1111-1111-111111111112"])
def test_device_identity_of_real_guid_is_that_guid(guid: str) -> None:
    assert build_device_identity("s1", "one", guid.upper(), MACS[0]).guid == canonicalize_guid(guid.upper())
