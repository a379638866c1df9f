"""The articles of the schema's descriptions fit the words after them, also where a type's name is filled in."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from graphql import print_schema

from resolvers.loaders.bindings import build_executable_schema

_ARTICLE: Final = re.compile(r"\b(an?) [`\"(]?([A-Za-z]+)", re.IGNORECASE)
_CONSONANT_SOUND: Final = re.compile(r"uni|us(e|u)|ur[il]|uuid|utf|eu|one\b|once", re.IGNORECASE)
_SILENT: Final = re.compile(r"hour|honest|heir", re.IGNORECASE)


def _needs_an(word: str) -> bool:
    """Whether a word begins with the sound of a vowel. An acronym is read letter by letter."""
    if _CONSONANT_SOUND.match(word):
        return False
    if len(word) > 1 and word.isupper():
        return word[0] in "AEFHILMNORSX"
    return word[0].lower() in "aeiou" or bool(_SILENT.match(word))


def _iter_wrong_articles(text: str) -> Iterator[str]:
    for article, word in _ARTICLE.findall(text):
        if (article.lower() == "an") is not _needs_an(word):
            yield f"{article} {word}"


def test_schema_descriptions_have_the_right_articles() -> None:
    assert not list(_iter_wrong_articles(print_schema(build_executable_schema()[1])))


@pytest.mark.parametrize(
    "text",
    ["Create a Entity", "a Agent", "an Site", "A `EventLogEntry`", "an user", "a HTTP header", "a hour"],
)
def test_wrong_article_is_found(text: str) -> None:
    assert list(_iter_wrong_articles(text))


@pytest.mark.parametrize(
    "text", ["an Entity", "a Site", "a User", "an HTTP header", "a UUID", "an hour", "a URL"]
)
def test_right_article_is_accepted(text: str) -> None:
    assert not list(_iter_wrong_articles(text))
