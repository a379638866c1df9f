"""Callers: the properties that their requests share."""

from typing import Any

import pytest

from api.caller import Caller, read_client_address
from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("203.0.113.7", 1), "203.0.113.7"),
        (("::ffff:203.0.113.7", 1), "203.0.113.7"),
        (("not an address", 1), "not an address"),
        (None, ""),
    ],
)
def test_caller_address_by_ipv4_is_that_of_the_client(client: Any, address: str) -> None:
    assert read_client_address({"client": client}) == address


def test_caller_address_by_ipv6_is_that_of_the_network() -> None:
    one, other, else_ = (
        read_client_address({"client": (a, 1)})
        for a in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    )
    assert one == other != else_


def test_caller_name_is_the_subject_or_the_tenant_of_the_platform() -> None:
    user = Identity(ViewerKind.USER, "ann", 0)
    platform = Identity(ViewerKind.PLATFORM, "platform", 0)
    names = [
        Caller(user, None, "1").name, Caller(user, None, "2").name,
        Caller(platform, "t1", "1").name, Caller(platform, "t2", "1").name, Caller(None, None, "1").name,
    ]  # fmt: skip
    assert names[0] == names[1]
    assert len(set(names)) == 4
