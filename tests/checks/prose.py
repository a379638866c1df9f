"""Measures prose: words and commas a sentence, and verbs that machines do not do.

`python -m tests.checks.prose [PATH...]` prints a line for each page.
"""

import re
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.checks.sources import ROOT, docstrings, tracked_files

PAGES: Final = ("*.md",)
WORDS_MAX: Final = 17.0
COMMAS_MAX: Final = 0.8
WORN_MAX: Final = 39

WORN: Final = re.compile(
    r"\b(tells?|told|telling|hears?|heard|whose|somebody|nobody|beside)\b", re.IGNORECASE
)
_CODE_BLOCK: Final = re.compile(r"```.*?```", re.DOTALL)
_NO_PROSE: Final = re.compile(r"^(\||#|!|:|<).*$", re.MULTILINE)
_CODE: Final = re.compile(r"`[^`]*`")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PARAGRAPH: Final = re.compile(r"\n\s*\n|\n(?=\s*[-*] |\s*\d+\. )")
_SENTENCE: Final = re.compile(r"(?<=[.!?:])\s+")
_WORD: Final = re.compile(r"[A-Za-z']+")
_WORDS_MIN: Final = 4


class Measure(NamedTuple):
    """Averages over the sentences of a text, and how many worn verbs it has."""

    words: float
    commas: float
    worn: int

    @property
    def is_plain(self) -> bool:
        """Whether sentences are short enough on average."""
        return self.words <= WORDS_MAX and self.commas <= COMMAS_MAX


def measure(text: str) -> Measure:
    """Measure a Markdown text: code, tables and headings do not count, nor do fragments of three words."""
    found = list(_sentences(text))
    count = max(len(found), 1)
    words = sum(len(_WORD.findall(sentence)) for sentence in found) / count
    commas = sum(len(re.findall("[,;]", sentence)) for sentence in found) / count
    return Measure(words, commas, len(WORN.findall(text)))


def _sentences(text: str) -> Iterator[str]:
    plain = _LINK.sub(r"\1", _CODE.sub("X", _NO_PROSE.sub("", _CODE_BLOCK.sub("", text))))
    for paragraph in _PARAGRAPH.split(plain):
        for sentence in _SENTENCE.split(paragraph.strip()):
            if len(_WORD.findall(sentence)) >= _WORDS_MIN:
                yield sentence


def pages() -> tuple[str, ...]:
    """The Markdown pages that people read, from the root."""
    return tracked_files(*PAGES)


def product_docstrings() -> str:
    """All docstrings outside tests and benchmarks."""
    paths = (path for path in tracked_files("*.py") if not path.startswith(("tests/", "benchmarks/")))
    return "\n\n".join(text for path in paths for text in docstrings(path))


def docstrings_of_tests() -> str:
    """All docstrings of the tests."""
    return "\n\n".join(text for path in tracked_files("tests/*.py") for text in docstrings(path))


def _print_measures(paths: tuple[str, ...]) -> None:
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in paths}
    texts |= {
        "docstrings of the product": product_docstrings(),
        "docstrings of the tests": docstrings_of_tests(),
    }
    for name, text in texts.items():
        words, commas, worn = measure(text)
        print(f"{name:40} {words:5.1f} words  {commas:4.2f} commas  {worn:4} worn verbs")


if __name__ == "__main__":
    _print_measures(tuple(sys.argv[1:]) or pages())
