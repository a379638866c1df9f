"""What a field of a row may hold: each kind reads what a client gave into what is bound to SQL.

A kind raises `ValueError` with words that go on after the field's name: "has more than 200 characters".
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from core.limits import AMOUNT_MAX, EMAIL_MAX_CHARS, JSON_CHARS_MAX, TEXT_LIST_MAX, TEXT_MAX_CHARS

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\\]{1,64}@(?=.{1,253}\Z)(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Kind(Protocol):
    """What a field holds."""

    @property
    def sql_type(self) -> str:
        """The PostgreSQL type that a value is bound as."""
        ...

    def read(self, value: Any) -> Any:
        """The value as it is bound.

        Raises:
            ValueError: It is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text; its ends are trimmed, and unless `empty` something must be left.

    Attributes:
        most: Characters at most.
        empty: Whether nothing is a text, too.
        lines: Whether it may have line breaks.
        check: What more it must be; raises `ValueError`.
    """

    most: int = TEXT_MAX_CHARS
    empty: bool = False
    lines: bool = False
    check: Callable[[str], None] | None = None
    sql_type: str = "text"

    def read(self, value: Any) -> str:
        """The trimmed text."""
        text = storable(value).strip()
        if not text and not self.empty:
            raise ValueError("is empty")
        if len(text) > self.most:
            raise ValueError(f"has {len(text)} characters; {self.most} are allowed")
        if _CONTROL.search(text) or (not self.lines and "\n" in text):
            raise ValueError("has control characters")
        if self.check and text:
            self.check(text)
        return text


def _email(text: str) -> None:
    if not _EMAIL.fullmatch(text):
        raise ValueError("is no e-mail address")


def _slug(text: str) -> None:
    if not _SLUG.fullmatch(text):
        raise ValueError("is no slug: small letters, digits and single hyphens between them")


def _url(text: str) -> None:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        good = False
    if not good or " " in text:
        raise ValueError("is no http or https URL")


def _icon(text: str) -> None:
    if not text.startswith("/") or text.startswith("//"):
        _url(text)


EMAIL: Final = Text(EMAIL_MAX_CHARS, check=_email)
SLUG: Final = Text(100, check=_slug)
URL: Final = Text(2_000, check=_url)
ICON: Final = Text(2_000, check=_icon)
"""A URL, or a path on the dashboards' own server."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The id of a row of another table, which is looked for when all fields are read.

    Attributes:
        table: The table.
        condition: What must hold for the row beside being there, as SQL, and in words where it does not.
    """

    table: str
    condition: tuple[str, str] | None = None
    sql_type: str = "text"

    def read(self, value: Any) -> str:
        """The id."""
        text = storable(value)
        if not 0 < len(text) <= TEXT_MAX_CHARS:
            raise ValueError("is no id")
        return text


@dataclass(frozen=True, slots=True)
class OneOf:
    """A member of an enum."""

    enum: type[StrEnum]
    sql_type: str = "text"

    def read(self, value: Any) -> str:
        """The member's value."""
        return self.enum(value).value


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in milliseconds since the epoch, not before it."""

    sql_type: str = "bigint"

    def read(self, value: Any) -> int:
        """The milliseconds."""
        moment = int(value)
        if moment < 0:
            raise ValueError("is before 1970")
        return moment


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact amount of money; `least` and `places` (digits behind the point) bound it."""

    least: Decimal = Decimal(0)
    places: int = 6
    sql_type: str = "numeric"

    def read(self, value: Any) -> Decimal:
        """The amount."""
        amount = Decimal(value)
        if not self.least <= amount <= AMOUNT_MAX:
            raise ValueError(f"is not between {self.least} and {AMOUNT_MAX}")
        if amount != round(amount, self.places):
            raise ValueError(f"has more than {self.places} digits behind the point")
        return amount


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    sql_type: str = "boolean"

    def read(self, value: Any) -> bool:
        """The flag."""
        return bool(value)


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of short texts without doubles."""

    each: Text = Text(100)
    sql_type: str = "text[]"

    def read(self, value: Any) -> list[str]:
        """The texts."""
        if len(value) > TEXT_LIST_MAX:
            raise ValueError(f"has {len(value)} members; {TEXT_LIST_MAX} are allowed")
        texts = [self.each.read(text) for text in value]
        if len(set(texts)) < len(texts):
            raise ValueError("has a member twice")
        return texts


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value; an object unless `any_value`. Bound as text.

    Attributes:
        any_value: Whether it may be something else than an object.
        check: What more it must be; raises `ValueError`.
    """

    any_value: bool = False
    check: Callable[[Any], None] | None = None
    sql_type: str = "jsonb"

    def read(self, value: Any) -> str:
        """The JSON text."""
        if not self.any_value and not isinstance(value, dict):
            raise ValueError("is no JSON object")
        text = json_text(value)
        if self.check:
            self.check(value)
        return text


def json_text(value: Any) -> str:
    """A JSON value as PostgreSQL can keep it.

    Raises:
        ValueError: It cannot: NUL characters, halves of surrogate pairs, numbers beyond 64 bits, or too long.
    """
    try:
        text = orjson.dumps(value).decode()
    except TypeError as error:
        raise ValueError("has a value that cannot be kept as JSON") from error
    if has_nul(text):
        raise ValueError("has a NUL character")
    if len(text) > JSON_CHARS_MAX:
        raise ValueError(f"has {len(text)} characters of JSON; {JSON_CHARS_MAX} are allowed")
    return text


def storable(value: Any) -> str:
    """A text that PostgreSQL can hold.

    Raises:
        ValueError: It cannot.
    """
    text = str(value)
    try:
        octets = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        octets = b"\x00"
    if b"\x00" in octets:
        raise ValueError("has characters that cannot be kept")
    return text


def is_storable(text: str | None) -> bool:
    """Whether PostgreSQL can hold a text."""
    try:
        storable(text)
    except ValueError:
        return False
    return True


def has_nul(json: str) -> bool:
    """Whether a text in this JSON has a NUL character, which PostgreSQL cannot hold."""
    return "\\u0000" in json and _NUL.search(json) is not None  # the pattern alone takes ten times as long


def slug_of(name: str, most: int = 80) -> str:
    """The slug that a name makes: its letters without accents; "x" where there is nothing to make one of."""
    bare = unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("&", " and "))
    letters = "".join(character for character in bare if not unicodedata.combining(character))
    return "-".join(re.findall(r"[a-z0-9]+", letters))[:most].strip("-") or "x"
