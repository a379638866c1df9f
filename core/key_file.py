"""A key in a file of the data directory: created once, by the first process, readable by its owner alone."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.errors import StartupError


def load_or_create_key(path: Path, generate: Callable[[], bytes]) -> bytes:
    """The content of the file, which is created first if it is missing. Safe for two processes at once.

    Raises:
        StartupError: The file cannot be read or written.
    """
    try:
        if not path.exists():
            _write_once(path, generate())
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"The key file {path} cannot be used: {error.strerror or error}.") from error


def _write_once(path: Path, key: bytes) -> None:
    """Write the whole file, readable by its owner alone, unless another process was faster."""
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
