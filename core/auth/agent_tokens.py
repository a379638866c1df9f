"""Tokens of agents: the enrollment token that a user makes for a site, and the token that an agent gets by enrolling.

The server's own key signs both. Each kind has a `typ` of its own, so neither is accepted as the other, nor as a
platform token. A signature does not prove that the agent or site of a token still exists: the database does.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from core import limits
from core.auth.issuer import SERVER_ISSUER
from core.auth.jwt import ExpectedClaims, check_claims, parse_token, verify_signature
from core.auth.signing import ALGORITHM, SigningKey
from core.clock import now_ms
from core.errors import ForbiddenError, UnauthenticatedError

AGENT_TYPE: Final = "agent+jwt"
ENROLLMENT_TYPE: Final = "enrollment+jwt"
_EXPECTED_CLAIMS: Final = ExpectedClaims(SERVER_ISSUER)


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """The agent that a token identifies. `token_id` is its `jti`, `expires_at` is in ms since the epoch."""

    agent_id: str
    site_id: str
    tenant_id: str
    token_id: str
    expires_at: int

    @property
    def name(self) -> str:
        """The label under which its calls are counted."""
        return self.agent_id


@dataclass(frozen=True, slots=True)
class EnrollmentIdentity:
    """The site at which a token lets agents enroll.

    `token_id` is its `jti`, `expires_at` is in ms since the epoch.
    """

    site_id: str
    tenant_id: str
    token_id: str
    expires_at: int

    @property
    def name(self) -> str:
        """The label under which its calls are counted."""
        return self.token_id


class AgentTokens:
    """Issues and verifies agents' tokens; one for the life of the server."""

    def __init__(
        self,
        key: SigningKey | None,
        former_keys: Iterable[SigningKey] = (),
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Without a key, no token is issued and none is accepted.

        Args:
            key: Signs new tokens.
            former_keys: Earlier keys. Their tokens are still accepted.
            clock: Returns ms since the epoch.
        """
        self._key = key
        self._keys = {each.kid: each for each in (*former_keys, key)} if key else {}
        self._clock = clock
        self._cache: dict[bytes, AgentIdentity] = {}
        self._cache_expires_at = 0

    def issue_agent_token(
        self, agent_id: str, site_id: str, tenant_id: str, token_id: str | None = None
    ) -> str:
        """Issue the token of an agent. `token_id` is its `jti`, by default a new id.

        Raises:
            ForbiddenError: There is no key.
        """
        claims = {"sub": agent_id, "site": site_id, "tenant": tenant_id}
        return self._sign_token(claims, AGENT_TYPE, limits.AGENT_TOKEN_LIFETIME_S, token_id)

    def issue_enrollment_token(
        self, site_id: str, tenant_id: str, lifetime_s: int, token_id: str | None = None
    ) -> str:
        """Issue a token with which agents enroll at a site, valid for this many seconds.

        `token_id` as for `issue_agent_token`.

        Raises:
            ForbiddenError: There is no key.
        """
        return self._sign_token({"sub": site_id, "tenant": tenant_id}, ENROLLMENT_TYPE, lifetime_s, token_id)

    def verify_agent_token(self, token: str) -> AgentIdentity:
        """Verify an agent's token and return its agent.

        Raises:
            UnauthenticatedError: It is no agent's token, or has expired. The message never shows a part of it.
        """
        now = self._clock()
        digest = hashlib.sha256(token.encode("ascii", "replace")).digest()
        cached = self._cache.get(digest)
        if cached is None or now >= min(cached.expires_at, self._cache_expires_at):
            cached = self._verify_agent(token)
            self._cache_agent(digest, cached, now)
        return cached

    def verify_enrollment_token(self, token: str) -> EnrollmentIdentity:
        """Verify an enrollment token and return its site.

        Raises:
            UnauthenticatedError: As for `verify_agent_token`.
        """
        claims, expires_at = self._verify_claims(token, ENROLLMENT_TYPE)
        return EnrollmentIdentity(
            claims["sub"],
            _require_text_claim(claims, "tenant"),
            _require_text_claim(claims, "jti"),
            expires_at,
        )

    def _verify_agent(self, token: str) -> AgentIdentity:
        claims, expires_at = self._verify_claims(token, AGENT_TYPE)
        site, tenant = (
            sys.intern(_require_text_claim(claims, name)) for name in ("site", "tenant")
        )  # many agents share them
        return AgentIdentity(claims["sub"], site, tenant, _require_text_claim(claims, "jti"), expires_at)

    def _cache_agent(self, digest: bytes, agent: AgentIdentity, now: int) -> None:
        """Cache the agent if there is room, and evict none.

        Agents check in one after another. To evict the oldest would make each of them miss the cache.
        """
        if now >= self._cache_expires_at:
            self._cache.clear()
            self._cache_expires_at = now + limits.AGENT_TOKEN_CACHE_S * 1000
        if len(self._cache) < limits.AGENT_TOKENS_CACHED_MAX:
            self._cache[digest] = agent

    def _verify_claims(self, token: str, token_type: str) -> tuple[dict[str, Any], int]:
        unverified = parse_token(token)
        if not self._keys:
            raise UnauthenticatedError("The server does not accept agent tokens: it has no signing key.")
        key = self._keys.get(unverified.kid or "")
        if key is None or (unverified.algorithm, unverified.type) != (ALGORITHM, token_type):
            raise UnauthenticatedError(
                f"The token must be a token of this server with the type {token_type}."
            )
        claims = verify_signature(unverified, key.public, ALGORITHM)
        return claims, check_claims(claims, _EXPECTED_CLAIMS, self._clock()).expires_at

    def _sign_token(
        self, claims: dict[str, Any], token_type: str, lifetime_s: int, token_id: str | None
    ) -> str:
        if self._key is None:
            raise ForbiddenError("The server does not enroll agents: it has no signing key.")
        return self._key.sign({"iss": SERVER_ISSUER, **claims}, token_type, lifetime_s, token_id)


def _require_text_claim(claims: dict[str, Any], name: str) -> str:
    """A claim that the server wrote itself.

    The signature is valid, but an older server may have left the claim out.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise UnauthenticatedError(f"The token must contain `{name}`.")
    return value
