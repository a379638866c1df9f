"""Finds environment variables whose name is near one of our settings and is none: they are read by nobody."""

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Final

from core.settings import FLAGS, Settings

_NEAR: Final = 0.87
"""From this likeness on a name is taken for a misspelling: one letter of eight, or a missing plural."""
_STANDARD: Final = ("OTEL_",)
"""Prefixes of variables that the libraries of tracing read themselves."""
_LENGTH_MIN: Final = 6
"""Shorter names, such as PORT and HOST, are near to too many others."""


def find_near_names(variables: Iterable[str]) -> Mapping[str, str]:
    """The variables that look like a misspelled setting, each with the setting's name."""
    known = {name.upper() for name in Settings.model_fields.keys() - FLAGS}
    unknown = sorted({name for name in variables if name.upper() not in known})
    candidates = [name for name in unknown if len(name) >= _LENGTH_MIN and not name.startswith(_STANDARD)]
    found = {name: _find_nearest(name.upper(), known) for name in candidates}
    return {name: near for name, near in found.items() if near}


def _find_nearest(name: str, known: Iterable[str]) -> str | None:
    likeness = {each: _compare(name, each) for each in known if len(each) >= _LENGTH_MIN}
    best = max(likeness, key=lambda each: (likeness[each], each))
    return best if likeness[best] >= _NEAR else None


def _compare(name: str, setting: str) -> float:
    """How alike two names are, from 0 to 1, regardless of marks between words."""
    return SequenceMatcher(None, name.replace("_", "").replace("-", ""), setting.replace("_", "")).ratio()
