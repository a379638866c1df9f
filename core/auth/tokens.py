"""From a bearer token to an identity: the one place that accepts tokens.

There are two kinds of tokens, each with its own keys. A token with this server's `iss` must have the server's
signature and the platform's type. Any other token must be the identity provider's. A token's claims only select the
check that it must pass, so no claim of a user's token can make it a platform token.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from core import limits
from core.auth.issuer import SERVER_ISSUER, IssuerConfig
from core.auth.jwks import IssuerKeys
from core.auth.jwt import (
    ExpectedClaims,
    UnverifiedToken,
    VerifiedClaims,
    check_claims,
    check_issuer,
    parse_token,
    verify_signature,
)
from core.auth.signing import ALGORITHM, PLATFORM_SUBJECT, PLATFORM_TYPE, SigningKey
from core.auth.viewer import ViewerKind
from core.clock import now_ms
from core.errors import UnauthenticatedError
from core.lru_cache import LruCache

_USER_TYPES: Final = re.compile(r"(application/)?([\w-]*at\+)?jwt", re.ASCII | re.IGNORECASE)
"""`JWT` and RFC 9068's `at+jwt` (Okta: `okta-internal-at+jwt`); not `logout+jwt` and similar ones."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity that a token proves, and the data by which an invitation may find it.

    Attributes:
        kind: The kind of viewer.
        subject: The token's `sub`.
        expires_at: Its `exp`, in ms since the epoch.
        email: The user's e-mail address, if the identity provider has verified it.
        invitation: The invitation code that was sent with the token, not verified yet.
        token_id: A platform token's `jti`, by which it is revoked; None for a user's.
    """

    kind: ViewerKind
    subject: str
    expires_at: int
    email: str | None = None
    invitation: str | None = field(default=None, repr=False)
    token_id: str | None = None


class TokenVerifier:
    """Verifies bearer tokens; one for the life of the server, safe for use by many tasks."""

    def __init__(
        self, issuer: IssuerConfig, server_key: SigningKey | None, clock: Callable[[], int] = now_ms
    ) -> None:
        """Accepts platform tokens only if there is a server key; `clock` returns ms since the epoch."""
        self._issuer = issuer
        self._expected = ExpectedClaims(issuer.issuer, issuer.audiences, issuer.authorized_parties)
        self._issuer_keys = IssuerKeys(issuer.jwks_url, issuer.algorithms, issuer=issuer.issuer)
        self._server_key = server_key
        self._clock = clock
        self._cache = _IdentityCache()

    async def verify(self, token: str) -> Identity:
        """Verify a token and return its identity.

        Raises:
            UnauthenticatedError: The token is invalid; the message names the claim, never a value.
            UnavailableError: The identity provider's keys cannot be fetched, and the token's key is unknown.
        """
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        cached = self._cache.get(digest, self._clock())
        if cached is not None:
            return cached
        unverified = parse_token(token)
        from_server = unverified.claims.get("iss") == SERVER_ISSUER
        identity = (
            self._verify_platform_token(unverified)
            if from_server
            else await self._verify_user_token(unverified)
        )
        self._cache.put(digest, identity, self._clock())
        return identity

    @property
    def key_fetches(self) -> Mapping[str, int]:
        """How many fetches of the identity provider's keys had each outcome: `ok`, `failed`."""
        return self._issuer_keys.fetches

    def prefetch_keys(self) -> None:
        """Start to fetch the identity provider's keys, so that the first request need not wait for them."""
        self._issuer_keys.prefetch()

    async def close(self) -> None:
        """Cancel a running fetch of keys."""
        await self._issuer_keys.close()

    async def _verify_user_token(self, token: UnverifiedToken) -> Identity:
        check_issuer(token.claims, self._issuer.issuer)  # before the search for its key, which may be a fetch
        if token.algorithm not in self._issuer.algorithms:
            raise UnauthenticatedError(
                f"The token's `alg` must be one of {', '.join(self._issuer.algorithms)}."
            )
        if not _USER_TYPES.fullmatch(token.type):
            raise UnauthenticatedError("The token's `typ` must be that of an access token or session token.")
        key = await self._issuer_keys.find_key(token.kid, token.algorithm)
        claims = verify_signature(token, key, token.algorithm)
        return _build_identity(ViewerKind.USER, check_claims(claims, self._expected, self._clock()))

    def _verify_platform_token(self, token: UnverifiedToken) -> Identity:
        key = self._server_key
        if key is None:
            raise UnauthenticatedError("The server does not accept platform tokens: it has no signing key.")
        if (token.kid, token.algorithm, token.type) != (key.kid, ALGORITHM, PLATFORM_TYPE):
            raise UnauthenticatedError("The token must be a platform token of this server.")
        claims = verify_signature(token, key.public, ALGORITHM)
        accepted = check_claims(claims, ExpectedClaims(SERVER_ISSUER), self._clock())
        token_id = claims.get("jti")
        if accepted.subject != PLATFORM_SUBJECT or not isinstance(token_id, str) or not token_id:
            raise UnauthenticatedError("The token must be a platform token of this server.")
        return replace(_build_identity(ViewerKind.PLATFORM, accepted), token_id=token_id)


def _build_identity(kind: ViewerKind, accepted: VerifiedClaims) -> Identity:
    email = accepted.email if kind is ViewerKind.USER else None
    return Identity(kind, accepted.subject, accepted.expires_at, email)


class _IdentityCache:
    """A cache of verified identities, by the SHA-256 of their token. None outlives its token's `exp`."""

    def __init__(self) -> None:
        self._entries: LruCache[bytes, tuple[Identity, int]] = LruCache(limits.TOKENS_CACHED_MAX)

    def get(self, digest: bytes, now: int) -> Identity | None:
        """The identity, if it is cached and still valid at `now` (ms)."""
        found = self._entries.get(digest)
        if found is None:
            return None
        identity, until = found
        if now >= until:
            self._entries.pop(digest)
            return None
        return identity

    def put(self, digest: bytes, identity: Identity, now: int) -> None:
        """Cache the identity from `now` (ms) on, and evict the least recently used if the cache is full."""
        until = min(now + limits.TOKEN_CACHE_S * 1000, identity.expires_at)
        self._entries.put(digest, (identity, until))
