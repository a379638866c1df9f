"""Counts the rows in the script of a dump: the lines from COPY to its end marker. No I/O."""

import re
from typing import Final

_COPY: Final = re.compile(rb"COPY (.+?) (?:\(.*\) )?FROM stdin;")
_END: Final = b"\\."


class CopyCounter:
    """Counts while the script passes through.

    Attributes:
        rows: The rows by table, as the script names it: `public.tenants`.
    """

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._table: str | None = None
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Count the lines of the next part of the script."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if self._table is None:
                self._begin_table(line)
            elif line == _END:
                self._table = None
            else:
                self.rows[self._table] += 1

    def _begin_table(self, line: bytes) -> None:
        found = _COPY.fullmatch(line) if line.startswith(b"COPY ") else None
        if found:
            self._table = found[1].decode()
            self.rows[self._table] = 0

    @property
    def is_within_table(self) -> bool:
        """Whether the script ended within the rows of a table."""
        return self._table is not None
