"""Chance that repeats itself: random streams named by what they are for, and even shares.

Each stream is seeded by a path (`seed/entities/3`), so that a change to one table's generator leaves the
rows of all others as they were.
"""

import base64
import math
import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

ID_EPOCH: Final = 1_767_225_600_000
"""The moment (2026-01-01 UTC, in ms) that ids take for "now": ids don't depend on when the demo is loaded."""

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Dice(random.Random):
    """A stream of chance. Ages are in ms before the demo's now."""

    def chance(self, probability: float) -> bool:
        """True in that share of the calls."""
        return self.random() < probability

    def age(self, low: int, high: int) -> int:
        """An age from `low` to `high` ms; the bounds may coincide."""
        return low + int(self.random() * (high - low))

    def maybe_age(self, probability: float, high: int) -> int | None:
        """An age of at most `high` ms in that share of the calls, else None: when a row was deleted."""
        return self.age(0, high) if self.chance(probability) else None

    def new_id(self, age: int) -> str:
        """A UUIDv7 as text whose time is `age` ms before `ID_EPOCH`."""
        time = f"{ID_EPOCH - age:012x}"
        low = self.getrandbits(62) | 1 << 63
        return (
            f"{time[:8]}-{time[8:]}-7{self.getrandbits(12):03x}-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
        )

    def guid(self) -> str:
        """A UUIDv4 as text, as vendors give them."""
        bits, low = self.getrandbits(60), self.getrandbits(62) | 1 << 63
        return (
            f"{bits >> 28:08x}-{bits >> 12 & 0xFFFF:04x}-4{bits & 0xFFF:03x}"
            f"-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
        )

    def base62(self, length: int) -> str:
        """Letters and digits, as identity providers' ids have them."""
        return "".join(self.choices(_BASE62, k=length))

    def envelope(self) -> str:
        """What an encrypted secret looks like at rest; there is nothing inside."""
        return "enc:v1:" + base64.b64encode(self.randbytes(48)).decode()

    def last_change(self, age: int) -> int:
        """The age at the last change of a row of that age: its own where nobody has changed it."""
        return self.age(0, age) if self.chance(0.6) else age


def stream(*path: object) -> Dice:
    """The stream of chance of that path."""
    # Chance here makes demo data; nothing secret comes of it.
    return Dice("/".join(map(str, path)))


def skewed(count: int, sigma: float) -> list[float]:
    """`count` log-normal weights, heaviest first: the distribution's quantiles, so that no draw evens them out."""
    normal = NormalDist(0, sigma)
    return [math.exp(normal.inv_cdf(1 - (i + 0.5) / count)) for i in range(count)]


def shares(total: int, weights: Sequence[float], least: int = 0) -> list[int]:
    """Whole shares of `total` in proportion to the weights, each at least `least`; they add up exactly.

    Raises:
        ValueError: `total` does not suffice for `least` each.
    """
    spare = total - least * len(weights)
    if spare < 0:
        raise ValueError(f"{total} is less than {least} for each of {len(weights)}")
    scale = spare / math.fsum(weights)
    counts = [least + int(weight * scale) for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: int(weights[i] * scale) - weights[i] * scale)
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def spread(ordinal: int, chosen: int, total: int) -> bool:
    """Whether the row of that ordinal is one of `chosen` rows that stand evenly among `total`."""
    return ordinal * chosen // total != (ordinal + 1) * chosen // total
