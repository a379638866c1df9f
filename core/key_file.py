"""A key in a file of the data directory: made once, for its owner alone, whoever starts first."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.errors import StartupError


def kept_key(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds, made there first if there is none; safe for two processes at once.

    Raises:
        StartupError: if the file cannot be read or written.
    """
    try:
        if not path.exists():
            _write_once(path, make())
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"The key file {path} cannot be used: {error.strerror or error}.") from error


def _write_once(path: Path, key: bytes) -> None:
    """Writes the file whole and for its owner alone, unless another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()
