"""The content of the exports: rows of all 21 tables in several sizes, with values that are difficult for formats."""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from demo.load import TABLES, make_demo
from demo.sizes import SizePlan
from services.imports.import_tables import IMPORT_TABLES

Row: TypeAlias = dict[str, Any]
ExportedWorld: TypeAlias = Mapping[str, list[Row]]
"""Rows by table: columns as PostgreSQL names them, JSON as Python has it, times in ms since the epoch."""

TINY_PLAN: Final = SizePlan(2, 6, 40, 200, global_entities=4, api_logs=10)
NOW: Final = 1_790_000_000_000
OLD_KEY: Final = bytes(range(32))
JSON_COLUMNS: Final = frozenset(
    {
        "metadata",
        "rights",
        "config_schema",
        "config",
        "req_metadata",
        "res_metadata",
        "raw_data",
        "normalized_data",
    }
    | {"payload", "headers", "response_headers", "changes"}
)
HARD_TEXT: Final = 'tab\t, line\nfeed, "quoted", \\backslash\\n, comma; {brace} \\N ünïcode 🦊 \\.'


class Int64(int):
    """An integer that Convex holds as int64; every other number is a float64."""


def make_exported_world(plan: SizePlan = TINY_PLAN) -> ExportedWorld:
    """The rows of a demo of that size, some with difficult values. Secrets in configs are in plain text."""
    demo = make_demo(plan, now=NOW)
    made = {
        table.name: [
            _parse_json_columns(dict(zip(table.columns, row, strict=True))) for row in table.rows(demo)
        ]
        for table in TABLES
        if table.name in IMPORT_TABLES
    }
    made["sites"][0]["name"] = HARD_TEXT
    made["sites"][0]["metadata"] = {"note": HARD_TEXT, "nested": [[], {}, [1.5, None, True]]}
    made["entities"][0]["raw_data"] = {"text": "42", "list": ["NaN", "1"], HARD_TEXT: HARD_TEXT}
    return made


def with_special_values(rows: ExportedWorld) -> ExportedWorld:
    """The same with values that Convex has and JSON has not, in the JSON of an entity."""
    changed = {name: [dict(row) for row in table] for name, table in rows.items()}
    changed["entities"][1]["raw_data"] = {
        "big": Int64(2**53 + 1),
        "bytes": b"\0\1\2\xff",
        "nothing": math.nan,
        "endless": [math.inf, -math.inf, "Infinity"],
        "text": "7",
    }
    return changed


def seal_legacy_secret(secret: str, key: bytes = OLD_KEY, nonce: bytes = b"twelve bytes") -> str:
    """A secret as the older systems sealed it: `iv:tag:data`."""
    both = AESGCM(key).encrypt(nonce, secret.encode(), None)
    return f"{nonce.hex()}:{both[-16:].hex()}:{both[:-16].hex()}"


def expected_secrets(row: Row) -> dict[str, str]:
    """The secrets in a data source's config, in plain text, by their keys."""
    return {
        key: f"secret {key} of {row['id']}" for key, value in row["config"].items() if _is_envelope(value)
    }


def with_sealed_secrets(rows: ExportedWorld, key: bytes = OLD_KEY) -> ExportedWorld:
    """The same with the secrets in configs sealed as by the older systems."""
    sources = [
        row
        | {
            "config": row["config"]
            | {name: seal_legacy_secret(text, key) for name, text in expected_secrets(row).items()}
        }
        for row in rows["data_sources"]
    ]
    return {**rows, "data_sources": sources}


def without_secrets(rows: ExportedWorld) -> ExportedWorld:
    """The same without them."""
    sources = [
        row | {"config": {key: value for key, value in row["config"].items() if not _is_envelope(value)}}
        for row in rows["data_sources"]
    ]
    return {**rows, "data_sources": sources}


def _is_envelope(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("enc:v1:")


def _parse_json_columns(row: Row) -> Row:
    return {
        name: orjson.loads(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in row.items()
    }
