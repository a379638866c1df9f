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

from tests.exports.inferred import Inferred
from tests.exports.world import Int64, World

INT64_FIELDS: Final = frozenset({"statusCode", "attempts", "attemptsMax"})
"""Fields that are int64 here, as a schema may say `v.int64()`."""


def write_snapshot(
    path: Path, world: World, *, uniform: bool = True, more: Mapping[str, bytes] | None = None
) -> Path:
    """Write a snapshot; `more` are further members of the archive."""
    documents = {table: [document(row) for row in rows] for table, rows in world.items()}
    listed = [{"name": table, "id": 10_001 + at} for at, table in enumerate(documents)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", _lines(json.dumps(each) for each in listed))
        for table, found in documents.items():
            encoded, schema = _uniform(found) if uniform else _older(found)
            archive.writestr(f"{table}/documents.jsonl", _lines(encoded))
            archive.writestr(f"{table}/generated_schema.jsonl", _lines(schema))
        archive.writestr("_storage/documents.jsonl", "")
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a document: camelCase, float64 for every number, no key for what is absent."""
    made: dict[str, Any] = {"_id": row["id"], "_creationTime": row["created_at"] + 0.25}
    for name, value in row.items():
        if value is not None and name != "id":
            first, *rest = name.split("_")
            field = first + "".join(map(str.capitalize, rest))
            made[field] = Int64(value) if field in INT64_FIELDS else _as_convex(value)
    return made


def _as_convex(value: Any) -> Any:
    if isinstance(value, bool | Int64):
        return value
    if isinstance(value, int | Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _as_convex(part) for key, part in value.items()}
    return [_as_convex(part) for part in value] if isinstance(value, list) else value


def _uniform(documents: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    return [uniform(each) for each in documents], ['"uniform"']


def uniform(value: Any) -> str:
    """A value in the newer encoding."""
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(key)}:{uniform(part)}" for key, part in sorted(value.items())) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(uniform, value)) + "]"
    if isinstance(value, bytes):
        return json.dumps({"$bytes": base64.b64encode(value).decode()})
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps({"$float": base64.b64encode(struct.pack("<d", value)).decode()})
    return json.dumps(value, ensure_ascii=False)


def _older(documents: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    shape = Inferred()
    for each in documents:
        shape.see(each)
    hints = [(each["_id"], shape.hint(each)) for each in documents]
    said = [json.dumps({row_id: hint}) for row_id, hint in hints if hint != "infer"]
    return [json.dumps(older(each)) for each in documents], [json.dumps(shape.text()), *said]


def older(value: Any) -> Any:
    """A value in the older encoding, as JSON."""
    if isinstance(value, dict):
        return {key: older(part) for key, part in sorted(value.items())}
    if isinstance(value, list):
        return [older(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if isinstance(value, Int64) else value


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()
