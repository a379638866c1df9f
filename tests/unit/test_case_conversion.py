"""The names of columns in GraphQL and back."""

import pytest

from core.case_conversion import to_camel_case, to_snake_case
from schema.tables import TABLES

COLUMNS = sorted({name for table in TABLES for name in table.columns})


@pytest.mark.parametrize(
    ("snake", "camel"), [("id", "id"), ("psa_company_id", "psaCompanyId"), ("ids[0]", "ids[0]"), ("", "")]
)
def test_case_conversion_of_name_gives_the_other_case(snake: str, camel: str) -> None:
    assert to_camel_case(snake) == camel
    assert to_snake_case(camel) == snake


def test_case_conversion_of_each_column_is_reversible() -> None:
    assert len(COLUMNS) > 100
    assert [to_snake_case(to_camel_case(name)) for name in COLUMNS] == COLUMNS
