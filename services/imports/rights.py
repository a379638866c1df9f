"""Converts the rights of older systems' roles to the flat form, `{"Sites.Write": true}`.

Two older forms are known: a level for each module (`{"sites": "Write"}`, None < Read < Write < Full), and
nested booleans (`{"sites": {"read": true}}`). A name that is no known right grants nothing, and is counted.
"""

from collections.abc import Iterator
from typing import Any, Final

from core.auth.rights import ACCESSES, GLOBAL_ADMIN, MODULES, RIGHTS
from services.imports.source import TableTally, format_value

_MODULES: Final = {module.lower(): module for module in MODULES}
_LEVELS: Final = {"none": "", "read": "Read", "write": "Write", "full": "Write"}
"""Full grants all rights of a module: `Write`, which implies `Read`."""


def flatten_rights(rights: Any, tally: TableTally) -> Any:
    """Rights in the flat form. A value that is not an object stays as it is."""
    if not isinstance(rights, dict):
        return rights
    flat: dict[str, bool] = {}
    for name, granted in rights.items():
        if isinstance(granted, bool):
            flat |= _flatten_entry(name, granted, tally)
            continue
        tally.changed.add("rights: an older form was converted to the flat one")
        for right in _flatten_module(name, granted, tally):
            flat[right] = True
    return flat


def _flatten_entry(name: str, granted: bool, tally: TableTally) -> dict[str, bool]:  # noqa: FBT001 - a right and whether it is granted
    if name in RIGHTS:
        return {name: granted}
    _count_dropped(name, tally)
    return {}


def _flatten_module(name: str, granted: Any, tally: TableTally) -> Iterator[str]:
    module = _find_module(name)
    if isinstance(granted, str) and granted.lower() in _LEVELS and module:
        level = _LEVELS[granted.lower()]
        yield from [f"{module}.{level}"] if level else []
    elif isinstance(granted, dict):
        for access, granted_levels in granted.items():
            yield from _flatten_level(name, module, access, granted_levels, tally)
    elif granted is not None:
        _count_dropped(f"{name}: {granted}", tally)


def _flatten_level(
    name: str, module: str | None, access: str, granted_levels: Any, tally: TableTally
) -> Iterator[str]:
    level = _LEVELS.get(access.lower(), "")
    if granted_levels is not True:
        return
    if f"{name}.{access}".lower() == GLOBAL_ADMIN.lower():
        yield GLOBAL_ADMIN
    elif module and level in ACCESSES:
        yield f"{module}.{level}"
    else:
        _count_dropped(f"{name}.{access}", tally)


def _find_module(name: str) -> str | None:
    """The module of a name in any of the usual spellings: data_sources, dataSources, DataSources."""
    return _MODULES.get(name.replace("_", "").replace("-", "").replace(" ", "").lower())


def _count_dropped(name: str, tally: TableTally) -> None:
    tally.changed.add(f"rights: {format_value(name)} is an unknown right and grants nothing")
