"""The Host header of a request. Proxies may read a request with several hosts in another way than this server."""

import re
from collections.abc import Sequence
from typing import Final

_HOST: Final = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")
"""A host with a port: the characters of RFC 3986, section 3.2. It may be empty."""


def has_one_host(headers: Sequence[tuple[bytes, bytes]], http_version: str) -> bool:
    """Whether a head has one valid host (RFC 9112, section 3.2). HTTP/1.0 needs none."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or not (hosts or http_version == "1.0"):
        return False
    return not hosts or _HOST.fullmatch(hosts[0].strip()) is not None
