"""The viewer as a value."""

import dataclasses
from typing import Any

import pytest

from core.rights import closure
from core.viewer import Viewer, ViewerKind

VIEWER = Viewer(ViewerKind.USER, "t1", "u1", "r1", closure({"Sites.Write": True}), 1_000)


def test_may_is_what_the_rights_say() -> None:
    assert VIEWER.may("Sites.Read")
    assert VIEWER.may("Sites.Write")
    assert not VIEWER.may("Agents.Read")
    assert not VIEWER.may("Sites.Raed")


def test_users_of_one_tenant_with_equal_rights_share_their_claims() -> None:
    other = dataclasses.replace(VIEWER, user_id="u2", role_id="r2", expires_at=2_000)
    assert other != VIEWER
    assert hash(other.claims) == hash(VIEWER.claims)
    assert other.claims == VIEWER.claims


@pytest.mark.parametrize(
    "change", [{"tenant_id": "t2"}, {"rights": frozenset()}, {"kind": ViewerKind.PLATFORM}]
)
def test_another_tenant_kind_or_rights_are_other_claims(change: dict[str, Any]) -> None:
    assert dataclasses.replace(VIEWER, **change).claims != VIEWER.claims


def test_caches_tell_viewers_apart() -> None:
    platform = Viewer(ViewerKind.PLATFORM, None, None, None, frozenset(), 1_000)
    others = [dataclasses.replace(platform, tenant_id=tenant_id) for tenant_id in ("t1", "t2")]
    assert VIEWER.id == "user:u1"
    assert [viewer.id for viewer in (platform, *others)] == ["platform", "platform:t1", "platform:t2"]


def test_a_viewer_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        VIEWER.tenant_id = "t2"  # type: ignore[misc]  # the refusal is what is tested
