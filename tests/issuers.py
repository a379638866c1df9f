"""Identity providers for tests: real keys, real tokens, and a real HTTP server that serves key sets."""

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

from core.base64url import encode_base64url

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
ISSUER = "https://issuer.example"


@functools.cache
def make_rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key for each name, made once a run. The name only distinguishes keys."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@functools.cache
def make_ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """One EC key for each name, made once a run."""
    assert name
    return ec.generate_private_key(curve())


def _encode_integer(number: int, size: int | None = None) -> str:
    return encode_base64url(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def build_public_jwk(private: PrivateKey, kid: str | None = None, **members: Any) -> dict[str, Any]:
    """The public half as a JSON Web Key, with further members as given."""
    named = {} if kid is None else {"kid": kid}
    if isinstance(private, rsa.RSAPrivateKey):
        of_rsa = private.public_key().public_numbers()
        return (
            {"kty": "RSA", "n": _encode_integer(of_rsa.n), "e": _encode_integer(of_rsa.e)} | named | members
        )
    of_ec = private.public_key().public_numbers()
    size = (private.curve.key_size + 7) // 8
    x, y = _encode_integer(of_ec.x, size), _encode_integer(of_ec.y, size)
    return {"kty": "EC", "crv": f"P-{private.curve.key_size}", "x": x, "y": y} | named | members


def make_signer(private: PrivateKey) -> Callable[[bytes], bytes]:
    """A function that signs with RS256 or ES256, by the key's type."""
    if isinstance(private, rsa.RSAPrivateKey):
        return lambda message: private.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def build_compact_jws(header: object, payload: object, sign: Callable[[bytes], bytes]) -> str:
    """A compact JWS of any content. Bytes are used as they are, and other values become JSON."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    message = ".".join(encode_base64url(part) for part in parts)
    return f"{message}.{encode_base64url(sign(message.encode()))}"


def build_claims(**changed: Any) -> dict[str, Any]:
    """Valid claims of a user, with some changed; None removes a claim."""
    now = int(time.time())
    good = {"iss": ISSUER, "sub": "user_1", "iat": now, "exp": now + 60} | changed
    return {name: value for name, value in good.items() if value is not None}


def issue_user_token(
    private: PrivateKey, kid: str | None = "k1", header: object = None, **changed: Any
) -> str:
    """A token of that key. `header` replaces the usual one, and `changed` are claims as in `build_claims`."""
    algorithm = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256"
    usual = {"alg": algorithm, "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    return build_compact_jws(
        usual if header is None else header, build_claims(**changed), make_signer(private)
    )


class KeyServer:
    """An HTTP server on a free port of 127.0.0.1 that answers each request with a set response.

    Attributes:
        may_respond: Clear it to keep the responses back.
    """

    def __init__(self) -> None:
        self.request_count = 0
        self.requests: list[bytes] = []
        self.delay_s = 0.0
        self.may_respond = asyncio.Event()
        self.may_respond.set()
        self.drip_s = 0.0
        self.response = b""
        self.answer: Callable[[str], bytes | None] | None = None
        self.url = ""
        self._server: asyncio.Server | None = None

    def publish_keys(self, *keys: dict[str, Any]) -> None:
        """Serve these keys from now on."""
        self.set_response(json.dumps({"keys": keys}).encode())

    def set_response(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """Send this response from now on."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        self.response = "\r\n".join([*lines, "", ""]).encode() + body

    async def start(self, port: int = 0) -> None:
        """Listen; after `stop` on the same port again, if one is given."""
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/jwks.json"

    async def stop(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self.may_respond.set()
        self._server.close()
        await self._server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            self.request_count += 1
            if self.answer is not None:
                body = self.answer(self.requests[-1].split()[1].decode())
                self.set_response(body or b"", "404 Not Found" if body is None else "200 OK")
            await asyncio.sleep(self.delay_s)
            await self.may_respond.wait()
            await self._send_response(writer)
        writer.close()

    async def _send_response(self, writer: asyncio.StreamWriter) -> None:
        """Send the response at once, or slowly with `drip_s` seconds between bytes."""
        pieces = [bytes([octet]) for octet in self.response] if self.drip_s else [self.response]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self.drip_s)


@contextlib.asynccontextmanager
async def start_key_server(*keys: dict[str, Any]) -> AsyncIterator[KeyServer]:
    """A running server with these keys."""
    server = KeyServer()
    server.publish_keys(*keys)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
