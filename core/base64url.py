"""Base64url without padding, as JOSE writes it (RFC 7515, section 2), and base64 as operators give it."""

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


def decode_either_base64(text: str) -> bytes:
    """The decoded bytes of a text in either alphabet, with or without padding.

    Raises:
        ValueError: The text is not base64.
    """
    unpadded = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
