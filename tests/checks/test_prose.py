"""Pages and docstrings stay plain: short sentences, few commas, verbs that fit machines."""

import re
from pathlib import PurePosixPath

import pytest

from tests.checks.prose import WORN_MAX, docstrings_of_tests, measure, pages, product_docstrings
from tests.checks.sources import ROOT, tracked_files


@pytest.mark.parametrize("page", pages())
def test_page_has_short_sentences(page: str) -> None:
    measured = measure((ROOT / page).read_text(encoding="utf-8"))

    assert measured.is_plain, f"{measured.words:.1f} words and {measured.commas:.2f} commas a sentence"


@pytest.mark.parametrize("page", pages())
def test_page_wraps_at_100_columns(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = [
        line
        for line in _outside_code(text)
        if not line.startswith(("|", "!", "#")) and " " in line.strip("- ")
    ]

    assert not [line for line in prose if len(line) > 100 and "](" not in line]


def test_docstrings_of_the_product_have_few_worn_verbs() -> None:
    assert measure(product_docstrings()).worn <= WORN_MAX


def test_docstrings_of_the_tests_have_few_worn_verbs() -> None:
    assert measure(docstrings_of_tests()).worn <= WORN_MAX


def test_measure_counts_words_and_commas_of_sentences() -> None:
    measured = measure(
        "# No, heading\n\nOne, two, three four. Five six seven eight nine ten; it told.\n\n`a, b`\n"
    )

    assert measured.words == (4 + 8) / 2
    assert measured.commas == (2 + 1) / 2
    assert measured.worn == 1


def _outside_code(text: str) -> list[str]:
    return [line for block in text.split("```")[::2] for line in block.split("\n")]


@pytest.mark.parametrize("page", pages())
def test_modules_that_a_page_names_exist(page: str) -> None:
    existing = {PurePosixPath(path).name for path in tracked_files("*.py", "*.sql")}
    named = re.findall(r"[\w./]+\.py\b", (ROOT / page).read_text(encoding="utf-8"))

    assert not {PurePosixPath(name).name for name in named} - existing
