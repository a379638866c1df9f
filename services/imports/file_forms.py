"""Names files that are exports in a form that is not read, and says how to convert them."""

from pathlib import Path
from typing import Final

from core.errors import FileRefusedError

_BY_START: Final = {
    b"PGDMP": "a dump in PostgreSQL's custom format: convert it to text with `pg_restore --file=dump.sql`",
    b"\x1f\x8b": "compressed: expand it with gunzip",
    b"BZh": "compressed: expand it with bunzip2",
    b"\xfd7zXZ\x00": "compressed: expand it with unxz",
    b"\x28\xb5\x2f\xfd": "compressed: expand it with unzstd",
    b"\x04\x22\x4d\x18": "compressed: expand it with unlz4",
    b"PK\x03\x04": "a ZIP file: expand it, and name the folder or the dump in it",
}
_TAR_AT: Final = 257
_TAR: Final = (
    "a tar file: if pg_dump wrote it, convert it with `pg_restore --file=dump.sql`; otherwise expand it"
)
_WIDE: Final = (
    "in {encoding}, as PowerShell writes the output of a command: "
    "write it again with `pg_dump --file=dump.sql`, or convert it with `iconv -f {encoding} -t UTF-8`"
)
_MARKS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_UNMARKED: Final = {1: "UTF-16LE", 0: "UTF-16BE"}
_SAMPLE_BYTES: Final = 64


def require_text(path: Path, head: bytes) -> None:
    """Refuse a file that is no text in UTF-8 by its first bytes, of which 512 are enough.

    Raises:
        FileRefusedError: It is compressed, an archive, or in another encoding.
    """
    if form := _find_form(head):
        raise FileRefusedError(f"{path} is {form}")


def _find_form(head: bytes) -> str:
    for start, form in _BY_START.items():
        if head.startswith(start):
            return form
    if head[_TAR_AT:].startswith(b"ustar"):
        return _TAR
    encoding = _find_wide_encoding(head)
    return _WIDE.format(encoding=encoding) if encoding else ""


def _find_wide_encoding(head: bytes) -> str:
    """The encoding if it has more than one byte for each letter. Without a mark, zeros show it."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    sample = head[:_SAMPLE_BYTES]
    for high, encoding in _UNMARKED.items():
        zeros, letters = sample[high::2], sample[1 - high :: 2]
        if zeros and not any(zeros) and all(letters):
            return encoding
    return ""
