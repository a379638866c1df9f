"""Where the secrets of a config stand, and how everybody outside may see it.

The places are those that `app.redact` hides in the database: what the schema marks, and what is sealed already.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from core.encryption import ENVELOPE
from services.configs.schemas import Path, below, is_secret

MARKER: Final = {"secret": True}
"""What stands in the place of a secret that is set, for everybody outside."""

Change = Callable[[Path, Any], Any]


def is_envelope(value: Any) -> bool:
    """Whether a value is a sealed secret."""
    return isinstance(value, str) and value.startswith(ENVELOPE)


def changed_at(value: Any, schema: Any, change: Change, path: Path = ()) -> Any:
    """The value with what stands in each secret's place changed."""
    if is_secret(schema) or is_envelope(value):
        return change(path, value)
    if isinstance(value, dict):
        return {
            key: changed_at(part, below(schema, key), change, (*path, key)) for key, part in value.items()
        }
    if isinstance(value, list):
        return [changed_at(part, below(schema, at), change, (*path, at)) for at, part in enumerate(value)]
    return value


def secrets_in(config: Any, schema: Any) -> Iterator[tuple[Path, Any]]:
    """Each secret of a config as it stands there, marked or sealed, with its path."""
    found: list[tuple[Path, Any]] = []
    changed_at(config, schema, lambda path, value: found.append((path, value)))
    yield from found


def masked_config(config: Any, schema: Any) -> Any:
    """A config as everybody may see it, the same as `app.redact` makes of it."""
    shown = changed_at(config, schema, lambda _path, value: value if value in (None, "") else dict(MARKER))
    return _without_envelope_keys(shown)


def masked_change(before: Any, after: Any, schema: Any) -> list[Any]:
    """Before and after of a config for the audit: a secret that is another now shows as `"changed": true`."""
    old = dict(secrets_in(before, schema))

    def shown(path: Path, value: Any) -> Any:
        if value in (None, ""):
            return value
        return MARKER if path not in old or old[path] == value else {**MARKER, "changed": True}

    return [masked_config(before, schema), _without_envelope_keys(changed_at(after, schema, shown))]


def _without_envelope_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_envelope_keys(part) for key, part in value.items() if not key.startswith(ENVELOPE)
        }
    return [_without_envelope_keys(part) for part in value] if isinstance(value, list) else value
