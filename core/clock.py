"""The product's unit of time: milliseconds since the epoch."""

import time
from typing import Final

NEVER: Final = 9_007_199_254_740_991
"""The largest integer that JSON numbers hold exactly (2^53 - 1). It means "never".

It is stored as it is. Clients see null, because JavaScript's Date ends at `DATE_MAX_MS`.
"""

DATE_MAX_MS: Final = 8_640_000_000_000_000
"""The last time that JavaScript's Date can hold, in the year 275760."""


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
