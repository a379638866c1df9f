"""The rights of roles and what they imply."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rights import ACCESSES, GLOBAL_ADMIN, MODULES, RIGHTS, closure


def test_there_is_a_read_and_a_write_for_every_module_and_the_administrator() -> None:
    assert len(MODULES) == 14
    assert len(RIGHTS) == len(MODULES) * len(ACCESSES) + 1


@pytest.mark.parametrize("module", MODULES)
def test_write_implies_read_of_its_own_module_alone(module: str) -> None:
    assert closure({f"{module}.Write": True}) == {f"{module}.Write", f"{module}.Read"}
    assert closure({f"{module}.Read": True}) == {f"{module}.Read"}


def test_a_write_stands_even_where_the_read_is_denied() -> None:
    assert closure({"Sites.Write": True, "Sites.Read": False}) == {"Sites.Write", "Sites.Read"}


def test_the_administrator_holds_every_right() -> None:
    assert closure({GLOBAL_ADMIN: True, "Sites.Read": False}) == RIGHTS


def test_every_single_right_is_not_yet_the_administrator() -> None:
    singly = dict.fromkeys(RIGHTS - {GLOBAL_ADMIN}, True)
    assert GLOBAL_ADMIN not in closure(singly)


@pytest.mark.parametrize("value", [False, None, 1, 1.0, "true", "Write", [True], {"read": True}])
def test_only_true_grants(value: Any) -> None:
    assert closure({"Sites.Write": value, GLOBAL_ADMIN: value}) == frozenset()


@pytest.mark.parametrize(
    "key", ["sites.Read", "Sites.read", "Sites", "Sites.Full", "Nope.Read", "Global.Read", " Sites.Read", ""]
)
def test_unknown_keys_grant_nothing(key: Any) -> None:
    assert closure({key: True}) == frozenset()


@given(
    st.dictionaries(st.sampled_from(sorted(RIGHTS)) | st.text(), st.booleans() | st.integers() | st.none())
)
def test_a_closure_is_closed_and_grants_nothing_that_was_not_implied(rights: dict[str, Any]) -> None:
    held = closure(rights)
    assert closure(dict.fromkeys(held, True)) == held
    assert held <= RIGHTS
    granted = {key for key, value in rights.items() if value is True} & RIGHTS
    assert {right.partition(".")[0] for right in held} == (
        {right.partition(".")[0] for right in (RIGHTS if GLOBAL_ADMIN in granted else granted)}
    )
