"""The issuer's keys: fetched over HTTP, cached, and refreshed by age and for unknown names, at a limited rate."""

import asyncio
import math
import ssl
import time
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

import httpx
import structlog
from jose.backends.base import Key

from core import limits
from core.auth.discovery import build_discovery_url, build_usual_jwks_url, parse_jwks_url
from core.auth.jwk import KeyName, parse_public_keys
from core.errors import ProductError, UnauthenticatedError, UnavailableError

_NOT_THERE: Final = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
_log: Final = structlog.get_logger(__name__)


class _NotThereError(ValueError):
    """The issuer has nothing at this address."""


class IssuerKeys:
    """The keys of one issuer; safe for concurrent use by many tasks.

    At most one fetch runs at a time, and a pause follows it. The number of callers with unknown keys does not
    change this. While the issuer cannot be reached, the known keys stay valid for a bounded time.

    Attributes:
        fetches: How many fetches had each outcome: `ok`, `failed`.
    """

    def __init__(
        self,
        url: str | None,
        algorithms: Collection[str],
        clock: Callable[[], float] = time.monotonic,
        issuer: str = "",
    ) -> None:
        """Fetches the keys from `url`; without one, from where the `issuer` says that they are."""
        self._url = url
        self._issuer = issuer
        self._discovered_url: str | None = None
        self._algorithms = frozenset(algorithms)
        self._clock = clock
        self._tls_context: ssl.SSLContext | None = None
        self._keys: dict[KeyName, Key] = {}
        self._fetched_at = -math.inf
        self._next_attempt_at = -math.inf
        self._is_failing = False
        self.fetches = {"ok": 0, "failed": 0}
        self._fetch_task: asyncio.Task[None] | None = None

    async def find_key(self, kid: str | None, algorithm: str) -> Key:
        """Find the key of that name for that algorithm.

        Args:
            kid: From the token's header; None means the only key for the algorithm.
            algorithm: The algorithm that the key must be for; a key is for exactly one.

        Raises:
            UnauthenticatedError: The issuer has no such key.
            UnavailableError: The keys cannot be fetched at the moment, and the key is none of the known ones.
        """
        if self._compute_age_s() > limits.JWKS_FRESH_S:
            await self._refresh_if_stale()
        key = self._find_cached_key(kid, algorithm)
        if key is None:
            await self._fetch_keys()
            key = self._find_cached_key(kid, algorithm)
        if key is None:
            raise self._build_error()
        return key

    def prefetch(self) -> None:
        """Start a fetch, so that the first request need not wait for it."""
        self._start_fetch()

    async def close(self) -> None:
        """Cancel a running fetch."""
        if self._fetch_task is not None:
            self._fetch_task.cancel()
            await asyncio.wait([self._fetch_task])

    def _compute_age_s(self) -> float:
        return self._clock() - self._fetched_at

    def _is_usable(self) -> bool:
        return self._compute_age_s() <= limits.JWKS_FRESH_S + limits.JWKS_STALE_S

    def _find_cached_key(self, kid: str | None, algorithm: str) -> Key | None:
        if not self._is_usable():
            return None
        if kid is not None:
            return self._keys.get((kid, algorithm))
        candidates = [key for (_, its_algorithm), key in self._keys.items() if its_algorithm == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    def _build_error(self) -> ProductError:
        """The error for an unknown key. While the issuer is away, nobody can know whether the key is one of its."""
        if self._is_failing or not self._is_usable():
            return UnavailableError(
                "The keys of the identity provider cannot be fetched at the moment. Try again later."
            )
        return UnauthenticatedError(
            "The token's key (`kid`, `alg`) must be one of the identity provider's keys."
        )

    async def _refresh_if_stale(self) -> None:
        """Wait for fresh keys. Does not wait if the last fetch failed and the known keys are still usable."""
        task = self._start_fetch()
        if task is not None and not (self._is_failing and self._is_usable()):
            await asyncio.shield(task)

    async def _fetch_keys(self) -> None:
        task = self._start_fetch()
        if task is not None:
            await asyncio.shield(task)

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """The running fetch; a new one if the pause is over; else None."""
        if self._fetch_task is not None and not self._fetch_task.done():
            return self._fetch_task
        if self._clock() < self._next_attempt_at:
            return None
        self._next_attempt_at = self._clock() + limits.JWKS_REFRESH_PAUSE_S
        self._fetch_task = asyncio.create_task(self._refresh(), name="jwks-refresh")
        return self._fetch_task

    async def _refresh(self) -> None:
        """Fetch and replace the keys. A failure is logged, and the old keys stay."""
        try:
            self._keys = parse_public_keys(await self._download(await self._find_url()), self._algorithms)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            self._is_failing = True
            self.fetches["failed"] += 1
            self._next_attempt_at = self._clock() + limits.JWKS_RETRY_PAUSE_S
            url = self._url or self._discovered_url or build_discovery_url(self._issuer)
            self._discovered_url = None  # the provider may have moved its keys
            _log.warning("jwks refresh failed", url=url, reason=f"{type(error).__name__}: {error}")
            return
        self.fetches["ok"] += 1
        self._is_failing, self._fetched_at = False, self._clock()
        if not self._keys:
            _log.warning("jwks without usable keys", url=self._url or self._discovered_url)

    async def _find_url(self) -> str:
        """The URL of the keys. An issuer that does not describe itself has them at the usual place."""
        if self._url is not None:
            return self._url
        if self._discovered_url is None:
            try:
                document = await self._download(build_discovery_url(self._issuer))
            except _NotThereError:
                self._discovered_url = build_usual_jwks_url(self._issuer)
            else:
                self._discovered_url = parse_jwks_url(document, self._issuer)
        return self._discovered_url

    async def _download(self, url: str) -> bytes:
        """The response body, uncompressed and bounded. Every status but 200 is refused, redirects included."""
        client_tls = self._find_tls_context(url)
        async with (
            asyncio.timeout(limits.JWKS_TIMEOUT_S),
            httpx.AsyncClient(
                verify=client_tls or False,
                trust_env=client_tls is not None,
                timeout=limits.JWKS_TIMEOUT_S,
            ) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code in _NOT_THERE:
                raise _NotThereError(f"the answer was {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the response status was {response.status_code}")
            return await _read_bounded_body(response)

    def _find_tls_context(self, url: str) -> ssl.SSLContext | None:
        """The TLS context, built once (tens of ms); None for http: to this machine, without any proxy."""
        if urlsplit(url).scheme != "https":
            return None
        if self._tls_context is None:
            self._tls_context = httpx.create_ssl_context()
        return self._tls_context


async def _read_bounded_body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limits.JWKS_MAX_BYTES:
            raise ValueError(f"the key set must have at most {limits.JWKS_MAX_BYTES} bytes")
    return bytes(body)
