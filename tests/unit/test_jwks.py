"""Fetching an issuer's keys from a real HTTP server: age, rotation, storms, failures."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core import limits
from core.auth.discovery import parse_jwks_url
from core.auth.jwk import ALGORITHMS
from core.auth.jwks import IssuerKeys
from core.errors import ProductError, UnauthenticatedError, UnavailableError
from tests.issuers import (
    KeyServer,
    build_public_jwk,
    make_ec_key,
    make_rsa_key,
    make_signer,
    start_key_server,
)
from tests.manual_clock import ManualClock
from tests.waiting import HANG_S

OLD, NEW = build_public_jwk(make_ec_key("old"), "old"), build_public_jwk(make_ec_key("new"), "new")


@pytest.fixture
async def jwks_server() -> AsyncIterator[KeyServer]:
    async with start_key_server(OLD) as running:
        yield running


@pytest.fixture
def clock() -> ManualClock[float]:
    return ManualClock(1_000.0)


@pytest.fixture
async def issuer_keys(jwks_server: KeyServer, clock: ManualClock[float]) -> AsyncIterator[IssuerKeys]:
    issuer_keys = IssuerKeys(jwks_server.url, ALGORITHMS, clock)
    yield issuer_keys
    await issuer_keys.close()


async def find_refused(keys: IssuerKeys, kid: str | None = "old", algorithm: str = "ES256") -> str:
    """The message of the error: 503 if the keys cannot be fetched, else 401."""
    with pytest.raises(ProductError) as caught:
        await keys.find_key(kid, algorithm)
    is_away = "cannot be fetched" in caught.value.message
    assert type(caught.value) is (UnavailableError if is_away else UnauthenticatedError)
    assert caught.value.status == (503 if is_away else 401)
    return caught.value.message


async def test_issuer_keys_repeated_find_fetches_and_builds_once(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    first = await issuer_keys.find_key("old", "ES256")
    assert first.verify(b"m", make_signer(make_ec_key("old"))(b"m"))
    assert await issuer_keys.find_key("old", "ES256") is first
    assert jwks_server.request_count == 1


async def test_issuer_keys_key_for_another_algorithm_is_refused(issuer_keys: IssuerKeys) -> None:
    assert "must be one of the identity provider's" in await find_refused(issuer_keys, "old", "RS256")


async def test_issuer_keys_concurrent_finds_cause_one_fetch(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    jwks_server.delay_s = 0.05
    found = await asyncio.gather(*(issuer_keys.find_key("old", "ES256") for _ in range(100)))
    assert len(set(map(id, found))) == 1
    assert jwks_server.request_count == 1


async def test_issuer_keys_unknown_names_cause_one_fetch_per_pause(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    await asyncio.gather(*(find_refused(issuer_keys, f"x{number}") for number in range(200)))
    assert jwks_server.request_count == 1
    clock.now += limits.JWKS_REFRESH_PAUSE_S
    await asyncio.gather(*(find_refused(issuer_keys, f"y{number}") for number in range(200)))
    await find_refused(issuer_keys, "z")
    assert jwks_server.request_count == 2


async def test_issuer_keys_rotated_key_is_found_after_the_pause(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    jwks_server.publish_keys(OLD, NEW)
    await find_refused(issuer_keys, "new")
    clock.now += limits.JWKS_REFRESH_PAUSE_S
    assert await issuer_keys.find_key("new", "ES256")
    assert await issuer_keys.find_key("old", "ES256")


async def test_issuer_keys_withdrawn_key_expires(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    jwks_server.publish_keys(NEW)
    clock.now += limits.JWKS_FRESH_S
    assert await issuer_keys.find_key("old", "ES256")
    clock.now += 1
    await find_refused(issuer_keys, "old")
    assert jwks_server.request_count == 2


async def test_issuer_keys_empty_key_set_withdraws_all_keys(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    jwks_server.publish_keys()
    clock.now += limits.JWKS_FRESH_S + 1
    await find_refused(issuer_keys, "old")


async def test_issuer_keys_while_issuer_is_down_serve_cached_keys_for_a_time(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    await jwks_server.stop()
    clock.now += limits.JWKS_FRESH_S + 1
    assert await issuer_keys.find_key("old", "ES256")
    clock.now += limits.JWKS_STALE_S - 2
    assert await issuer_keys.find_key("old", "ES256")
    clock.now += 2
    assert "cannot be fetched" in await find_refused(issuer_keys, "old")
    await jwks_server.start()


async def test_issuer_keys_of_failing_issuer_block_no_caller_and_are_retried(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    jwks_server.set_response(b"", "503 Service Unavailable")
    clock.now += limits.JWKS_FRESH_S + 1
    assert await issuer_keys.find_key("old", "ES256")
    assert jwks_server.request_count == 2
    jwks_server.publish_keys(NEW)
    jwks_server.may_respond.clear()
    assert await asyncio.wait_for(issuer_keys.find_key("old", "ES256"), HANG_S)
    clock.now += limits.JWKS_RETRY_PAUSE_S
    assert await asyncio.wait_for(issuer_keys.find_key("old", "ES256"), HANG_S)
    jwks_server.may_respond.set()
    assert await issuer_keys.find_key("new", "ES256")
    await find_refused(issuer_keys, "old")
    assert jwks_server.request_count == 3


async def test_issuer_keys_of_issuer_down_at_first_are_retried_after_pause(
    jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await jwks_server.stop()
    keys = IssuerKeys(jwks_server.url, ALGORITHMS, clock)
    assert "cannot be fetched" in await find_refused(keys)
    await jwks_server.start(int(jwks_server.url.split(":")[2].split("/")[0]))
    assert "cannot be fetched" in await find_refused(keys)
    assert jwks_server.request_count == 0
    clock.now += limits.JWKS_RETRY_PAUSE_S
    assert await keys.find_key("old", "ES256")


async def test_issuer_keys_cancelled_caller_does_not_cancel_the_fetch(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    jwks_server.delay_s = 0.1
    hasty = asyncio.create_task(issuer_keys.find_key("old", "ES256"))
    patient = asyncio.create_task(issuer_keys.find_key("old", "ES256"))
    await asyncio.sleep(0.03)
    hasty.cancel()
    assert await patient
    assert jwks_server.request_count == 1


async def test_issuer_keys_without_name_give_the_only_key_of_the_algorithm(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    assert await issuer_keys.find_key(None, "ES256")
    jwks_server.publish_keys(OLD, NEW, build_public_jwk(make_rsa_key("a")))
    clock.now += limits.JWKS_FRESH_S + 1
    await find_refused(issuer_keys, None, "ES256")
    assert await issuer_keys.find_key(None, "RS256")


async def test_issuer_keys_redirect_is_not_followed(issuer_keys: IssuerKeys, jwks_server: KeyServer) -> None:
    async with start_key_server(OLD) as elsewhere:
        jwks_server.set_response(
            json.dumps({"keys": [OLD]}).encode(), "302 Found", f"Location: {elsewhere.url}"
        )
        assert "cannot be fetched" in await find_refused(issuer_keys)
        assert (jwks_server.request_count, elsewhere.request_count) == (1, 0)


async def test_issuer_keys_in_error_response_are_ignored(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    jwks_server.set_response(json.dumps({"keys": [OLD]}).encode(), "500 Internal Server Error")
    assert "cannot be fetched" in await find_refused(issuer_keys)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"keys": 1}', b"<html>login</html>", b"\xff\xfe", b"[" * 100_000]
)
async def test_issuer_keys_malformed_key_set_is_a_failure(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, body: bytes
) -> None:
    jwks_server.set_response(body)
    assert "cannot be fetched" in await find_refused(issuer_keys)


async def test_issuer_keys_too_large_key_set_is_a_failure(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    jwks_server.set_response(json.dumps({"keys": [OLD], "more": "x" * limits.JWKS_MAX_BYTES}).encode())
    assert "cannot be fetched" in await find_refused(issuer_keys)


async def test_issuer_keys_compressed_response_is_a_failure(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    jwks_server.set_response(
        gzip.compress(json.dumps({"keys": [OLD]}).encode()), "200 OK", "Content-Encoding: gzip"
    )
    assert "cannot be fetched" in await find_refused(issuer_keys)
    assert b"accept-encoding: identity" in jwks_server.requests[0].lower()


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_issuer_keys_broken_response_is_a_failure(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, answer: bytes
) -> None:
    jwks_server.response = answer
    assert "cannot be fetched" in await find_refused(issuer_keys)


async def test_issuer_keys_without_response_time_out(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JWKS_TIMEOUT_S", 0.1)
    jwks_server.may_respond.clear()
    assert "cannot be fetched" in await asyncio.wait_for(find_refused(issuer_keys), HANG_S)


async def test_issuer_keys_endless_response_times_out(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JWKS_TIMEOUT_S", 0.1)
    jwks_server.drip_s = 0.02
    assert "cannot be fetched" in await asyncio.wait_for(find_refused(issuer_keys), HANG_S)


async def test_issuer_keys_close_cancels_a_running_fetch(jwks_server: KeyServer) -> None:
    jwks_server.may_respond.clear()
    keys = IssuerKeys(jwks_server.url, ALGORITHMS)
    waiting = asyncio.create_task(keys.find_key("old", "ES256"))
    await asyncio.sleep(0.02)
    await asyncio.wait_for(keys.close(), HANG_S)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@given(st.binary(max_size=300))
@hypothesis_settings(deadline=None)  # each opens a server
async def test_issuer_keys_any_response_bytes_are_refused(answer: bytes) -> None:
    async with start_key_server() as server:
        server.response = b"HTTP/1.1 200 OK\r\n\r\n" + answer
        keys = IssuerKeys(server.url, ALGORITHMS)
        with pytest.raises(UnavailableError):
            await keys.find_key("old", "ES256")


async def test_issuer_keys_unknown_key_of_issuer_that_is_away_is_no_refusal(
    issuer_keys: IssuerKeys, jwks_server: KeyServer, clock: ManualClock[float]
) -> None:
    await issuer_keys.find_key("old", "ES256")
    await jwks_server.stop()
    clock.now += limits.JWKS_REFRESH_PAUSE_S
    assert "cannot be fetched" in await find_refused(issuer_keys, "new")
    assert await issuer_keys.find_key("old", "ES256")
    await jwks_server.start()


async def test_issuer_keys_prefetch_leaves_nothing_to_fetch(
    issuer_keys: IssuerKeys, jwks_server: KeyServer
) -> None:
    issuer_keys.prefetch()
    assert issuer_keys._fetch_task is not None
    await issuer_keys._fetch_task
    await jwks_server.stop()
    assert await issuer_keys.find_key("old", "ES256")
    assert jwks_server.request_count == 1
    await jwks_server.start()


class Provider:
    """An identity provider with a description of itself, and keys at an address of its own choice."""

    def __init__(self, server: KeyServer) -> None:
        self.server = server
        self.issuer = server.url.rpartition("/")[0]
        self.described = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/oauth/keys"}
        self.paths: dict[str, bytes] = {"/oauth/keys": json.dumps({"keys": [OLD]}).encode()}
        server.answer = self._answer

    def _answer(self, path: str) -> bytes | None:
        if path == "/.well-known/openid-configuration" and self.described:
            return json.dumps(self.described).encode()
        return self.paths.get(path)


@pytest.fixture
async def provider(jwks_server: KeyServer) -> Provider:
    return Provider(jwks_server)


async def test_discovery_finds_the_keys_where_the_issuer_says(
    provider: Provider, clock: ManualClock[float]
) -> None:
    keys = IssuerKeys(None, ALGORITHMS, clock, provider.issuer)
    assert await keys.find_key("old", "ES256")
    clock.now += limits.JWKS_FRESH_S + 1
    assert await keys.find_key("old", "ES256")
    assert [request.split()[1] for request in provider.server.requests] == [
        b"/.well-known/openid-configuration",
        b"/oauth/keys",
        b"/oauth/keys",
    ]


async def test_discovery_without_description_takes_the_usual_address(provider: Provider) -> None:
    provider.described.clear()
    provider.paths = {"/.well-known/jwks.json": provider.paths["/oauth/keys"]}
    assert await IssuerKeys(None, ALGORITHMS, issuer=provider.issuer).find_key("old", "ES256")


async def test_discovery_follows_keys_that_moved(provider: Provider, clock: ManualClock[float]) -> None:
    keys = IssuerKeys(None, ALGORITHMS, clock, provider.issuer)
    assert await keys.find_key("old", "ES256")
    provider.described["jwks_uri"] = f"{provider.issuer}/moved"
    provider.paths = {"/moved": json.dumps({"keys": [NEW]}).encode()}
    clock.now += limits.JWKS_FRESH_S + 1
    assert await keys.find_key("old", "ES256")
    clock.now += limits.JWKS_RETRY_PAUSE_S
    assert await keys.find_key("new", "ES256")


async def test_discovery_of_issuer_with_a_final_slash_is_found(provider: Provider) -> None:
    provider.described["issuer"] = f"{provider.issuer}/"
    assert await IssuerKeys(None, ALGORITHMS, issuer=f"{provider.issuer}/").find_key("old", "ES256")


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://other.example"},
        {"jwks_uri": "http://keys.example/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
        {"jwks_uri": None},
    ],
)
async def test_discovery_with_invalid_description_is_a_failure(
    provider: Provider, described: dict[str, object]
) -> None:
    provider.described |= described  # type: ignore[arg-type]
    keys = IssuerKeys(None, ALGORITHMS, issuer=provider.issuer)
    assert "cannot be fetched" in await find_refused(keys)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "302 Found", "403 Forbidden"])
async def test_discovery_that_fails_does_not_take_the_usual_address(
    jwks_server: KeyServer, status: str
) -> None:
    jwks_server.set_response(b"", status)
    keys = IssuerKeys(None, ALGORITHMS, issuer=jwks_server.url.rpartition("/")[0])
    assert "cannot be fetched" in await find_refused(keys)
    assert jwks_server.request_count == 1


def test_discovery_of_secure_issuer_with_keys_on_this_machine_is_refused() -> None:
    described = {"issuer": "https://a.example", "jwks_uri": "http://127.0.0.1/keys"}
    with pytest.raises(ValueError, match="no https address"):
        parse_jwks_url(json.dumps(described).encode(), "https://a.example")
