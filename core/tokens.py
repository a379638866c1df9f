"""From a bearer token to an identity: the one place where a token is believed.

Two doors, each with keys of its own. A token whose `iss` is this server's must be signed with the server's
key and typed as the platform's; any other must be the identity provider's. What a token claims decides only
at which door it is tried, so that no claim of a user's token can make it the platform's.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from core import limits
from core.clock import now_ms
from core.errors import UnauthenticatedError
from core.issuer import SERVER_ISSUER, IssuerConfig
from core.jwks import IssuerKeys
from core.jwt import Accepted, Expected, Unverified, accept, parse, verified_claims
from core.signing import ALGORITHM, PLATFORM_SUBJECT, PLATFORM_TYPE, SigningKey
from core.viewer import ViewerKind

_USER_TYPES: Final = re.compile(r"(application/)?([\w-]*at\+)?jwt", re.ASCII | re.IGNORECASE)
"""`JWT` and RFC 9068's `at+jwt` (Okta: `okta-internal-at+jwt`); not `logout+jwt` and its like."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for, and by what an invitation may find them.

    Attributes:
        kind: What it is.
        subject: The token's `sub`.
        expires_at: Its `exp`, in ms since the epoch.
        email: The user's e-mail address, if the identity provider has verified it.
        invitation: The code that was shown beside the token, not yet believed.
    """

    kind: ViewerKind
    subject: str
    expires_at: int
    email: str | None = None
    invitation: str | None = field(default=None, repr=False)


class TokenVerifier:
    """Verifies bearer tokens; one for the life of the server, safe to use from many tasks."""

    def __init__(
        self, issuer: IssuerConfig, server_key: SigningKey | None, clock: Callable[[], int] = now_ms
    ) -> None:
        """Takes platform tokens only where there is a server key; `clock` gives ms since the epoch."""
        self._issuer = issuer
        self._expected = Expected(issuer.issuer, issuer.audiences, issuer.authorized_parties)
        self._issuer_keys = IssuerKeys(issuer.jwks_url, issuer.algorithms)
        self._server_key = server_key
        self._clock = clock
        self._memo = _Memo()

    async def verify(self, token: str) -> Identity:
        """The identity that the token proves.

        Raises:
            UnauthenticatedError: whatever is wrong with it; the message names the claim, never a value.
        """
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        remembered = self._memo.recall(digest, self._clock())
        if remembered is not None:
            return remembered
        unverified = parse(token)
        from_server = unverified.claims.get("iss") == SERVER_ISSUER
        identity = self._platform(unverified) if from_server else await self._user(unverified)
        self._memo.keep(digest, identity, self._clock())
        return identity

    async def close(self) -> None:
        """Ends a fetch of keys that is under way."""
        await self._issuer_keys.close()

    async def _user(self, token: Unverified) -> Identity:
        if token.algorithm not in self._issuer.algorithms:
            raise UnauthenticatedError(f"The token's `alg` is none of {', '.join(self._issuer.algorithms)}.")
        if not _USER_TYPES.fullmatch(token.type):
            raise UnauthenticatedError("The token's `typ` is not that of an access or session token.")
        key = await self._issuer_keys.find(token.kid, token.algorithm)
        claims = verified_claims(token, key, token.algorithm)
        return _identity(ViewerKind.USER, accept(claims, self._expected, self._clock()))

    def _platform(self, token: Unverified) -> Identity:
        key = self._server_key
        if key is None:
            raise UnauthenticatedError("Platform tokens are not taken here: the server has no signing key.")
        if (token.kid, token.algorithm, token.type) != (key.kid, ALGORITHM, PLATFORM_TYPE):
            raise UnauthenticatedError("The token is not a platform token of this server.")
        accepted = accept(
            verified_claims(token, key.public, ALGORITHM), Expected(SERVER_ISSUER), self._clock()
        )
        if accepted.subject != PLATFORM_SUBJECT:
            raise UnauthenticatedError("The token is not a platform token of this server.")
        return _identity(ViewerKind.PLATFORM, accepted)


def _identity(kind: ViewerKind, accepted: Accepted) -> Identity:
    email = accepted.email if kind is ViewerKind.USER else None
    return Identity(kind, accepted.subject, accepted.expires_at, email)


class _Memo:
    """Identities lately verified, by the SHA-256 of their token; none outlives its token's `exp`."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, tuple[Identity, int]] = OrderedDict()

    def recall(self, digest: bytes, now: int) -> Identity | None:
        """The identity, if it was kept and is still good at `now` (ms)."""
        identity, until = self._entries.get(digest, (None, 0))
        if identity is None:
            return None
        if now >= until:
            del self._entries[digest]
            return None
        self._entries.move_to_end(digest)
        return identity

    def keep(self, digest: bytes, identity: Identity, now: int) -> None:
        """Remembers it from `now` (ms) on; the least recently used is forgotten for it."""
        until = min(now + limits.TOKEN_MEMO_S * 1000, identity.expires_at)
        self._entries[digest] = identity, until
        self._entries.move_to_end(digest)
        if len(self._entries) > limits.TOKEN_MEMO_MAX:
            self._entries.popitem(last=False)
