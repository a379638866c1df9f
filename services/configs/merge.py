"""Merges a given config into the stored one: decides which secrets stay and which are new."""

from collections.abc import Mapping
from typing import Any, Final

from core.encryption import ENVELOPE
from core.exact_json import is_same_json
from services.configs.credentials import CREDENTIALS_REFUSED, carries_credentials
from services.configs.schemas import Path, find_child_schema, format_path, is_secret, iter_secret_properties
from services.configs.secret_paths import SECRET_MARKER, is_envelope, is_hidden

Config = dict[str, Any]

_MOVED_REASON: Final = (
    "must be given again or be null: secrets in a list are not kept, because their positions change"
)


class ConfigMerge:
    """A given config merged into the stored one.

    Attributes:
        config: The result in plain text, except for the secrets that stay as stored.
        kept: The paths of those secrets.
        retained: The paths of all stored secrets that stay, sealed or not.
        new: The paths of secrets that have to be sealed.
        fields: Errors, by path.
    """

    def __init__(self, given: Mapping[str, Any], stored: Mapping[str, Any], schema: Any) -> None:
        self.kept: set[Path] = set()
        self.retained: set[Path] = set()
        self.new: set[Path] = set()
        self.fields: dict[str, str] = {}
        self.config: Config = self._merge_object(given, stored, schema, ())

    def _merge_object(self, given: Mapping[str, Any], stored: Any, schema: Any, path: Path) -> Config:
        before = stored if isinstance(stored, dict) else {}
        absent = None if _is_in_list(path) else ""
        missing = {name: absent for name in iter_secret_properties(schema) if name not in given}
        merged: Config = {}
        for key, value in {**given, **missing}.items():
            if key.startswith(ENVELOPE):
                self._refuse((*path, key), f"must not begin with {ENVELOPE}")
            elif carries_credentials(key):
                self._refuse((*path, "?"), CREDENTIALS_REFUSED)
            elif _is_secret_path(schema, before, key, value):
                self._merge_secret(merged, key, value, before.get(key), (*path, key))
            else:
                merged[key] = self._merge_plain(
                    value, before.get(key), find_child_schema(schema, key), (*path, key)
                )
        return merged

    def _merge_secret(self, merged: Config, key: str, value: Any, stored: Any, path: Path) -> None:
        """Merge one secret.

        Null removes it; an unset value keeps it if it is sealed. Any other value has to be sealed.
        """
        if value is None:
            return
        if not _is_unset(value):
            self.new.add(path)
            merged[key] = value
        elif stored not in (None, ""):
            self.retained.add(path)
            (self.kept if is_envelope(stored) else self.new).add(path)
            merged[key] = stored
        elif _is_in_list(path):
            self._refuse(path, _MOVED_REASON)

    def _merge_plain(self, value: Any, stored: Any, schema: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return self._merge_object(value, stored, schema, path)
        if isinstance(value, list):
            return [
                self._merge_element(element, find_child_schema(schema, at), (*path, at))
                for at, element in enumerate(value)
            ]
        if is_envelope(value):
            self._refuse(path, f"must not begin with {ENVELOPE}")
        elif is_hidden(value):
            self._refuse(path, CREDENTIALS_REFUSED)
        return value

    def _merge_element(self, value: Any, schema: Any, path: Path) -> Any:
        if not is_secret(schema):
            return self._merge_plain(value, None, schema, path)
        if _is_unset(value):
            self._refuse(path, _MOVED_REASON)
        elif value is not None:
            self.new.add(path)
        return value

    def _refuse(self, path: Path, reason: str) -> None:
        self.fields[format_path(("config", *path))] = reason


def _is_secret_path(schema: Any, before: Mapping[str, Any], key: str, value: Any) -> bool:
    """Whether a key holds a secret: one by the schema, or a stored one that stays without a mark in the schema."""
    if is_secret(find_child_schema(schema, key)):
        return True
    return is_hidden(before.get(key)) and (value in (None, "") or is_same_json(value, SECRET_MARKER))


def _is_unset(value: Any) -> bool:
    """Whether a value means "keep the stored secret"."""
    return value == "" or is_same_json(value, SECRET_MARKER)


def _is_in_list(path: Path) -> bool:
    return any(isinstance(key, int) for key in path)
