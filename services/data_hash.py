"""What tells that an entity has changed: a hash of what its vendor delivers, but for what changes at every look."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

VOLATILE: Final[Mapping[str, frozenset[str]]] = {
    "sophos-partner": frozenset({"lastSeenAt"}),
    "microsoft-365": frozenset({"signInActivity"}),
    "autotask": frozenset({"lastActivityDate", "lastTrackedModifiedDateTime"}),
}
"""The fields that do, by integration."""


def data_hash(integration_id: str, raw: Any) -> str:
    """sha256, in hexadecimal, of the canonical JSON (keys sorted, no white space) without the volatile fields.

    Raises:
        TypeError: it is not JSON that orjson writes, such as an integer beyond 64 bits.
    """
    volatile = VOLATILE.get(integration_id)
    if volatile and isinstance(raw, dict):
        raw = {key: value for key, value in raw.items() if key not in volatile}
    return hashlib.sha256(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)).hexdigest()
