"""Detects changes of an entity by a hash of its vendor's data, without the fields that change at every poll."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from core.exact_json import dump_json

VOLATILE_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "sophos-partner": frozenset({"lastSeenAt"}),
    "microsoft-365": frozenset({"signInActivity"}),
    "autotask": frozenset({"lastActivityDate", "lastTrackedModifiedDateTime"}),
}
"""The volatile fields, by integration."""


def compute_data_hash(integration_id: str, raw: Any) -> str:
    """The SHA-256, in hexadecimal, of the canonical JSON (sorted keys, no white space) without the volatile fields.

    Raises:
        ValueError: It is not JSON.
    """
    volatile = VOLATILE_FIELDS.get(integration_id)
    if volatile and isinstance(raw, dict):
        raw = {key: value for key, value in raw.items() if key not in volatile}
    return hashlib.sha256(dump_json(raw, sort_keys=True)).hexdigest()
