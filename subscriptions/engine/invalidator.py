"""The invalidator: it passes the changes of each cycle to everything that was read from older rows. No I/O."""

from collections.abc import Sequence
from typing import Final

import structlog

from subscriptions.change_log.change import Change, Delta
from subscriptions.engine.live_state import LiveState

_log: Final = structlog.get_logger(__name__)


class Invalidator:
    """Marks the queries and viewers that changes match.

    Attributes:
        changed_at: When the earliest matched change was made that has not been sent yet, in milliseconds since the
            epoch. None if all were sent.
    """

    def __init__(self, state: LiveState) -> None:
        self.changed_at: int | None = None
        self._state = state

    def apply(self, delta: Delta, changes: Sequence[Change]) -> None:
        """Mark what the changes match, and append the delta to the feed.

        Args:
            delta: The delta that was read from the log.
            changes: Its changes, with those that time alone has made.
        """
        state = self._state
        if not delta.is_complete:
            # The log does not reach back to the last snapshot, so anything may have changed.
            self._mark_all_dirty()
            state.replay_buffer.add(None)
        elif changes:
            # Running queries are not marked: they get these changes by replay.
            state.replay_buffer.add(tuple(changes))
            self._match_changes(changes)
        state.feed.append(delta)

    def _match_changes(self, changes: Sequence[Change]) -> None:
        state = self._state
        try:
            touched = [state.registry.mark_touched(changes), state.viewers.mark_touched(changes)]
        except Exception:  # noqa: BLE001 - logged; all count as matched
            _log.exception("changes cannot be matched; all live queries are refreshed")
            self._mark_all_dirty()
            touched = [bool(state.registry), bool(state.viewers)]
        if any(touched):
            at = min(change.origin.written_at for change in changes)
            self.changed_at = at if self.changed_at is None else min(self.changed_at, at)

    def _mark_all_dirty(self) -> None:
        self._state.registry.mark_all_dirty()
        self._state.viewers.mark_all_dirty()
