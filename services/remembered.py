"""Viewers lately signed in, so that a read of one statement can be compiled for them before it is sent.

Remembering is no trust: the statement itself shows, in its own snapshot, whether the viewer is still who they were.
"""

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from core.limits import VIEWERS_REMEMBERED
from core.single_reads import Facts
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind


class SignedIn(NamedTuple):
    """A user's viewer, and the rows' facts that it was made of."""

    viewer: Viewer
    facts: Facts


class RememberedViewers:
    """Users by their subject, whatever their token; the least recently used are forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, SignedIn] = OrderedDict()

    def recall(self, identity: Identity) -> SignedIn | None:
        """Whom the user was signed in as, if that is remembered, for as long as this identity is good."""
        found = self._kept.get(identity.subject) if identity.kind is ViewerKind.USER else None
        if found is None:
            return None
        self._kept.move_to_end(identity.subject)
        if found.viewer.expires_at != identity.expires_at:
            return found._replace(viewer=replace(found.viewer, expires_at=identity.expires_at))
        return found

    def keep(self, signed_in: SignedIn) -> None:
        """Remember a sign-in."""
        self._kept[signed_in.facts.subject] = signed_in
        if len(self._kept) > VIEWERS_REMEMBERED:
            self._kept.popitem(last=False)

    def forget(self, signed_in: SignedIn) -> None:
        """Forget a sign-in that no longer holds."""
        self._kept.pop(signed_in.facts.subject, None)
