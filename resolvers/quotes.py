"""What graphql-core says of a bad document or variable, without what it quotes of the client's values.

It quotes whole inputs, and a secret beside a misspelt field with them; answers end up in the logs of clients.
"""

import re
from typing import Final

_QUOTES: Final = (
    (re.compile(r"[,;.?] [Ff]ound: .*", re.DOTALL), "."),  # a value that is not of its type
    (re.compile(r"(cannot represent[^:]*): .*", re.DOTALL), r"\1."),  # of a scalar
    (re.compile(r"(String) (['\"]).*\2", re.DOTALL), r"\1"),  # a literal where the syntax has none
)


def without_quotes(message: str) -> str:
    """The message, but for values."""
    for quote, instead in _QUOTES:
        message = quote.sub(instead, message, count=1)
    return message
