"""Removes the client's values from graphql-core's error messages on a bad document or variable.

graphql-core quotes whole inputs, so a secret next to a misspelled field would be in the message. Clients log
messages.
"""

import re
from typing import Final

_QUOTED_VALUES: Final = (
    (re.compile(r"[,;.?] [Ff]ound: .*", re.DOTALL), "."),  # a value that is not of its type
    (re.compile(r"(cannot represent[^:]*): .*", re.DOTALL), r"\1."),  # of a scalar
    (re.compile(r"(String) (['\"]).*\2", re.DOTALL), r"\1"),  # a literal where the syntax has none
)


def redact_message(message: str) -> str:
    """The message without values."""
    for quote, instead in _QUOTED_VALUES:
        message = quote.sub(instead, message, count=1)
    return message
