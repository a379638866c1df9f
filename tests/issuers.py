"""Identity providers for tests: real keys, real tokens, a real HTTP server that hands out key sets."""

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from core.base64url import encoded

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
ISSUER = "https://issuer.example"


@functools.cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key a name, made once a run; `name` only tells keys apart."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@functools.cache
def ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """One EC key a name, made once a run."""
    assert name
    return ec.generate_private_key(curve())


def _integer(number: int, size: int | None = None) -> str:
    return encoded(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def public_jwk(private: Private, kid: str | None = None, **members: Any) -> dict[str, Any]:
    """The public half as a JSON Web Key, with further members as given."""
    named = {} if kid is None else {"kid": kid}
    if isinstance(private, rsa.RSAPrivateKey):
        of_rsa = private.public_key().public_numbers()
        return {"kty": "RSA", "n": _integer(of_rsa.n), "e": _integer(of_rsa.e)} | named | members
    of_ec = private.public_key().public_numbers()
    size = (private.curve.key_size + 7) // 8
    x, y = _integer(of_ec.x, size), _integer(of_ec.y, size)
    return {"kty": "EC", "crv": f"P-{private.curve.key_size}", "x": x, "y": y} | named | members


def signature_of(private: Private) -> Callable[[bytes], bytes]:
    """Signs as RS256 or ES256 have it, by the key's type."""
    if isinstance(private, rsa.RSAPrivateKey):
        return lambda message: private.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def compact(header: object, payload: object, sign: Callable[[bytes], bytes]) -> str:
    """A compact JWS of anything at all: bytes stand as they are, other values as JSON."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    message = ".".join(encoded(part) for part in parts)
    return f"{message}.{encoded(sign(message.encode()))}"


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims of a user, with some changed; a value of None takes the claim out."""
    now = int(time.time())
    good = {"iss": ISSUER, "sub": "user_1", "iat": now, "exp": now + 60} | changed
    return {name: value for name, value in good.items() if value is not None}


def user_token(private: Private, kid: str | None = "k1", header: object = None, **changed: Any) -> str:
    """A token of that key; `header` replaces the usual one, `changed` are claims as in `claims`."""
    algorithm = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256"
    usual = {"alg": algorithm, "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    return compact(usual if header is None else header, claims(**changed), signature_of(private))


class KeyServer:
    """An HTTP server on a free port of 127.0.0.1 that answers each request with what it is told."""

    def __init__(self) -> None:
        self.hits = 0
        self.requests: list[bytes] = []
        self.delay_s = 0.0
        self.drip_s = 0.0
        self.answer = b""
        self.url = ""
        self._server: asyncio.Server | None = None

    def publish(self, *keys: dict[str, Any]) -> None:
        """From now on these are the keys."""
        self.respond(json.dumps({"keys": keys}).encode())

    def respond(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """From now on this is the answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        self.answer = "\r\n".join([*lines, "", ""]).encode() + body

    async def start(self, port: int = 0) -> None:
        """Listens; on the same port again after `stop` if that is given."""
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/jwks.json"

    async def stop(self) -> None:
        """Refuses connections from now on."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            self.hits += 1
            await asyncio.sleep(self.delay_s)
            await self._send(writer)
        writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        """The answer at once, or so slowly that each byte comes `drip_s` seconds after the other."""
        pieces = [bytes([octet]) for octet in self.answer] if self.drip_s else [self.answer]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self.drip_s)


@contextlib.asynccontextmanager
async def key_server(*keys: dict[str, Any]) -> AsyncIterator[KeyServer]:
    """A running server with these keys."""
    server = KeyServer()
    server.publish(*keys)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
