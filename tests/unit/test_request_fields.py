"""Agents' reported values: any input is read or refused, and the guid equals JSON.stringify's."""

import hashlib
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadUserInputError
from services.agents.request_fields import parse_check_in, parse_device, select_known_texts
from services.device_identity import build_device_identity, is_placeholder_mac

NAMES = st.sampled_from(
    "hostname version platform site_id guid mac mac_address serial ip_address ext_address".split()  # noqa: SIM905 - one line
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
BODIES = st.dictionaries(NAMES | st.text(max_size=8), ANYTHING, max_size=10)


@given(BODIES)
def test_request_fields_of_any_body_are_read_or_refused(body: dict[str, Any]) -> None:
    for read in (lambda: parse_check_in(body, "a", "t"), lambda: parse_device(body)):
        with suppress(BadUserInputError):
            read()
    assert all("\0" not in text for text in select_known_texts(body).values())


@given(BODIES)
def test_request_fields_read_can_be_stored(body: dict[str, Any]) -> None:
    whole = {"hostname": "h", "version": "v", "platform": "p", "site_id": "s"} | body
    try:
        beat, (_, device) = parse_check_in(whole, "a", "t"), parse_device(whole)
    except BadUserInputError:
        return
    for one in (beat, device):
        for name in one.__slots__:
            value = getattr(one, name)
            for text in value if isinstance(value, tuple) else () if value is None else (value,):
                assert "\0" not in text
                text.encode()
                assert len(text) <= 255


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(TEXTS, TEXTS, st.none() | TEXTS.filter(lambda mac: not is_placeholder_mac(mac)))
def test_device_identity_guid_is_the_hash_of_compact_json(site: str, hostname: str, mac: str | None) -> None:
    """Python's own json, with the compact separators of JavaScript, writes the same text."""
    named = {"hostname": hostname} if mac is None else {"mac": mac}
    text = json.dumps({**named, "siteId": site}, separators=(",", ":"), ensure_ascii=False)
    assert build_device_identity(site, hostname, None, mac).guid == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("given_platform", "stored"),
    [
        *[(name, "macos") for name in ("darwin", "Darwin", "macOS", "MACOS", "Mac OS X", "osx", "mac")],
        *[(name, name) for name in ("windows", "Windows", "linux", "macintosh", "darwinia")],
    ],
)
def test_device_platform_of_a_mac_is_macos(given_platform: str, stored: str) -> None:
    body = {"hostname": "h", "version": "v", "platform": given_platform, "site_id": "s"}
    assert parse_device(body)[1].platform == stored


def test_check_in_may_be_incomplete_for_the_platform_only() -> None:
    beat = parse_check_in({"version": "2"}, "a", "t", is_complete=False)
    assert (beat.hostname, beat.version) == (None, "2")
    with pytest.raises(BadUserInputError, match="hostname is required"):
        parse_check_in({"version": "2"}, "a", "t")
