"""Viewers lately signed in, so that a read of one statement can be compiled for them before it is sent.

Remembering is no trust: the statement itself shows, in its own snapshot, whether the viewer is still who they were.
"""

from collections import OrderedDict
from typing import NamedTuple

from core.limits import VIEWERS_REMEMBERED
from core.single_reads import Facts
from core.tokens import Identity
from core.viewer import Viewer


class SignedIn(NamedTuple):
    """A user's viewer, and the rows' facts that it was made of."""

    viewer: Viewer
    facts: Facts


class RememberedViewers:
    """By the identity that was signed in; the least recently used are forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Identity, SignedIn] = OrderedDict()

    def recall(self, identity: Identity) -> SignedIn | None:
        """Whom the identity was signed in as, if it is remembered."""
        found = self._kept.get(identity)
        if found is not None:
            self._kept.move_to_end(identity)
        return found

    def keep(self, identity: Identity, signed_in: SignedIn) -> None:
        """Remember a sign-in."""
        self._kept[identity] = signed_in
        if len(self._kept) > VIEWERS_REMEMBERED:
            self._kept.popitem(last=False)

    def forget(self, identity: Identity) -> None:
        """Forget a sign-in that no longer holds."""
        self._kept.pop(identity, None)
