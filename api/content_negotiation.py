"""Selects what a client prefers by the qualities of its headers (RFC 9110, section 12.4.2)."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
_GZIP: Final = ("gzip", "x-gzip")


class Preference(NamedTuple):
    """One entry of a header: a name in lower case and its quality, from 0 (refused) to 1."""

    name: str
    quality: float


def parse_preferences(values: Sequence[str]) -> list[Preference]:
    """The entries of a header with qualities, in order. An invalid quality counts as 0.

    Args:
        values: The values of all headers of this name.
    """
    entries = (entry.strip().lower() for entry in ",".join(values).split(","))
    return [_parse_preference(entry) for entry in entries if entry]


def _parse_preference(entry: str) -> Preference:
    name, *parameters = (parameter.strip() for parameter in entry.split(";"))
    weights = [parameter[2:].strip() for parameter in parameters if parameter.startswith("q=")]
    quality = float(weights[0]) if weights and _QUALITY.fullmatch(weights[0]) else float(not weights)
    return Preference(name, quality)


def accepts_gzip(accept_encoding: Sequence[str]) -> bool:
    """Whether a client accepts gzip. `*` stands for it where it is not named (RFC 9110, section 12.5.3).

    Args:
        accept_encoding: The values of the Accept-Encoding headers.
    """
    preferences = parse_preferences(accept_encoding)
    named = [each.quality for each in preferences if each.name in _GZIP]
    others = [each.quality for each in preferences if each.name == "*"]
    return max(named or others, default=0.0) > 0


class _Range(NamedTuple):
    """One entry of an Accept header. Entries compare by preference."""

    quality: float
    precision: int
    position: int
    name: str

    def matches(self, media_type: str) -> bool:
        kind = media_type.partition("/")[0]
        return self.name in (media_type, f"{kind}/*", "*/*")


def choose_media_type(accept: Sequence[str], offers: Sequence[str]) -> str | None:
    """The offer that the client prefers. Among equals the one named most precisely wins, then the first.

    Args:
        accept: The Accept headers' values; a client without any accepts everything.
        offers: Media types without parameters, the server's own preference first.
    """
    ranges = [
        _Range(quality, 2 - name.count("*"), -position, name)
        for position, (name, quality) in enumerate(parse_preferences(accept))
    ]
    if not ranges:
        return offers[0]
    acceptable = [
        (found, offer) for offer in offers if (found := _find_range(offer, ranges)) and found.quality > 0
    ]
    return max(acceptable, key=lambda pair: pair[0][:3])[1] if acceptable else None


def _find_range(offer: str, ranges: Sequence[_Range]) -> _Range | None:
    """The most precise range that covers the offer. It alone decides about the offer."""
    covering = [each for each in ranges if each.matches(offer)]
    return max(covering, key=lambda each: (each.precision, each.position), default=None)
