"""Roles of older systems: what their rights are in the flat shape, `{"Sites.Write": true}`.

Two older shapes are known: a level for each module (`{"sites": "Write"}`, None < Read < Write < Full), and nested
booleans (`{"sites": {"read": true}}`). What names no right that there is grants nothing, and is counted.
"""

from collections.abc import Iterator
from typing import Any, Final

from core.rights import ACCESSES, GLOBAL_ADMIN, MODULES, RIGHTS
from services.imports.reading import Tally, shown

_MODULES: Final = {module.lower(): module for module in MODULES}
_LEVELS: Final = {"none": "", "read": "Read", "write": "Write", "full": "Write"}
"""Full is all that there is of a module: writing, which implies reading."""


def flat_rights(rights: Any, tally: Tally) -> Any:
    """Rights in the flat shape; what is no object stays what it is."""
    if not isinstance(rights, dict):
        return rights
    flat: dict[str, bool] = {}
    for name, granted in rights.items():
        if isinstance(granted, bool):
            flat |= _flat(name, granted, tally)
            continue
        tally.changed.add("rights: an older shape became the flat one")
        for right in _of_older(name, granted, tally):
            flat[right] = True
    return flat


def _flat(name: str, granted: bool, tally: Tally) -> dict[str, bool]:  # noqa: FBT001 - a right and whether it is held
    if name in RIGHTS:
        return {name: granted}
    _dropped(name, tally)
    return {}


def _of_older(name: str, granted: Any, tally: Tally) -> Iterator[str]:
    module = _module(name)
    if isinstance(granted, str) and granted.lower() in _LEVELS and module:
        level = _LEVELS[granted.lower()]
        yield from [f"{module}.{level}"] if level else []
    elif isinstance(granted, dict):
        for access, held in granted.items():
            yield from _nested(name, module, access, held, tally)
    elif granted is not None:
        _dropped(f"{name}: {granted}", tally)


def _nested(name: str, module: str | None, access: str, held: Any, tally: Tally) -> Iterator[str]:
    level = _LEVELS.get(access.lower(), "")
    if held is not True:
        return
    if f"{name}.{access}".lower() == GLOBAL_ADMIN.lower():
        yield GLOBAL_ADMIN
    elif module and level in ACCESSES:
        yield f"{module}.{level}"
    else:
        _dropped(f"{name}.{access}", tally)


def _module(name: str) -> str | None:
    """The module that a name in any of the usual spellings means: data_sources, dataSources, DataSources."""
    return _MODULES.get(name.replace("_", "").replace("-", "").replace(" ", "").lower())


def _dropped(name: str, tally: Tally) -> None:
    tally.changed.add(f"rights: {shown(name)} is no right here, and grants nothing")
