"""A Convex snapshot, as `npx convex export` writes it: in the newer encoding, or in the one before March 2026."""

import base64
import json
import math
import struct
import zipfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.exports.exported_world import ExportedWorld, Int64
from tests.exports.inferred_shape import InferredShape

INT64_FIELDS: Final = frozenset({"statusCode", "attempts", "attemptsMax"})
"""Fields that are int64 here, as a schema may say `v.int64()`."""

NO_CREATED_AT: Final = 1_600_000_000_000
"""When Convex created a document whose row has no `created_at`."""


def write_snapshot(
    path: Path, world: ExportedWorld, *, uniform: bool = True, more_members: Mapping[str, bytes] | None = None
) -> Path:
    """Write a snapshot; `more_members` are further members of the archive."""
    documents = {table: [build_document(row) for row in rows] for table, rows in world.items()}
    listed = [{"name": table, "id": 10_001 + at} for at, table in enumerate(documents)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", _join_lines(json.dumps(each) for each in listed))
        for table, found in documents.items():
            encoded, schema = _encode_newer(found) if uniform else _encode_older(found)
            archive.writestr(f"{table}/documents.jsonl", _join_lines(encoded))
            archive.writestr(f"{table}/generated_schema.jsonl", _join_lines(schema))
        archive.writestr("_storage/documents.jsonl", "")
        for name, content in (more_members or {}).items():
            archive.writestr(name, content)
    return path


def build_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a document: camelCase, float64 for every number, no key for what is absent."""
    created_at = NO_CREATED_AT if row["created_at"] is None else row["created_at"]
    made: dict[str, Any] = {"_id": row["id"], "_creationTime": created_at + 0.25}
    for name, value in row.items():
        if value is not None and name != "id":
            first, *rest = name.split("_")
            field = first + "".join(map(str.capitalize, rest))
            made[field] = Int64(value) if field in INT64_FIELDS else _convert_value(value)
    return made


def _convert_value(value: Any) -> Any:
    if isinstance(value, bool | Int64):
        return value
    if isinstance(value, int | Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _convert_value(part) for key, part in value.items()}
    return [_convert_value(part) for part in value] if isinstance(value, list) else value


def _encode_newer(documents: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    return [encode_newer(each) for each in documents], ['"uniform"']


def encode_newer(value: Any) -> str:
    """A value in the newer encoding."""
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key)}:{encode_newer(part)}" for key, part in sorted(value.items()))
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(encode_newer, value)) + "]"
    if isinstance(value, bytes):
        return json.dumps({"$bytes": base64.b64encode(value).decode()})
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps({"$float": base64.b64encode(struct.pack("<d", value)).decode()})
    return json.dumps(value, ensure_ascii=False)


def _encode_older(documents: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    shape = InferredShape()
    for each in documents:
        shape.add_value(each)
    hints = [(each["_id"], shape.build_hint(each)) for each in documents]
    said = [json.dumps({row_id: hint}) for row_id, hint in hints if hint != "infer"]
    return [json.dumps(encode_older(each)) for each in documents], [json.dumps(shape.format()), *said]


def encode_older(value: Any) -> Any:
    """A value in the older encoding, as JSON."""
    if isinstance(value, dict):
        return {key: encode_older(part) for key, part in sorted(value.items())}
    if isinstance(value, list):
        return [encode_older(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if isinstance(value, Int64) else value


def _join_lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()
