"""A cache of recently signed-in viewers, by which a read of one statement is compiled before it is sent.

The cache is not trusted: the statement itself checks, in its own snapshot, that the viewer is unchanged.
"""

from dataclasses import replace
from typing import NamedTuple

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.single_reads import SignInFacts
from core.fair_queue import PLATFORM, STRANGERS
from core.limits import VIEWERS_CACHED_MAX
from core.lru_cache import LruCache


class SignedIn(NamedTuple):
    """A user's viewer, and the facts of the rows that it was made from."""

    viewer: Viewer
    facts: SignInFacts


class ViewerCache:
    """Viewers of users by subject, for any of their tokens. The least recently used entry is evicted first."""

    def __init__(self) -> None:
        self._entries: LruCache[str, SignedIn] = LruCache(VIEWERS_CACHED_MAX)

    def get(self, identity: Identity) -> SignedIn | None:
        """The cached sign-in of a user, with the expiry of this identity; None if there is none."""
        found = self._entries.get(identity.subject) if identity.kind is ViewerKind.USER else None
        if found is None:
            return None
        if found.viewer.expires_at != identity.expires_at:
            return found._replace(viewer=replace(found.viewer, expires_at=identity.expires_at))
        return found

    def share_of(self, identity: Identity) -> str:
        """Whose work a request is, by `core.fair_queue`: that of the tenant of a user who has signed in."""
        if identity.kind is ViewerKind.PLATFORM:
            return PLATFORM
        return self.get_tenant_of(identity) or STRANGERS

    def get_tenant_of(self, identity: Identity) -> str | None:
        """The tenant of a user who has signed in. None for the platform and all others."""
        found = self._entries.get(identity.subject) if identity.kind is ViewerKind.USER else None
        return None if found is None else found.facts.tenant_id

    def put(self, signed_in: SignedIn) -> None:
        """Cache a sign-in."""
        self._entries.put(signed_in.facts.subject, signed_in)

    def evict(self, signed_in: SignedIn) -> None:
        """Evict a sign-in that is no longer valid."""
        self._entries.pop(signed_in.facts.subject)
