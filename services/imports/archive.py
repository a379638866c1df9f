"""Reads an untrusted ZIP file. Nothing is unpacked to disk, and a ZIP bomb is refused before it is read."""

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from core.errors import FileRefusedError
from core.limits import IMPORT_BOMB_BYTES, IMPORT_BOMB_RATIO, IMPORT_DIRECTORY_BYTES_MAX
from services.imports.line_reader import Stream

_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_COMMENT_MAX: Final = 65_535
_LOCATOR: Final = struct.Struct("<4sIQI")
_IS_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error)


class Archive:
    """An open ZIP file with its members by name. The names are keys and never paths."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                _check_directory(file)
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise FileRefusedError(f"{path} cannot be read: {error.strerror or error}") from error
        except _BROKEN as error:
            raise FileRefusedError(f"{path} is not a ZIP file, or is truncated: {error}") from error
        self._members = self._zip.infolist()

    @property
    def names(self) -> list[str]:
        """The names of its members, unchanged."""
        return [member.filename for member in self._members]

    def size(self, name: str) -> int:
        """The unpacked size of a member, in bytes."""
        return self._zip.getinfo(name).file_size

    def check(self, names: list[str]) -> None:
        """Validate these members before any is read.

        Raises:
            FileRefusedError: A member occurs twice, is encrypted, is packed by an unknown method, overlaps with
                another, or would unpack to hundreds of times its size.
        """
        times = Counter(self.names)
        for name in names:
            if times[name] > 1:
                raise FileRefusedError(
                    f"{self._path} contains {name} {times[name]} times: it must occur once"
                )
            _check_member(self._zip.getinfo(name))
        self._require_no_overlap()

    @contextmanager
    def open(self, name: str) -> Iterator[Stream]:
        """A member as a stream that is unpacked while it is read.

        Raises:
            FileRefusedError: It is corrupt or truncated. This is also raised while it is read.
        """
        with _translate_read_errors(f"{name} in {self._path}"):
            stream = self._zip.open(name)
        with stream:
            yield _Member(stream, f"{name} in {self._path}")

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _require_no_overlap(self) -> None:
        """Refuse members that share bytes: they can expand a few MB to petabytes."""
        end = 0
        for member in sorted(self._members, key=lambda member: member.header_offset):
            if member.header_offset < end:
                raise FileRefusedError(f"{self._path} is rejected: its members overlap, as in a ZIP bomb")
            end = member.header_offset + member.compress_size


class _Member:
    """A member's bytes. An error while they are read is the file's fault; no other error is."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name

    def read(self, size: int, /) -> bytes:
        with _translate_read_errors(self._name):
            return self._stream.read(size)


@contextmanager
def _translate_read_errors(name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise FileRefusedError(f"{name} is damaged or truncated: {error}") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _IS_ENCRYPTED:
        raise FileRefusedError(f"{member.filename} is encrypted")
    if member.compress_type not in _METHODS:
        raise FileRefusedError(f"{member.filename} must be compressed with deflate")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > IMPORT_BOMB_BYTES and ratio > IMPORT_BOMB_RATIO:
        raise FileRefusedError(
            f"{member.filename} is rejected: it would expand to {member.file_size:,} bytes, {ratio:.0f} "
            "times its size"
        )


def _check_directory(file: IO[bytes]) -> None:
    """Check the size of the archive's directory, which is read into memory as a whole."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _COMMENT_MAX))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise zipfile.BadZipFile("its end is missing")
    (listed,) = struct.unpack_from("<I", tail, at + 12)
    if listed == 0xFFFF_FFFF and at >= _LOCATOR.size:
        _, _, offset, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        file.seek(min(offset, size))
        (listed,) = struct.unpack_from("<Q", file.read(56), 40)
    if listed > IMPORT_DIRECTORY_BYTES_MAX:
        raise zipfile.BadZipFile(f"its list of members has {listed:,} bytes")
