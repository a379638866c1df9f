"""The kinds of fields. Each kind converts a client's value to the value that is bound to SQL.

A kind raises `ValueError` with words that follow the field's name: "must have at most 200 characters".
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from core.clock import NEVER
from core.limits import (
    AMOUNT_MAX,
    EMAIL_MAX_CHARS,
    JSON_CHARS_MAX,
    TEXT_LIST_MAX,
    TEXT_MAX_CHARS,
    TIME_MAX_MS,
)
from core.storable import dump_storable_json, require_storable_text

_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\\]{1,64}@(?=.{1,253}\Z)(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class FieldKind(Protocol):
    """The kind of a field's values."""

    @property
    def sql_type(self) -> str:
        """The PostgreSQL type that a value is bound as."""
        ...

    def parse(self, value: Any) -> Any:
        """The value in its bound form.

        Raises:
            ValueError: It is not valid.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextKind:
    """A text. Its ends are trimmed, and it must not be empty unless `empty` is set.

    Attributes:
        length_max: The maximum number of characters.
        empty: Whether an empty text is allowed.
        lines: Whether it may have line breaks.
        check: A further check; raises `ValueError`.
        canonical: Makes the one spelling of it that is stored.
    """

    length_max: int = TEXT_MAX_CHARS
    empty: bool = False
    lines: bool = False
    check: Callable[[str], None] | None = None
    sql_type: str = "text"
    canonical: Callable[[str], str] | None = None

    def parse(self, value: Any) -> str:
        """The trimmed text."""
        text = _read_storable_text(value).strip()
        if not text and not self.empty:
            raise ValueError("must not be empty")
        if len(text) > self.length_max:
            raise ValueError(f"must have at most {self.length_max} characters, not {len(text)}")
        if _CONTROL_CHARACTERS.search(text) or (not self.lines and "\n" in text):
            raise ValueError("must not contain control characters")
        if self.check and text:
            self.check(text)
        return self.canonical(text) if self.canonical else text


def _read_storable_text(value: Any) -> str:
    text = str(value)
    require_storable_text(text)
    return text


def _check_email(text: str) -> None:
    if not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address")


def _check_slug(text: str) -> None:
    if not _SLUG.fullmatch(text):
        raise ValueError("must be a slug: lowercase letters, digits and single hyphens between them")


def _check_url(text: str) -> None:
    try:
        split_url = urlsplit(text)
        good = split_url.scheme in ("http", "https") and bool(split_url.hostname) and not split_url.username
    except ValueError:
        good = False
    if not good or " " in text:
        raise ValueError("must be an http or https URL")


def _check_icon(text: str) -> None:
    if not text.startswith("/") or text.startswith("//"):
        _check_url(text)


EMAIL: Final = TextKind(EMAIL_MAX_CHARS, check=_check_email)
SLUG: Final = TextKind(100, check=_check_slug)
URL: Final = TextKind(2_000, check=_check_url)
ICON: Final = TextKind(2_000, check=_check_icon)
"""A URL, or a path on the dashboards' own server."""


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """The id of a row of another table. The row is checked when all fields are read.

    Attributes:
        table: The table.
        condition: A further condition on the row, as SQL, and the message if it does not hold.
    """

    table: str
    condition: tuple[str, str] | None = None
    sql_type: str = "text"

    def parse(self, value: Any) -> str:
        """The id."""
        text = _read_storable_text(value)
        if not 0 < len(text) <= TEXT_MAX_CHARS:
            raise ValueError("must be an id")
        return text


@dataclass(frozen=True, slots=True)
class EnumKind:
    """A member of an enum."""

    enum: type[StrEnum]
    sql_type: str = "text"

    def parse(self, value: Any) -> str:
        """The member's value."""
        return self.enum(value).value


@dataclass(frozen=True, slots=True)
class TimestampKind:
    """A time in milliseconds since the epoch, from 1970 to the end of the year 9999.

    Attributes:
        never: Whether it may also be `core.clock.NEVER`, which clients write as null.
    """

    never: bool = False
    sql_type: str = "bigint"

    def parse(self, value: Any) -> int:
        """The milliseconds."""
        milliseconds = int(value)
        if milliseconds < 0:
            raise ValueError("must not be before 1970")
        if milliseconds > TIME_MAX_MS and not (self.never and milliseconds == NEVER):
            raise ValueError("must not be after the year 9999" + ("; null means never" if self.never else ""))
        return milliseconds


@dataclass(frozen=True, slots=True)
class AmountKind:
    """An exact amount of money. Its bounds are `least` and `scale` (digits after the decimal point)."""

    least: Decimal = Decimal(0)
    scale: int = 6
    sql_type: str = "numeric"

    def parse(self, value: Any) -> Decimal:
        """The amount."""
        amount = Decimal(value)
        if not self.least <= amount <= AMOUNT_MAX:
            raise ValueError(f"must be between {self.least} and {AMOUNT_MAX}")
        if amount != round(amount, self.scale):
            raise ValueError(f"must have at most {self.scale} digits after the decimal point")
        return amount


@dataclass(frozen=True, slots=True)
class BooleanKind:
    """True or false."""

    sql_type: str = "boolean"

    def parse(self, value: Any) -> bool:
        """The flag."""
        return bool(value)


@dataclass(frozen=True, slots=True)
class TextListKind:
    """A list of short texts without duplicates."""

    each: TextKind = TextKind(100)
    sql_type: str = "text[]"

    def parse(self, value: Any) -> list[str]:
        """The texts."""
        if len(value) > TEXT_LIST_MAX:
            raise ValueError(f"must have at most {TEXT_LIST_MAX} elements, not {len(value)}")
        texts = [self.each.parse(text) for text in value]
        if len(set(texts)) < len(texts):
            raise ValueError("must not contain an element twice")
        return texts


@dataclass(frozen=True, slots=True)
class JsonKind:
    """A JSON value, bound as text. It must be an object unless `any_value` is set.

    Attributes:
        any_value: Whether it may be something else than an object.
        check: A further check; raises `ValueError`.
    """

    any_value: bool = False
    check: Callable[[Any], None] | None = None
    sql_type: str = "jsonb"

    def parse(self, value: Any) -> str:
        """The JSON text."""
        if not self.any_value and not isinstance(value, dict):
            raise ValueError("must be a JSON object")
        text = dump_storable_json(value, JSON_CHARS_MAX)
        if self.check:
            self.check(value)
        return text


def build_slug(name: str, length_max: int = 80) -> str:
    """The slug of a name: its letters without accents; "x" if it has none."""
    bare = unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("&", " and "))
    letters = "".join(character for character in bare if not unicodedata.combining(character))
    return "-".join(re.findall(r"[a-z0-9]+", letters))[:length_max].strip("-") or "x"
