"""Viewers remembered from their sign-in: users alone, as many as there may be, as long as their token."""

from core.clock import NEVER
from core.limits import VIEWERS_REMEMBERED
from core.single_reads import Facts
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from services.remembered import RememberedViewers, SignedIn


def signed_in(subject: str) -> SignedIn:
    viewer = Viewer(ViewerKind.USER, "t1", subject, "r1", frozenset(), 1_000)
    return SignedIn(viewer, Facts(subject, "t1", "r1", "{}"))


def test_the_platform_is_nobodys_namesake() -> None:
    remembered = RememberedViewers()
    remembered.keep(signed_in("platform"))
    assert remembered.recall(Identity(ViewerKind.PLATFORM, "platform", NEVER)) is None
    assert remembered.recall(Identity(ViewerKind.USER, "platform", NEVER))


def test_a_fresh_token_is_of_the_same_viewer() -> None:
    remembered, known = RememberedViewers(), signed_in("ann")
    remembered.keep(known)
    for expires_at in (1_000, 2_000):
        found = remembered.recall(Identity(ViewerKind.USER, "ann", expires_at))
        assert found
        assert (found.viewer.user_id, found.viewer.expires_at, found.facts) == (
            "ann",
            expires_at,
            known.facts,
        )


def test_what_is_forgotten_is_gone() -> None:
    remembered, known = RememberedViewers(), signed_in("ann")
    remembered.keep(known)
    for _ in range(2):
        remembered.forget(known)
        assert remembered.recall(Identity(ViewerKind.USER, "ann", 1_000)) is None


def test_the_longest_unused_makes_room() -> None:
    remembered = RememberedViewers()
    for number in range(VIEWERS_REMEMBERED):
        remembered.keep(signed_in(str(number)))
    assert remembered.recall(Identity(ViewerKind.USER, "0", 1_000))
    remembered.keep(signed_in("one more"))
    assert remembered.recall(Identity(ViewerKind.USER, "0", 1_000))
    assert remembered.recall(Identity(ViewerKind.USER, "1", 1_000)) is None
