"""What agents tell: anything at all is read or refused, and the guid is what JSON.stringify would make of it."""

import hashlib
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadUserInputError
from services.agents.guid import guid_of
from services.agents.told import beat_of, device_of, known_texts

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
def test_whatever_is_told_is_read_or_refused(body: dict[str, Any]) -> None:
    for read in (lambda: beat_of(body, "a", "t"), lambda: device_of(body)):
        with suppress(BadUserInputError):
            read()
    assert all("\0" not in text for text in known_texts(body).values())


@given(BODIES)
def test_what_is_read_can_be_kept(body: dict[str, Any]) -> None:
    whole = {"hostname": "h", "version": "v", "platform": "p", "site_id": "s"} | body
    try:
        beat, (_, device) = beat_of(whole, "a", "t"), device_of(whole)
    except BadUserInputError:
        return
    for one in (beat, device):
        for name in one.__slots__:
            value = getattr(one, name)
            if value is not None:
                assert "\0" not in value
                value.encode()
                assert len(value) <= 255


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(TEXTS, TEXTS, st.none() | TEXTS)
def test_the_guid_is_that_of_the_rule(site: str, hostname: str, mac: str | None) -> None:
    """Python's own json, told to be as compact as JavaScript's, writes the same text."""
    named = {"hostname": hostname} if mac is None else {"mac": mac}
    text = json.dumps({**named, "siteId": site}, separators=(",", ":"), ensure_ascii=False)
    assert guid_of(site, hostname, None, mac) == hashlib.sha256(text.encode()).hexdigest()


def test_part_of_a_beat_may_be_told_for_the_platform() -> None:
    beat = beat_of({"version": "2"}, "a", "t", whole=False)
    assert (beat.hostname, beat.version) == (None, "2")
    with pytest.raises(BadUserInputError, match="hostname is missing"):
        beat_of({"version": "2"}, "a", "t")
