"""The viewer as a value."""

import dataclasses
from typing import Any

import pytest

from core.auth.rights import expand_rights
from core.auth.viewer import Viewer, ViewerKind

VIEWER = Viewer(ViewerKind.USER, "t1", "u1", "r1", expand_rights({"Sites.Write": True}), 1_000)


def test_viewer_has_right_follows_its_rights() -> None:
    assert VIEWER.has_right("Sites.Read")
    assert VIEWER.has_right("Sites.Write")
    assert not VIEWER.has_right("Agents.Read")
    assert not VIEWER.has_right("Sites.Raed")


def test_viewer_claims_of_equal_tenant_and_rights_are_equal() -> None:
    other = dataclasses.replace(VIEWER, user_id="u2", role_id="r2", expires_at=2_000)
    assert other != VIEWER
    assert hash(other.claims) == hash(VIEWER.claims)
    assert other.claims == VIEWER.claims


@pytest.mark.parametrize(
    "change", [{"tenant_id": "t2"}, {"rights": frozenset()}, {"kind": ViewerKind.PLATFORM}]
)
def test_viewer_claims_of_other_tenant_kind_or_rights_differ(change: dict[str, Any]) -> None:
    assert dataclasses.replace(VIEWER, **change).claims != VIEWER.claims


def test_viewer_id_is_unique_by_user_or_tenant() -> None:
    platform = Viewer(ViewerKind.PLATFORM, None, None, None, frozenset(), 1_000)
    others = [
        dataclasses.replace(platform, tenant_id=tenant_id)  # type: ignore[arg-type]  # mypy leaves the type variable of a generic base free
        for tenant_id in ("t1", "t2")
    ]
    assert VIEWER.id == "user:u1"
    assert [viewer.id for viewer in (platform, *others)] == ["platform", "platform:t1", "platform:t2"]


def test_viewer_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        VIEWER.tenant_id = "t2"  # type: ignore[misc]  # the refusal is what is tested
