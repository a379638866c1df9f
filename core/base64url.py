"""Base64url without padding, as JOSE writes it (RFC 7515, section 2)."""

import base64


def decode_base64url(text: str) -> bytes:
    """The decoded bytes.

    Raises:
        ValueError: The length is impossible for base64, or a character is not ASCII.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode_base64url(octets: bytes) -> str:
    """The encoded text."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
