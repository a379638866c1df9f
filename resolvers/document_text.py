"""The limits of a document that its text tells, before it is parsed: how long it is, and how deep it nests."""

import re
from typing import Final

from core.errors import refuse_beyond
from core.limits import DOCUMENT_CHARS_MAX, DOCUMENT_NESTING_MAX, DOCUMENT_TOKENS_MAX

# What ends early (an unterminated string) ends the document for the parser, too; no part is ever tried twice.
_TOKEN: Final = re.compile(
    r'''"""(?:[^"\\]|\\(?:""")?|"{1,2}(?!"))*+(?:""")?'''  # a block string
    r"""|"(?:[^"\\\n\r]|\\.)*+"?"""
    r"|\#[^\n\r]*+"
    r"|\.\.\."
    r"|[A-Za-z_][A-Za-z_0-9]*+"
    r"|-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    r"|[^\s,\ufeff]"
)
_STEPS: Final = {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}


def check_text(text: str) -> int:
    """The document's tokens; takes time in proportion to the text, which is bounded first.

    Raises:
        LimitExceededError: It is too long or nests too deep.
    """
    refuse_beyond("characters", DOCUMENT_CHARS_MAX, len(text), "characters")
    tokens = depth = deepest = 0
    for match in _TOKEN.finditer(text):
        tokens += 1
        depth += _STEPS.get(match[0], 0)
        deepest = max(deepest, depth)
    refuse_beyond("tokens", DOCUMENT_TOKENS_MAX, tokens, "tokens")
    refuse_beyond("nesting", DOCUMENT_NESTING_MAX, deepest, "levels of brackets")
    return tokens
