"""Base64url without padding, as JOSE writes it (RFC 7515, section 2)."""

import base64


def decoded(text: str) -> bytes:
    """The bytes behind it.

    Raises:
        ValueError: if the length is none that base64 has, or a character is not ASCII.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(octets: bytes) -> str:
    """The text for it."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
