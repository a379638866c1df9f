"""Reproducible randomness: random streams with names, and even distributions.

Each stream is seeded by a path (`seed/entities/3`). So a change to one table's generator leaves the rows of
all other tables as they were.
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
"""The moment (2026-01-01 UTC, in ms) that ids use as "now": ids do not depend on the time of loading."""

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class SeededRandom(random.Random):
    """A random stream. Ages are in ms before the demo's now."""

    def happens(self, probability: float) -> bool:
        """True in that share of the calls."""
        return self.random() < probability

    def random_age(self, low: int, high: int) -> int:
        """A random age from `low` to `high` ms. The bounds may be equal."""
        return low + int(self.random() * (high - low))

    def random_age_or_none(self, probability: float, high: int) -> int | None:
        """The age of a deletion: at most `high` ms, in that share of the calls. None in all other calls."""
        return self.random_age(0, high) if self.happens(probability) else None

    def generate_id(self, age: int) -> str:
        """A UUIDv7 as text. Its time is `age` ms before `ID_EPOCH`."""
        time = f"{ID_EPOCH - age:012x}"
        low = self.getrandbits(62) | 1 << 63
        return (
            f"{time[:8]}-{time[8:]}-7{self.getrandbits(12):03x}-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
        )

    def random_guid(self) -> str:
        """A UUIDv4 as text, like the ids of vendors."""
        bits, low = self.getrandbits(60), self.getrandbits(62) | 1 << 63
        return (
            f"{bits >> 28:08x}-{bits >> 12 & 0xFFFF:04x}-4{bits & 0xFFF:03x}"
            f"-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
        )

    def random_base62(self, length: int) -> str:
        """Letters and digits, like the ids of identity providers."""
        return "".join(self.choices(_BASE62, k=length))

    def random_envelope(self) -> str:
        """A text with the form of an encrypted secret at rest. It has no content."""
        return "enc:v1:" + base64.b64encode(self.randbytes(48)).decode()

    def random_change_age(self, age: int) -> int:
        """The age of the last change of a row of that age. It is the row's own age if the row was never changed."""
        return self.random_age(0, age) if self.happens(0.6) else age


def random_stream(*path: object) -> SeededRandom:
    """The random stream of that path."""
    # This randomness makes demo data. No secret depends on it.
    return SeededRandom("/".join(map(str, path)))


def skewed_weights(count: int, sigma: float) -> list[float]:
    """`count` log-normal weights, heaviest first.

    They are the quantiles of the distribution and not draws, so that chance does not even them out.
    """
    normal = NormalDist(0, sigma)
    return [math.exp(normal.inv_cdf(1 - (i + 0.5) / count)) for i in range(count)]


def split_in_shares(total: int, weights: Sequence[float], least: int = 0) -> list[int]:
    """Integer shares of `total` in proportion to the weights, each at least `least`. Their sum is exact.

    Raises:
        ValueError: `total` is less than `least` for each.
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


def is_chosen(ordinal: int, chosen: int, total: int) -> bool:
    """Whether the row of that ordinal is chosen, if `chosen` rows are spread evenly among `total`."""
    return ordinal * chosen // total != (ordinal + 1) * chosen // total
