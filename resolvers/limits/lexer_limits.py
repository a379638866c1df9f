"""The limits of a document that are checked on its text before it is parsed: its length and its nesting."""

import re
from typing import Final

from core.errors import require_within_limit
from core.limits import DOCUMENT_CHARS_MAX, DOCUMENT_NESTING_MAX, DOCUMENT_TOKENS_MAX

# A token that ends too early (an unterminated string) ends the document for the parser, too.
# Possessive quantifiers prevent that any part is matched twice.
_TOKEN: Final = re.compile(
    r'''"""(?:[^"\\]|\\(?:""")?|"{1,2}(?!"))*+(?:""")?'''  # a block string
    r"""|"(?:[^"\\\n\r]|\\.)*+"?"""
    r"|\#[^\n\r]*+"
    r"|\.\.\."
    r"|[A-Za-z_][A-Za-z_0-9]*+"
    r"|-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    r"|[^\s,\ufeff]"
)
_NESTING_STEPS: Final = {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}


def check_document_text(
    text: str, chars_max: int = DOCUMENT_CHARS_MAX, tokens_max: int = DOCUMENT_TOKENS_MAX
) -> int:
    """Count the document's tokens. The time is proportional to the text, and the length of the text is checked first.

    Raises:
        LimitExceededError: It is too long or nests too deep.
    """
    require_within_limit("characters", chars_max, len(text), "characters")
    tokens = depth = deepest = 0
    for match in _TOKEN.finditer(text):
        tokens += 1
        depth += _NESTING_STEPS.get(match[0], 0)
        deepest = max(deepest, depth)
    require_within_limit("tokens", tokens_max, tokens, "tokens")
    require_within_limit("nesting", DOCUMENT_NESTING_MAX, deepest, "levels of brackets")
    return tokens
