"""Names carry the field's terms: words of a private idiom name no function and no class."""

import ast
import re
from typing import Final

from tests.checks.sources import definitions, tracked_files

IDIOM: Final = re.compile(
    r"tell(s|ing|er|ers)?|told|look(s|ed|ing)?|hold(s|ing|er|ers)?|held|heed(s|ed|ing)?|beside|asked|alone|"
    r"part(s|ed|ing)?|place(s|d)?|placing"
)
"""Each whole, inflected or not; `lookup`, `partition` and `placeholder` are other words."""

VAGUE: Final = frozenset(
    {"work", "go", "say", "settle", "vouch", "unpace", "paced", "found", "kinds", "standing"}
)
"""No function begins with one of these: a function is a verb with its object, and these name neither."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def test_definition_names_have_no_private_idiom() -> None:
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in tracked_files("*.py")
        for node in definitions(path)
        if any(IDIOM.fullmatch(word) for word in words_of(node.name))
    ]

    assert not found, "\n".join(found)


def test_function_names_begin_with_no_vague_word() -> None:
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in tracked_files("*.py")
        for node in definitions(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not path.startswith("migrations/")
        and VAGUE.intersection(words_of(node.name)[:1])
    ]

    assert not found, "\n".join(found)


def test_module_names_have_no_private_idiom() -> None:
    words = {path: re.split(r"[/_.]", path) for path in tracked_files("*.py")}

    assert not [path for path, parts in words.items() if any(IDIOM.fullmatch(word) for word in parts)]


def test_words_of_splits_both_spellings() -> None:
    assert words_of("_lookUpHTMLParts2") == ["look", "up", "html", "parts", "2"]
    assert words_of("is_placeholder_held") == ["is", "placeholder", "held"]


def words_of(name: str) -> list[str]:
    """The words of a name in snake case or camel case, lower-cased."""
    return [word.lower() for word in _WORD.findall(name)]
