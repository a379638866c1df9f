"""The hash by which a shipped row is recognized as unchanged."""

from collections.abc import Sequence


def hash_sql(row: str, columns: Sequence[str]) -> str:
    """SQL of the hash of these columns of a row. The text of jsonb is canonical."""
    values = ", ".join(f"to_jsonb({row}.{name})" for name in columns)
    return f"encode(sha256(convert_to(jsonb_build_array({values})::text, 'UTF8')), 'hex')"
