"""The viewers of open sockets. They sign in again when a row changes from which their rights were read.

A *watch* belongs to one user, or to the platform in one tenant. It serves all sockets of this viewer.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.clock import now_ms
from core.database.database import SharedReadTransaction
from core.limits import LIVE_SIGN_INS, TOKEN_LEEWAY_S
from services.users.sign_in import list_revoked_tokens, load_tenants, load_users
from subscriptions.change_log.change import Change
from subscriptions.invalidation.matcher import ChangeMatcher
from subscriptions.invalidation.read_sets import Dependency
from subscriptions.subscriber import Disconnect, DisconnectReason

REFUSED: Final = Disconnect(
    DisconnectReason.REFUSED, "The user, the role, the tenant or the token is no longer active"
)
EXPIRED: Final = Disconnect(DisconnectReason.EXPIRED, "The token has expired")

_TIMER_MAX_S: Final = 86_400.0
"""The longest time of a timer. It is set again if the token is valid for longer."""

_WATCHED_COLUMNS: Final = {
    "users": frozenset({"id", "tenant_id", "role_id", "status", "deleted_at"}),
    "roles": frozenset({"id", "tenant_id", "rights", "deleted_at"}),
    "tenants": frozenset({"id", "status", "deleted_at"}),
    "issued_credentials": frozenset({"id", "revoked_at"}),
}
"""The columns that sign-in reads, by table (`app.sign_in`)."""


@dataclass(slots=True, eq=False)
class ConnectionSession:
    """The viewer of one socket.

    Attributes:
        viewer: The viewer. None after the viewer has left, and for an anonymous socket.
        expires_at: When the token expires, in milliseconds since the epoch.
        on_disconnect: Called when the viewer has lost access.
        on_changed: Called when the viewer has changed. The argument is whether it was read in the running cycle.
        watch: The watch of this viewer.
        timer: Fires when the token expires.
    """

    viewer: Viewer | None
    expires_at: int
    on_disconnect: Callable[[Disconnect], None]
    on_changed: Callable[[bool], None]
    watch: "WatchedPrincipal | None" = None
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class WatchedPrincipal:
    """The rows from which the viewer of some sockets was read.

    Attributes:
        kind: The viewer's kind.
        subject: The subject of a user. Empty for the platform.
        tenant_id: The tenant that the platform has named.
        token_id: The `jti` of the platform's token.
        sessions: The sockets of this viewer.
    """

    kind: ViewerKind
    subject: str
    tenant_id: str | None
    token_id: str | None
    sessions: dict[ConnectionSession, None] = field(default_factory=dict)


class PrincipalWatcher:
    """The viewers of all open sockets."""

    def __init__(self, matcher: "ChangeMatcher[WatchedPrincipal]") -> None:
        self._matcher = matcher
        self._principals: dict[tuple[ViewerKind, str, str | None, str | None], WatchedPrincipal] = {}
        self._dirty: dict[WatchedPrincipal, None] = {}
        self._session_count = 0

    def __len__(self) -> int:
        """The number of sockets with a viewer."""
        return self._session_count

    @property
    def has_dirty(self) -> bool:
        """Whether some viewers have to sign in again."""
        return bool(self._dirty)

    def add_session(
        self, identity: Identity, viewer: Viewer, session: ConnectionSession, missed: list[Change] | None
    ) -> None:
        """Register the viewer of a socket.

        Args:
            identity: The identity that the token proved.
            viewer: The viewer as it was read.
            session: The socket's seat.
            missed: The changes since the read. None if anything may have changed.
        """
        platform = identity.kind is ViewerKind.PLATFORM
        subject, tenant_id = ("", viewer.tenant_id) if platform else (identity.subject, None)
        of = (identity.kind, subject, tenant_id, identity.token_id)
        principal = self._principals.setdefault(of, WatchedPrincipal(*of))
        session.watch = principal
        principal.sessions[session] = None
        self._session_count += 1
        self._index_principal(principal, viewer)
        self._set_timer(session)
        if missed is None or (missed and self._find_touched_principals(principal, viewer, missed)):
            self.mark_dirty(principal)

    def remove_session(self, session: ConnectionSession) -> None:
        """Remove a socket. It is safe to call this twice."""
        principal, session.watch, session.viewer = session.watch, None, None
        if session.timer:
            session.timer.cancel()
        if principal is None:
            return
        self._session_count -= 1
        del principal.sessions[session]
        if not principal.sessions:
            del self._principals[(principal.kind, principal.subject, principal.tenant_id, principal.token_id)]
            self._dirty.pop(principal, None)
            self._matcher.remove(principal)

    def extend_expiry(self, session: ConnectionSession, identity: Identity) -> None:
        """Use a new token of the same subject. If it is another token of the platform, the new token is watched."""
        session.expires_at = identity.expires_at
        if session.viewer is None:
            return
        viewer = replace(session.viewer, expires_at=identity.expires_at, token_id=identity.token_id)
        if session.watch is not None and session.watch.token_id != identity.token_id:
            self.remove_session(session)
            session.viewer = viewer
            self.add_session(identity, viewer, session, None)
            return
        self._set_viewer(session, viewer, in_cycle=False)
        self._set_timer(session)

    def mark_dirty(self, principal: WatchedPrincipal) -> None:
        """Mark a viewer: the rows from which it was read may have changed."""
        self._dirty[principal] = None

    def mark_touched(self, changes: Iterable[Change]) -> bool:
        """Mark the viewers that were read from rows which the changes match. Returns whether there are any."""
        touched = self._matcher.find_touched(changes)
        self._dirty.update(dict.fromkeys(touched))
        return bool(touched)

    def mark_all_dirty(self) -> None:
        """Mark all viewers: anything may have changed."""
        self._dirty.update(dict.fromkeys(self._principals.values()))

    async def refresh_dirty(self, snapshot: SharedReadTransaction, clock_ms: int) -> int:
        """Sign in the marked viewers again, and act on the result. Returns the number of viewers.

        Raises:
            UnavailableError: The database is unavailable. Viewers that were not signed in stay marked.
        """
        refreshed = 0
        await snapshot.set_tenant(None, platform=True, clock_ms=clock_ms)
        while self._dirty:
            batch = list(islice(self._dirty, LIVE_SIGN_INS))
            for principal in batch:
                del self._dirty[principal]
            await self._refresh_principals(snapshot, batch)
            refreshed += len(batch)
        return refreshed

    async def _refresh_principals(
        self, snapshot: SharedReadTransaction, principals: list[WatchedPrincipal]
    ) -> None:
        """Sign in some viewers again. Sockets that connect meanwhile were read later, so they are left alone."""
        sessions = {principal: list(principal.sessions) for principal in principals}
        try:
            found = await _load_viewers(snapshot, principals)
        except BaseException:
            for principal in principals:
                if principal.sessions:
                    self.mark_dirty(principal)
            raise
        for principal, viewer in found:
            for session in sessions[principal]:
                if session.watch is principal:
                    self._apply_viewer(session, viewer)
                    # A viewer may have thousands of sockets. Other tasks may run between them.
                    await asyncio.sleep(0)
            if viewer and principal.sessions:
                self._index_principal(principal, viewer)

    def _apply_viewer(self, session: ConnectionSession, viewer: Viewer | None) -> None:
        if viewer is None:
            self._disconnect(session, REFUSED)
        else:
            self._set_viewer(session, replace(viewer, expires_at=session.expires_at), in_cycle=True)

    def _set_viewer(self, session: ConnectionSession, viewer: Viewer, *, in_cycle: bool) -> None:
        if session.viewer != viewer:
            session.viewer = viewer
            session.on_changed(in_cycle)

    def _disconnect(self, session: ConnectionSession, disconnect: Disconnect) -> None:
        if session.watch is not None:
            self.remove_session(session)
            session.on_disconnect(disconnect)

    def _index_principal(self, principal: WatchedPrincipal, viewer: Viewer) -> None:
        self._matcher.set_dependencies(principal, _list_viewer_dependencies(viewer))

    def _find_touched_principals(
        self, principal: WatchedPrincipal, viewer: Viewer, missed: Iterable[Change]
    ) -> set[WatchedPrincipal]:
        matcher: ChangeMatcher[WatchedPrincipal] = ChangeMatcher()
        matcher.set_dependencies(principal, _list_viewer_dependencies(viewer))
        return matcher.find_touched(missed)

    def _set_timer(self, session: ConnectionSession) -> None:
        if session.timer:
            session.timer.cancel()
        left = session.expires_at / 1000 + TOKEN_LEEWAY_S - now_ms() / 1000
        if left <= 0:
            self._disconnect(session, EXPIRED)
        elif session.watch is not None:
            loop = asyncio.get_running_loop()
            session.timer = loop.call_later(min(left + 0.001, _TIMER_MAX_S), self._set_timer, session)


async def _load_viewers(
    snapshot: SharedReadTransaction, principals: list[WatchedPrincipal]
) -> list[tuple[WatchedPrincipal, Viewer | None]]:
    """The present viewer of each watch. None for a watch without access."""
    users = [principal.subject for principal in principals if principal.kind is ViewerKind.USER]
    tenants = [principal.tenant_id for principal in principals if principal.tenant_id is not None]
    viewers = await load_users(snapshot, users) if users else {}
    entered = await load_tenants(snapshot, tenants) if tenants else set()
    tokens = [principal.token_id for principal in principals if principal.token_id is not None]
    revoked = await list_revoked_tokens(snapshot, tokens) if tokens else set()
    return [
        (principal, _find_current_viewer(principal, viewers, entered, revoked)) for principal in principals
    ]


def _find_current_viewer(
    principal: WatchedPrincipal, viewers: dict[str, Viewer], entered: set[str], revoked: set[str]
) -> Viewer | None:
    if principal.kind is ViewerKind.USER:
        return viewers.get(principal.subject)
    if principal.token_id in revoked:
        return None
    if principal.tenant_id is not None and principal.tenant_id not in entered:
        return None
    return next((session.viewer for session in principal.sessions), None)


def _list_viewer_dependencies(viewer: Viewer) -> list[Dependency]:
    return list(_iter_row_dependencies(viewer))


def _iter_row_dependencies(viewer: Viewer) -> Iterator[Dependency]:
    rows = (
        ("users", viewer.user_id),
        ("roles", viewer.role_id),
        ("tenants", viewer.tenant_id),
        ("issued_credentials", viewer.token_id),
    )
    for table, id_ in rows:
        if id_ is not None:
            yield Dependency(table, None, {"id": frozenset({id_})}, _WATCHED_COLUMNS[table])
