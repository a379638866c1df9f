"""What PostgreSQL can store: texts without NUL and halves of surrogate pairs, and JSON of such texts."""

from typing import Any

from core.exact_json import dump_json, has_nul
from core.json_numbers import require_storable_numbers

_HAS_NUL = "must not contain a NUL character"


def require_storable_text(text: str) -> None:
    """Check that PostgreSQL can store a text.

    Raises:
        ValueError: It has a NUL character or half of a surrogate pair.
    """
    if "\0" in text:
        raise ValueError(_HAS_NUL)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("must not contain half of a surrogate pair") from None


def is_storable_text(text: str) -> bool:
    """Whether PostgreSQL can store a text."""
    try:
        require_storable_text(text)
    except ValueError:
        return False
    return True


def require_storable_json(text: str) -> None:
    """Check that PostgreSQL can store the texts in JSON.

    Raises:
        ValueError: A text in it has a NUL character.
    """
    if has_nul(text):
        raise ValueError(_HAS_NUL)


def dump_storable_json(value: Any, chars_max: int | None = None) -> str:
    """A value as JSON that PostgreSQL can store.

    Args:
        value: The value.
        chars_max: Characters that it may have as PostgreSQL writes it; None for any number.

    Raises:
        ValueError: It has a NUL character, half of a surrogate pair or a number beyond `numeric`. Or it nests
            too deep, or is too long.
    """
    encoded = dump_json(value)
    text = encoded.decode()
    require_storable_json(text)
    require_storable_numbers(value, encoded, chars_max)
    return text
