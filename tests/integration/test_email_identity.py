"""`app.email_identity`: which e-mail addresses are equal identities. `app.fold` is for search, and never for this."""

import random
from typing import Final

import asyncpg
import idna
import pytest

SAME: Final = [
    ("ivan@github.test", "ivan@github.test"),
    ("IVAN@GitHub.Test", "ivan@github.test"),
    ("ivan@münchen.test", "ivan@xn--mnchen-3ya.test"),
    ("ivan@MüNCHEN.test", "ivan@XN--MNCHEN-3YA.TEST"),
    ("ivan@straße.test", "ivan@xn--strae-oqa.test"),
    ("иван@пример.test", "иван@xn--e1afmkfd.test"),
    ('"a@b"@münchen.test', '"a@b"@xn--mnchen-3ya.test'),
    ("ivan@日本.例え", "ivan@xn--wgv71a.xn--r8jz45g"),
]
OTHER: Final = [
    ("ivan@gi\u0307thub.test", "ivan@github.test"),
    ("ivan@gİthub.test", "ivan@github.test"),
    ("\u212aevin@x.test", "kevin@x.test"),
    ("ivan@\u212a.test", "ivan@k.test"),
    ("İvan@x.test", "ivan@x.test"),
    ("zoë@x.test", "ZOË@x.test"),
    ("zoë@x.test", "zoe\u0308@x.test"),
    ("οδυσσευς@x.test", "οδυσσευσ@x.test"),
    ("ivan@straße.test", "ivan@strasse.test"),
    ("ivan@MÜNCHEN.test", "ivan@münchen.test"),
    ("ivan@github\u3002test", "ivan@github.test"),
    ("ivan@github\uff0etest", "ivan@github.test"),
    ("ivan@github.test.", "ivan@github.test"),
    ("ivan@\uff47ithub.test", "ivan@github.test"),
    ("ivan@git\u200dhub.test", "ivan@github.test"),
    ("ivan@git\u00adhub.test", "ivan@github.test"),
    ("\u0131van@x.test", "ivan@x.test"),
    ("\u017fam@x.test", "sam@x.test"),
    ("ivan+a@x.test", "ivan@x.test"),
    ("i.van@x.test", "ivan@x.test"),
    ("ivan@x.test ", "ivan@x.test"),
]
_ALPHABETS: Final = (
    "abcxyz019-",
    "äöüßéñ",
    "иванпример",
    "日本語例え",
    "αβγδς",
    "ابتث",
    "\U00020000\U0001f600",
)


async def _fetch_identities(dsn: str, texts: list[str]) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT app.email_identity(t) AS found FROM unnest($1::text[]) WITH ORDINALITY u (t, n) ORDER BY n",
            texts,
        )
        return [row["found"] for row in rows]
    finally:
        await connection.close()


@pytest.mark.parametrize(("one", "another"), SAME)
async def test_email_identity_of_equivalent_addresses_is_equal(
    demo_database_url: str, one: str, another: str
) -> None:
    found = await _fetch_identities(demo_database_url, [one, another])
    assert found[0] == found[1]


@pytest.mark.parametrize(("one", "another"), OTHER)
async def test_email_identity_of_different_addresses_differs(
    demo_database_url: str, one: str, another: str
) -> None:
    found = await _fetch_identities(demo_database_url, [one, another])
    assert found[0] != found[1]


async def test_email_identity_of_domain_is_its_idna_form(demo_database_url: str) -> None:
    """Equal to the `idna` package wherever that has a result, and to Python's Punycode for all else."""
    dice = random.Random(13)  # noqa: S311 - the same labels each time
    labels = [
        "".join(dice.choices(dice.choice(_ALPHABETS) + "abc", k=dice.randrange(1, 24))) for _ in range(600)
    ]
    found = await _fetch_identities(demo_database_url, [f"x@{label}" for label in labels])
    known = 0
    for label, identity in zip(labels, found, strict=True):
        expected = label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
        assert identity == f"x@{expected}", label
        try:
            known += idna.alabel(label).decode() == expected and not label.isascii()
        except idna.IDNAError:
            continue
        assert idna.alabel(label).decode() == expected
    assert known > 100


async def test_email_identity_ignores_case_of_ascii_letters_only(demo_database_url: str) -> None:
    every = [chr(point) for point in range(1, 0x3000) if not 0xD800 <= point < 0xE000]
    found = await _fetch_identities(demo_database_url, [f"{letter}@x" for letter in every])
    groups: dict[str, list[str]] = {}
    for letter, identity in zip(every, found, strict=True):
        groups.setdefault(identity, []).append(letter)
    assert {tuple(group) for group in groups.values() if len(group) > 1} == {
        (chr(point), chr(point + 32)) for point in range(ord("A"), ord("Z") + 1)
    }
