"""`app.fold` removes case, equally on every version and in any locale of the database."""

import asyncpg
import pytest


@pytest.mark.parametrize(
    ("written", "sought"),
    [
        ("ACME GmbH", "acme gmbh"),
        ("ÜNÏCODE", "ünïcode"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("ΟΔΥΣΣΕΥΣ", "ΥΣΣ"),
        ("οδυσσευς", "σευσ"),
        ("İSTANBUL", "istanbul"),
        ("istanbul", "İSTANBUL"),
        ("日本テクノ", "日本"),
        ("ПРИВЕТ", "привет"),
    ],
)
async def test_fold_of_texts_that_differ_in_case_matches(
    demo_database_url: str, written: str, sought: str
) -> None:
    connection = await asyncpg.connect(demo_database_url)
    try:
        found = await connection.fetchval("SELECT strpos(app.fold($1), app.fold($2)) > 0", written, sought)
    finally:
        await connection.close()
    assert found
