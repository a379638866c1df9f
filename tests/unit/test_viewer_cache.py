"""The cache of signed-in viewers: users only, bounded in number, with the expiry of their token."""

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.database.single_reads import SignInFacts
from core.limits import VIEWERS_CACHED_MAX
from services.users.viewer_cache import SignedIn, ViewerCache


def build_signed_in(subject: str) -> SignedIn:
    viewer = Viewer(ViewerKind.USER, "t1", subject, "r1", frozenset(), 1_000)
    return SignedIn(viewer, SignInFacts(subject, "t1", "r1", "{}"))


def test_viewer_cache_does_not_mix_platform_and_user() -> None:
    remembered = ViewerCache()
    remembered.put(build_signed_in("platform"))
    assert remembered.get(Identity(ViewerKind.PLATFORM, "platform", NEVER)) is None
    assert remembered.get(Identity(ViewerKind.USER, "platform", NEVER))


def test_viewer_cache_with_new_token_gives_the_viewer_its_expiry() -> None:
    remembered, known = ViewerCache(), build_signed_in("ann")
    remembered.put(known)
    for expires_at in (1_000, 2_000):
        found = remembered.get(Identity(ViewerKind.USER, "ann", expires_at))
        assert found
        assert (found.viewer.user_id, found.viewer.expires_at, found.facts) == (
            "ann",
            expires_at,
            known.facts,
        )


def test_viewer_cache_after_forget_gives_none() -> None:
    remembered, known = ViewerCache(), build_signed_in("ann")
    remembered.put(known)
    for _ in range(2):
        remembered.evict(known)
        assert remembered.get(Identity(ViewerKind.USER, "ann", 1_000)) is None


def test_viewer_cache_when_full_evicts_the_least_recently_used() -> None:
    remembered = ViewerCache()
    for number in range(VIEWERS_CACHED_MAX):
        remembered.put(build_signed_in(str(number)))
    assert remembered.get(Identity(ViewerKind.USER, "0", 1_000))
    remembered.put(build_signed_in("one more"))
    assert remembered.get(Identity(ViewerKind.USER, "0", 1_000))
    assert remembered.get(Identity(ViewerKind.USER, "1", 1_000)) is None
