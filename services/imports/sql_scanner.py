"""Finds the lines of an SQL script that begin a statement.

Similar lines in a function body or a comment do not count.

    SELECT 1;                          at_start before it
    CREATE FUNCTION f() ... AS $tag$
    COPY public.t (id) FROM stdin;     within $tag$ ... $tag$: no statement
    $tag$;

Known are quotes ('...', E'...' with its continuation in a later line, "..."), dollar quotes, comments (-- to the end
of the line, nested /* */) and `;`.
Text is fed in pieces of any size and read once, so that it takes linear time and little memory.
"""

import re
from typing import Final

_OPENING: Final = re.compile(
    rb"(?<![\w$\x80-\xff])[eE]'|'|\""
    rb"|(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$"
    rb"|--|/\*|;"
)
_ESCAPED_END: Final = re.compile(rb"\\.|''|'", re.DOTALL)
_COMMENT_END: Final = re.compile(rb"/\*|\*/")
_LINE_END: Final = re.compile(rb"\n")
_TOKEN_BYTES: Final = 80
"""The maximum length of an opening or closing token: the tag of a dollar quote has 63 bytes at most."""


class SqlScanner:
    """Reads a script from its beginning.

    Attributes:
        backslash_escapes: Whether '...' has escapes as in E'...', which standard_conforming_strings = off means.
    """

    def __init__(self) -> None:
        self.backslash_escapes = False
        self._rest = b""
        self._before = b"\n"
        self._end: re.Pattern[bytes] | None = None
        self._depth = 0
        self._in_statement = False
        self._after_escaped = False

    @property
    def at_start(self) -> bool:
        """Whether a statement can begin at this position."""
        return self._end is None and not self._in_statement and not self._rest

    @property
    def is_open(self) -> bool:
        """Whether a quote or a comment is open."""
        return self._end is not None

    def feed(self, piece: bytes, *, is_whole: bool = True) -> None:
        """Read the next piece.

        Args:
            piece: The next piece, such as a line with its line feed.
            is_whole: Whether no token continues in the next piece.
        """
        text = self._before + self._rest + piece
        at, until = 1, len(text) if is_whole else max(1, len(text) - _TOKEN_BYTES)
        while at < until:
            at = (
                self._outside(text, at, until)
                if self._end is None
                else self._inside(text, at, until, self._end)
            )
        self._before, self._rest = text[at - 1 : at], text[at:]

    def _outside(self, text: bytes, at: int, until: int) -> int:
        found = _OPENING.search(text, at)
        if found is None or found.start() >= until:
            self._pass(text[at:until])
            return until
        token = found[0]
        is_comment = token in (b"--", b"/*")
        self._pass(text[at : found.start()])
        if not (is_comment or token == b";"):
            self._in_statement = True
            self._after_escaped &= token == b"'"
        if token == b";":
            self._in_statement = self._after_escaped = False
        else:
            self._depth = 1
            self._end = self._end_of(token)
        return found.end()

    def _pass(self, between: bytes) -> None:
        if between.strip():
            self._in_statement, self._after_escaped = True, False

    def _end_of(self, token: bytes) -> re.Pattern[bytes]:
        match token:
            case b"--":
                return _LINE_END
            case b"/*":
                return _COMMENT_END
            case b"'" if not (self.backslash_escapes or self._after_escaped):
                return _QUOTE_END
            case b'"':
                return _NAME_END
            case b"'" | b"e'" | b"E'":
                return _ESCAPED_END
            case tag:
                return re.compile(re.escape(tag))

    def _inside(self, text: bytes, at: int, until: int, end: re.Pattern[bytes]) -> int:
        found = end.search(text, at)
        if found is None or found.start() >= until:
            return until
        token = found[0]
        if end is _COMMENT_END:
            self._depth += 1 if token == b"/*" else -1
            self._end = end if self._depth else None
        elif end is not _ESCAPED_END or token == b"'":
            self._end = None
            self._after_escaped = end is _ESCAPED_END or (end is _LINE_END and self._after_escaped)
        return found.end()


_QUOTE_END: Final = re.compile(rb"'")
"""A doubled quote ends the text and starts it again at once."""
_NAME_END: Final = re.compile(rb'"')
