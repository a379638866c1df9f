"""The rights of roles and what they imply."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.auth.rights import ACCESSES, GLOBAL_ADMIN, MODULES, RIGHTS, expand_rights


def test_rights_are_read_and_write_of_each_module_and_administrator() -> None:
    assert len(MODULES) == 14
    assert len(RIGHTS) == len(MODULES) * len(ACCESSES) + 1


@pytest.mark.parametrize("module", MODULES)
def test_expand_rights_write_implies_read_of_its_module_only(module: str) -> None:
    assert expand_rights({f"{module}.Write": True}) == {f"{module}.Write", f"{module}.Read"}
    assert expand_rights({f"{module}.Read": True}) == {f"{module}.Read"}


def test_expand_rights_write_with_denied_read_still_implies_read() -> None:
    assert expand_rights({"Sites.Write": True, "Sites.Read": False}) == {"Sites.Write", "Sites.Read"}


def test_expand_rights_of_administrator_gives_all() -> None:
    assert expand_rights({GLOBAL_ADMIN: True, "Sites.Read": False}) == RIGHTS


def test_expand_rights_of_all_single_rights_is_not_administrator() -> None:
    singly = dict.fromkeys(RIGHTS - {GLOBAL_ADMIN}, True)
    assert GLOBAL_ADMIN not in expand_rights(singly)


@pytest.mark.parametrize("value", [False, None, 1, 1.0, "true", "Write", [True], {"read": True}])
def test_expand_rights_value_other_than_true_grants_nothing(value: Any) -> None:
    assert expand_rights({"Sites.Write": value, GLOBAL_ADMIN: value}) == frozenset()


@pytest.mark.parametrize(
    "key", ["sites.Read", "Sites.read", "Sites", "Sites.Full", "Nope.Read", "Global.Read", " Sites.Read", ""]
)
def test_expand_rights_unknown_key_grants_nothing(key: Any) -> None:
    assert expand_rights({key: True}) == frozenset()


@given(
    st.dictionaries(st.sampled_from(sorted(RIGHTS)) | st.text(), st.booleans() | st.integers() | st.none())
)
def test_expand_rights_is_idempotent_and_adds_only_implied_rights(rights: dict[str, Any]) -> None:
    held = expand_rights(rights)
    assert expand_rights(dict.fromkeys(held, True)) == held
    assert held <= RIGHTS
    granted = {key for key, value in rights.items() if value is True} & RIGHTS
    assert {right.partition(".")[0] for right in held} == (
        {right.partition(".")[0] for right in (RIGHTS if GLOBAL_ADMIN in granted else granted)}
    )
