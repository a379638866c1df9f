"""A config that was given, on top of the one that is stored: which secrets stay, which are new."""

from collections.abc import Mapping
from typing import Any, Final

from core.encryption import ENVELOPE
from services.configs.places import MARKER, is_envelope
from services.configs.schemas import Path, below, dotted, is_secret, secret_properties

Config = dict[str, Any]

_MOVED: Final = "has to be given again, or null: secrets in a list are not kept, as their places move"


class Merge:
    """What was given, on top of what is stored.

    Attributes:
        config: plain, but for the secrets that stay, which stand as they are stored.
        kept: where those are.
        new: where secrets are that have to be sealed.
        fields: what cannot be taken, by path.
    """

    def __init__(self, given: Mapping[str, Any], stored: Mapping[str, Any], schema: Any) -> None:
        self.kept: set[Path] = set()
        self.new: set[Path] = set()
        self.fields: dict[str, str] = {}
        self.config: Config = self._object(given, stored, schema, ())

    def _object(self, given: Mapping[str, Any], stored: Any, schema: Any, path: Path) -> Config:
        before = stored if isinstance(stored, dict) else {}
        absent = None if _in_list(path) else ""
        missing = {name: absent for name in secret_properties(schema) if name not in given}
        merged: Config = {}
        for key, value in {**given, **missing}.items():
            if key.startswith(ENVELOPE):
                self._refuse((*path, key), f"must not begin with {ENVELOPE}")
            elif _is_place(schema, before, key):
                self._secret(merged, key, value, before.get(key), (*path, key))
            else:
                merged[key] = self._plain(value, before.get(key), below(schema, key), (*path, key))
        return merged

    def _secret(self, merged: Config, key: str, value: Any, stored: Any, path: Path) -> None:
        """Null takes it away; nothing new keeps it, if it is sealed; what else there is has to be sealed."""
        if value is None:
            return
        if value not in ("", MARKER):
            self.new.add(path)
            merged[key] = value
        elif stored not in (None, ""):
            (self.kept if is_envelope(stored) else self.new).add(path)
            merged[key] = stored
        elif _in_list(path):
            self._refuse(path, _MOVED)

    def _plain(self, value: Any, stored: Any, schema: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return self._object(value, stored, schema, path)
        if isinstance(value, list):
            return [
                self._element(element, below(schema, at), (*path, at)) for at, element in enumerate(value)
            ]
        if is_envelope(value):
            self._refuse(path, f"must not begin with {ENVELOPE}")
        return value

    def _element(self, value: Any, schema: Any, path: Path) -> Any:
        if not is_secret(schema):
            return self._plain(value, None, schema, path)
        if value in ("", MARKER):
            self._refuse(path, _MOVED)
        elif value is not None:
            self.new.add(path)
        return value

    def _refuse(self, path: Path, reason: str) -> None:
        self.fields[dotted(("config", *path))] = reason


def _is_place(schema: Any, before: Mapping[str, Any], key: str) -> bool:
    """Whether a secret belongs there, or stands there sealed since the schema said that one does."""
    return is_secret(below(schema, key)) or is_envelope(before.get(key))


def _in_list(path: Path) -> bool:
    return any(isinstance(key, int) for key in path)
