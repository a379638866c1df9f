"""Detects credentials in text that is no secret: user:password@ in an address, or a parameter with a secret's name.

`app.carries_credentials` in the database is equivalent; a test compares the two.
"""

import re
from typing import Final

_CREDENTIALS: Final = re.compile(
    r"((^|\s)[/\\]|:)[/\\]+[^/\\?#\s@]*@"  # https://user:password@host, //token@host, https:\\user@host
    r"|[/\\]{2}[^/\\?#\s@:]*:(?![0-9]*([/?#\s]|$))[^\s@]{0,200}@"  # the same with a slash in the password
    r"|(^|\s)(?!(mailto|sips?|acct|xmpp|urn):)[^@:/\\\s]+:[^/\\?#\s@]+@"  # user:password@host
    r"|(^|[?&;#\s])[a-z0-9_.-]{0,64}"  # ?access_token=x, AccountKey=x;
    r"(authorization|cookie|token|secret|passw|passphrase|(api|access|account|signing|private)[-_]?key|dsn)"
    r"[a-z0-9_.-]{0,64}=[^&;#\s]"
    r"|(^|[?&;#\s])(sig|signature|key|auth|pwd|pass)=[^&;#\s]",
    re.IGNORECASE | re.ASCII,
)
"""Each repetition is bounded or ends at a character that it does not contain, so the search takes linear time."""

_IGNORED: Final = str.maketrans("", "", "\t\n\r")
"""Characters that URL parsers drop anywhere in a URL."""

CREDENTIALS_REFUSED: Final = (
    "must not contain credentials (a user or password before `@`, or a parameter such as `token=`): use a "
    "property that the configSchema marks as sensitive"
)


def carries_credentials(text: str) -> bool:
    """Whether a text contains credentials."""
    if "@" not in text and "=" not in text:
        return False
    return _CREDENTIALS.search(text.translate(_IGNORED)) is not None
