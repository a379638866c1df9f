"""Where a server is, and requests to it as they go over the wire."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from core.errors import StartupError


@dataclass(frozen=True, slots=True)
class Origin:
    """A server's address; `path` stands ahead of all of its paths, as a proxy may have it."""

    host: str
    port: int
    path: str = ""
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str) -> Self:
        """The origin of a URL such as https://msp.example.com.

        Raises:
            StartupError: It is none of HTTP.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if host is None or not url.isascii() or parts.scheme not in {"http", "https"}:
            raise StartupError(f"{url} is not the URL of a server: http://host:port.")
        secure = parts.scheme == "https"
        tls = ssl.create_default_context() if secure else None
        return cls(host, port or (443 if secure else 80), parts.path.rstrip("/"), tls)

    def post(self, path: str, token: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
        """A POST of JSON, to be sent as it is."""
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
