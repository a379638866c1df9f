"""The issuer's keys: fetched over HTTP, cached, renewed by age and by unknown names, never in a storm."""

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
from core.errors import UnauthenticatedError
from core.jwk import KeyName, public_keys

_log: Final = structlog.get_logger(__name__)


class IssuerKeys:
    """The keys of one issuer; safe to ask from many tasks at once.

    At most one fetch is under way, and after one there is a pause, however many callers ask for keys
    that are not there. While the issuer cannot be reached the known keys serve on for a bounded time.
    """

    def __init__(
        self, url: str, algorithms: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._algorithms = frozenset(algorithms)
        self._clock = clock
        self._client_tls = _client_tls(url)
        self._keys: dict[KeyName, Key] = {}
        self._fetched_at = -math.inf
        self._next_try = -math.inf
        self._failing = False
        self._fetch: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> Key:
        """The key of that name for that algorithm.

        Args:
            kid: from the token's header; None means the only key there is for the algorithm.
            algorithm: what the key must be for; a key is for exactly one.

        Raises:
            UnauthenticatedError: if the issuer has no such key, or its keys cannot be had.
        """
        if self._age() > limits.JWKS_FRESH_S:
            await self._renewed()
        key = self._known(kid, algorithm)
        if key is None:
            await self._fetched()
            key = self._known(kid, algorithm)
        if key is None:
            raise self._refusal()
        return key

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait([self._fetch])

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _usable(self) -> bool:
        return self._age() <= limits.JWKS_FRESH_S + limits.JWKS_STALE_S

    def _known(self, kid: str | None, algorithm: str) -> Key | None:
        if not self._usable():
            return None
        if kid is not None:
            return self._keys.get((kid, algorithm))
        alike = [key for (_, its_algorithm), key in self._keys.items() if its_algorithm == algorithm]
        return alike[0] if len(alike) == 1 else None

    def _refusal(self) -> UnauthenticatedError:
        if not self._usable():
            return UnauthenticatedError("The identity provider's keys cannot be fetched at the moment.")
        return UnauthenticatedError("The token's key (`kid`, `alg`) is none of the identity provider's.")

    async def _renewed(self) -> None:
        """Waits for fresh keys, but not once the issuer has failed and the known keys still serve."""
        task = self._started()
        if task is not None and not (self._failing and self._usable()):
            await asyncio.shield(task)

    async def _fetched(self) -> None:
        task = self._started()
        if task is not None:
            await asyncio.shield(task)

    def _started(self) -> asyncio.Task[None] | None:
        """The fetch under way, a new one if the pause is over, else None."""
        if self._fetch is not None and not self._fetch.done():
            return self._fetch
        if self._clock() < self._next_try:
            return None
        self._next_try = self._clock() + limits.JWKS_REFRESH_PAUSE_S
        self._fetch = asyncio.create_task(self._refresh(), name="jwks-refresh")
        return self._fetch

    async def _refresh(self) -> None:
        """Replaces the keys; a failure is logged and leaves the old ones."""
        try:
            self._keys = public_keys(await self._download(), self._algorithms)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            self._failing = True
            self._next_try = self._clock() + limits.JWKS_RETRY_PAUSE_S
            _log.warning("jwks_refresh_failed", url=self._url, reason=f"{type(error).__name__}: {error}")
            return
        self._failing, self._fetched_at = False, self._clock()
        if not self._keys:
            _log.warning("jwks_without_usable_keys", url=self._url)

    async def _download(self) -> bytes:
        """The body, uncompressed and bounded; a redirect is refused like any other status but 200."""
        async with (
            asyncio.timeout(limits.JWKS_TIMEOUT_S),
            httpx.AsyncClient(
                verify=self._client_tls or False,
                trust_env=self._client_tls is not None,
                timeout=limits.JWKS_TIMEOUT_S,
            ) as client,
            client.stream("GET", self._url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the answer was {response.status_code}")
            return await _bounded(response)


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limits.JWKS_MAX_BYTES:
            raise ValueError(f"the key set has more than {limits.JWKS_MAX_BYTES} bytes")
    return bytes(body)


def _client_tls(url: str) -> ssl.SSLContext | None:
    """The TLS context, built once (tens of ms); None for http: to this machine, past any proxy."""
    return httpx.create_ssl_context() if urlsplit(url).scheme == "https" else None
