"""Which of the media types on offer a client likes best (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)


class _Range(NamedTuple):
    """One entry of an Accept header; compares as liking does."""

    quality: float
    precision: int
    place: int
    name: str

    def covers(self, media_type: str) -> bool:
        kind = media_type.partition("/")[0]
        return self.name in (media_type, f"{kind}/*", "*/*")


def preferred(accept: Sequence[str], offers: Sequence[str]) -> str | None:
    """The offer that the client likes best; of equals the one that it names most precisely, then first.

    Args:
        accept: the Accept headers' values; a client that sends none takes anything.
        offers: media types without parameters, the server's own favourite first.
    """
    ranges = _ranges(",".join(accept))
    if not ranges:
        return offers[0]
    liked = [(found, offer) for offer in offers if (found := _of(offer, ranges)) and found.quality > 0]
    return max(liked, key=lambda pair: pair[0][:3])[1] if liked else None


def _of(offer: str, ranges: Sequence[_Range]) -> _Range | None:
    """The most precise range that covers the offer: it alone decides on it."""
    covering = [each for each in ranges if each.covers(offer)]
    return max(covering, key=lambda each: (each.precision, each.place), default=None)


def _ranges(accept: str) -> list[_Range]:
    entries = (entry.strip().lower() for entry in accept.split(","))
    return [_range(entry, -place) for place, entry in enumerate(entries) if entry]


def _range(entry: str, place: int) -> _Range:
    name, *parameters = (part.strip() for part in entry.split(";"))
    weights = [part[2:].strip() for part in parameters if part.startswith("q=")]
    quality = float(weights[0]) if weights and _QUALITY.fullmatch(weights[0]) else float(not weights)
    return _Range(quality, 2 - name.count("*"), place, name)
