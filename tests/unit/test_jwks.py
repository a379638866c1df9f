"""Fetching an issuer's keys from a real HTTP server: age, rotation, storms, failures."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import limits
from core.errors import UnauthenticatedError
from core.jwk import ALGORITHMS
from core.jwks import IssuerKeys
from tests.issuers import KeyServer, ec_key, key_server, public_jwk, rsa_key, signature_of

OLD, NEW = public_jwk(ec_key("old"), "old"), public_jwk(ec_key("new"), "new")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with key_server(OLD) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(server: KeyServer, clock: Clock) -> AsyncIterator[IssuerKeys]:
    issuer_keys = IssuerKeys(server.url, ALGORITHMS, clock)
    yield issuer_keys
    await issuer_keys.close()


async def refused(keys: IssuerKeys, kid: str | None = "old", algorithm: str = "ES256") -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        await keys.find(kid, algorithm)
    return caught.value.message


async def test_a_key_is_fetched_once_and_built_once(keys: IssuerKeys, server: KeyServer) -> None:
    first = await keys.find("old", "ES256")
    assert first.verify(b"m", signature_of(ec_key("old"))(b"m"))
    assert await keys.find("old", "ES256") is first
    assert server.hits == 1


async def test_a_key_is_for_its_own_algorithm_alone(keys: IssuerKeys) -> None:
    assert "none of the identity provider's" in await refused(keys, "old", "RS256")


async def test_callers_at_once_cause_one_fetch(keys: IssuerKeys, server: KeyServer) -> None:
    server.delay_s = 0.05
    found = await asyncio.gather(*(keys.find("old", "ES256") for _ in range(100)))
    assert len(set(map(id, found))) == 1
    assert server.hits == 1


async def test_a_storm_of_unknown_names_causes_one_fetch_a_pause(
    keys: IssuerKeys, server: KeyServer, clock: Clock
) -> None:
    await keys.find("old", "ES256")
    await asyncio.gather(*(refused(keys, f"x{number}") for number in range(200)))
    assert server.hits == 1
    clock.now += limits.JWKS_REFRESH_PAUSE_S
    await asyncio.gather(*(refused(keys, f"y{number}") for number in range(200)))
    await refused(keys, "z")
    assert server.hits == 2


async def test_a_rotated_key_is_found_after_the_pause(
    keys: IssuerKeys, server: KeyServer, clock: Clock
) -> None:
    await keys.find("old", "ES256")
    server.publish(OLD, NEW)
    await refused(keys, "new")
    clock.now += limits.JWKS_REFRESH_PAUSE_S
    assert await keys.find("new", "ES256")
    assert await keys.find("old", "ES256")


async def test_a_withdrawn_key_ages_out(keys: IssuerKeys, server: KeyServer, clock: Clock) -> None:
    await keys.find("old", "ES256")
    server.publish(NEW)
    clock.now += limits.JWKS_FRESH_S
    assert await keys.find("old", "ES256")
    clock.now += 1
    await refused(keys, "old")
    assert server.hits == 2


async def test_an_issuer_that_withdraws_everything_is_believed(
    keys: IssuerKeys, server: KeyServer, clock: Clock
) -> None:
    await keys.find("old", "ES256")
    server.publish()
    clock.now += limits.JWKS_FRESH_S + 1
    await refused(keys, "old")


async def test_while_the_issuer_is_down_known_keys_serve_for_a_bounded_time(
    keys: IssuerKeys, server: KeyServer, clock: Clock
) -> None:
    await keys.find("old", "ES256")
    await server.stop()
    clock.now += limits.JWKS_FRESH_S + 1
    assert await keys.find("old", "ES256")
    clock.now += limits.JWKS_STALE_S - 2
    assert await keys.find("old", "ES256")
    clock.now += 2
    assert "cannot be fetched" in await refused(keys, "old")
    await server.start()


async def test_a_failing_issuer_holds_no_caller_up_and_is_tried_again(
    keys: IssuerKeys, server: KeyServer, clock: Clock
) -> None:
    await keys.find("old", "ES256")
    server.respond(b"", "503 Service Unavailable")
    clock.now += limits.JWKS_FRESH_S + 1
    assert await keys.find("old", "ES256")
    assert server.hits == 2
    server.publish(NEW)
    server.delay_s = 0.2
    assert await asyncio.wait_for(keys.find("old", "ES256"), 0.1)
    clock.now += limits.JWKS_RETRY_PAUSE_S
    assert await asyncio.wait_for(keys.find("old", "ES256"), 0.1)
    assert await keys.find("new", "ES256")
    await refused(keys, "old")
    assert server.hits == 3


async def test_a_server_that_was_down_at_first_is_tried_again_soon(server: KeyServer, clock: Clock) -> None:
    await server.stop()
    keys = IssuerKeys(server.url, ALGORITHMS, clock)
    assert "cannot be fetched" in await refused(keys)
    await server.start(int(server.url.split(":")[2].split("/")[0]))
    assert "cannot be fetched" in await refused(keys)
    assert server.hits == 0
    clock.now += limits.JWKS_RETRY_PAUSE_S
    assert await keys.find("old", "ES256")


async def test_a_caller_that_gives_up_does_not_end_the_fetch_for_the_others(
    keys: IssuerKeys, server: KeyServer
) -> None:
    server.delay_s = 0.1
    hasty = asyncio.create_task(keys.find("old", "ES256"))
    patient = asyncio.create_task(keys.find("old", "ES256"))
    await asyncio.sleep(0.03)
    hasty.cancel()
    assert await patient
    assert server.hits == 1


async def test_without_a_name_the_only_key_of_the_algorithm_is_meant(
    keys: IssuerKeys, server: KeyServer, clock: Clock
) -> None:
    assert await keys.find(None, "ES256")
    server.publish(OLD, NEW, public_jwk(rsa_key("a")))
    clock.now += limits.JWKS_FRESH_S + 1
    await refused(keys, None, "ES256")
    assert await keys.find(None, "RS256")


async def test_a_redirect_is_not_followed(keys: IssuerKeys, server: KeyServer) -> None:
    async with key_server(OLD) as elsewhere:
        server.respond(json.dumps({"keys": [OLD]}).encode(), "302 Found", f"Location: {elsewhere.url}")
        assert "cannot be fetched" in await refused(keys)
        assert (server.hits, elsewhere.hits) == (1, 0)


async def test_keys_in_an_error_are_not_taken(keys: IssuerKeys, server: KeyServer) -> None:
    server.respond(json.dumps({"keys": [OLD]}).encode(), "500 Internal Server Error")
    assert "cannot be fetched" in await refused(keys)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"keys": 1}', b"<html>login</html>", b"\xff\xfe", b"[" * 100_000]
)
async def test_a_malformed_key_set_is_a_failure(keys: IssuerKeys, server: KeyServer, body: bytes) -> None:
    server.respond(body)
    assert "cannot be fetched" in await refused(keys)


async def test_a_key_set_that_is_too_large_is_a_failure(keys: IssuerKeys, server: KeyServer) -> None:
    server.respond(json.dumps({"keys": [OLD], "more": "x" * limits.JWKS_MAX_BYTES}).encode())
    assert "cannot be fetched" in await refused(keys)


async def test_nothing_is_decompressed(keys: IssuerKeys, server: KeyServer) -> None:
    server.respond(gzip.compress(json.dumps({"keys": [OLD]}).encode()), "200 OK", "Content-Encoding: gzip")
    assert "cannot be fetched" in await refused(keys)
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_an_answer_that_breaks_off_is_a_failure(
    keys: IssuerKeys, server: KeyServer, answer: bytes
) -> None:
    server.answer = answer
    assert "cannot be fetched" in await refused(keys)


async def test_a_server_that_never_answers_is_given_up(
    keys: IssuerKeys, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JWKS_TIMEOUT_S", 0.1)
    server.delay_s = 1
    assert "cannot be fetched" in await asyncio.wait_for(refused(keys), 0.8)


async def test_a_server_that_never_ends_is_given_up(
    keys: IssuerKeys, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JWKS_TIMEOUT_S", 0.1)
    server.drip_s = 0.02
    assert "cannot be fetched" in await asyncio.wait_for(refused(keys), 0.8)


async def test_closing_ends_a_fetch_under_way(server: KeyServer) -> None:
    server.delay_s = 1
    keys = IssuerKeys(server.url, ALGORITHMS)
    waiting = asyncio.create_task(keys.find("old", "ES256"))
    await asyncio.sleep(0.02)
    await asyncio.wait_for(keys.close(), 0.5)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@given(st.binary(max_size=300))
async def test_no_answer_makes_anything_but_a_refusal(answer: bytes) -> None:
    async with key_server() as server:
        server.answer = b"HTTP/1.1 200 OK\r\n\r\n" + answer
        keys = IssuerKeys(server.url, ALGORITHMS)
        with pytest.raises(UnauthenticatedError):
            await keys.find("old", "ES256")
