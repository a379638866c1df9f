"""The address of a server, and complete HTTP requests to it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from core.errors import StartupError


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's address; `path` is the prefix of all its paths, such as a proxy's."""

    host: str
    port: int
    path: str = ""
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The origin of a URL such as https://msp.example.com.

        Raises:
            StartupError: It is not an HTTP URL.
        """
        try:
            split_url = urlsplit(url)
            host, port = split_url.hostname, split_url.port
        except ValueError:
            host = port = None
        if host is None or not url.isascii() or split_url.scheme not in {"http", "https"}:
            raise StartupError(f"{url} must be the URL of a server: http://host:port.")
        secure = split_url.scheme == "https"
        tls = ssl.create_default_context() if secure else None
        return cls(host, port or (443 if secure else 80), split_url.path.rstrip("/"), tls)

    @property
    def url(self) -> str:
        """The address as a URL, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"

    def build_post(self, path: str, token: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
        """The bytes of a POST request with JSON."""
        content = orjson.dumps(body)
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = (
            f"POST {self.path}{path} HTTP/1.1",
            f"Host: {host}:{self.port}",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        )
        return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + content
