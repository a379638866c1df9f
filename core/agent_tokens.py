"""Tokens of agents: one to enrol with, made by a user for a site, and the one that an agent is given then.

Signed with the server's own key, each kind under a `typ` of its own, so that none is taken for another, nor for the
platform's. What a token names may have gone meanwhile: that is for the database to say, not for the signature.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from core import limits
from core.clock import now_ms
from core.errors import ForbiddenError, UnauthenticatedError
from core.issuer import SERVER_ISSUER
from core.jwt import Expected, accept, parse, verified_claims
from core.signing import ALGORITHM, SigningKey

AGENT_TYPE: Final = "agent+jwt"
ENROLLMENT_TYPE: Final = "enrollment+jwt"
_EXPECTED: Final = Expected(SERVER_ISSUER)


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """Which agent a token speaks for; `expires_at` in ms since the epoch."""

    agent_id: str
    site_id: str
    tenant_id: str
    expires_at: int

    @property
    def name(self) -> str:
        """What its calls are counted under."""
        return self.agent_id


@dataclass(frozen=True, slots=True)
class Enrollment:
    """To which site a token lets agents enrol; `token_id` tells it from others, `expires_at` is in ms."""

    site_id: str
    tenant_id: str
    token_id: str
    expires_at: int

    @property
    def name(self) -> str:
        """What its calls are counted under."""
        return self.token_id


class AgentTokens:
    """Issues and verifies them; one for the life of the server."""

    def __init__(
        self,
        key: SigningKey | None,
        former: Iterable[SigningKey] = (),
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Without a key nothing is issued, and nobody is believed.

        Args:
            key: Signs.
            former: Have signed before it, and are still believed.
            clock: Gives ms since the epoch.
        """
        self._key = key
        self._keys = {each.kid: each for each in (*former, key)} if key else {}
        self._clock = clock
        self._known: dict[bytes, AgentIdentity] = {}
        self._known_until = 0

    def issue(self, agent_id: str, site_id: str, tenant_id: str) -> str:
        """The token of an agent.

        Raises:
            ForbiddenError: there is no key.
        """
        claims = {"sub": agent_id, "site": site_id, "tenant": tenant_id}
        return self._signed(claims, AGENT_TYPE, limits.AGENT_TOKEN_LIFETIME_S)

    def issue_enrollment(self, site_id: str, tenant_id: str, lifetime_s: int) -> str:
        """A token with which agents enrol at a site, for so many seconds.

        Raises:
            ForbiddenError: there is no key.
        """
        return self._signed({"sub": site_id, "tenant": tenant_id}, ENROLLMENT_TYPE, lifetime_s)

    def agent(self, token: str) -> AgentIdentity:
        """The agent whose token it is.

        Raises:
            UnauthenticatedError: it is none, or has expired; the message never shows a part of it.
        """
        now = self._clock()
        digest = hashlib.sha256(token.encode("ascii", "replace")).digest()
        known = self._known.get(digest)
        if known is None or now >= min(known.expires_at, self._known_until):
            known = self._verified_agent(token)
            self._remember(digest, known, now)
        return known

    def enrollment(self, token: str) -> Enrollment:
        """The site that it lets agents enrol at.

        Raises:
            UnauthenticatedError: as `agent`.
        """
        claims, expires_at = self._claims(token, ENROLLMENT_TYPE)
        return Enrollment(claims["sub"], _text(claims, "tenant"), _text(claims, "jti"), expires_at)

    def _verified_agent(self, token: str) -> AgentIdentity:
        claims, expires_at = self._claims(token, AGENT_TYPE)
        site, tenant = (
            sys.intern(_text(claims, name)) for name in ("site", "tenant")
        )  # many agents share them
        return AgentIdentity(claims["sub"], site, tenant, expires_at)

    def _remember(self, digest: bytes, agent: AgentIdentity, now: int) -> None:
        """Keep it while there is room: to forget the oldest for it would be to know nobody who beats in turn."""
        if now >= self._known_until:
            self._known.clear()
            self._known_until = now + limits.AGENT_TOKEN_MEMO_S * 1000
        if len(self._known) < limits.AGENT_TOKEN_MEMO_MAX:
            self._known[digest] = agent

    def _claims(self, token: str, token_type: str) -> tuple[dict[str, Any], int]:
        unverified = parse(token)
        if not self._keys:
            raise UnauthenticatedError("Agents' tokens are not taken here: the server has no signing key.")
        key = self._keys.get(unverified.kid or "")
        if key is None or (unverified.algorithm, unverified.type) != (ALGORITHM, token_type):
            raise UnauthenticatedError(f"The token is not one of this server's of the type {token_type}.")
        claims = verified_claims(unverified, key.public, ALGORITHM)
        return claims, accept(claims, _EXPECTED, self._clock()).expires_at

    def _signed(self, claims: dict[str, Any], token_type: str, lifetime_s: int) -> str:
        if self._key is None:
            raise ForbiddenError("Agents cannot enrol here: the server has no signing key.")
        return self._key.sign({"iss": SERVER_ISSUER, **claims}, token_type, lifetime_s)


def _text(claims: dict[str, Any], name: str) -> str:
    """A claim of our own making: one that the signature vouches for, and that an older server may not have known."""
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise UnauthenticatedError(f"The token lacks `{name}`.")
    return value
