"""Finds the secrets of a config, and masks them for clients.

The paths are those that `app.redact` hides in the database. They hold values that the schema marks, values
that are sealed already, and texts with credentials.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from core.encryption import ENVELOPE
from core.exact_json import is_same_json
from services.configs.credentials import carries_credentials
from services.configs.schemas import Path, find_child_schema, is_secret_value

SECRET_MARKER: Final = {"secret": True}
"""The marker that clients see in place of a secret that is set."""

Change = Callable[[Path, Any], Any]


def is_envelope(value: Any) -> bool:
    """Whether a value is a sealed secret."""
    return isinstance(value, str) and value.startswith(ENVELOPE)


def is_hidden(value: Any) -> bool:
    """Whether a value is a secret regardless of its schema: sealed, or a text with credentials."""
    return is_envelope(value) or (isinstance(value, str) and carries_credentials(value))


def replace_secrets(value: Any, schema: Any, change: Change, path: Path = ()) -> Any:
    """The value, with `change` applied to each secret in it."""
    if is_secret_value(schema, value) or is_hidden(value):
        return change(path, value)
    if isinstance(value, dict):
        return {
            key: replace_secrets(element, find_child_schema(schema, key), change, (*path, key))
            for key, element in value.items()
        }
    if isinstance(value, list):
        return [
            replace_secrets(element, find_child_schema(schema, at), change, (*path, at))
            for at, element in enumerate(value)
        ]
    return value


def iter_secrets(config: Any, schema: Any) -> Iterator[tuple[Path, Any]]:
    """Each secret of a config, marked or sealed, with its path."""
    found: list[tuple[Path, Any]] = []
    replace_secrets(config, schema, lambda path, value: found.append((path, value)))
    yield from found


def mask_config(config: Any, schema: Any) -> Any:
    """The config as clients see it, equal to the result of `app.redact`."""
    shown = replace_secrets(
        config, schema, lambda _path, value: value if value in (None, "") else dict(SECRET_MARKER)
    )
    return _without_hidden_keys(shown)


def mask_change(before: Any, after: Any, schema: Any) -> list[Any]:
    """Before and after of a config for the audit log. A secret that has changed shows as `"changed": true`."""
    old = dict(iter_secrets(before, schema))

    def show_secret(path: Path, value: Any) -> Any:
        if value in (None, ""):
            return value
        return (
            SECRET_MARKER
            if path not in old or is_same_json(old[path], value)
            else {**SECRET_MARKER, "changed": True}
        )

    return [mask_config(before, schema), _without_hidden_keys(replace_secrets(after, schema, show_secret))]


def _without_hidden_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_hidden_keys(child) for key, child in value.items() if not is_hidden(key)}
    return [_without_hidden_keys(child) for child in value] if isinstance(value, list) else value
