"""The column types of the 21 tables, one class for each kind in the reference.

Text is always compared by the collation "C", so order and uniqueness do not depend on the machine. The defaults
here apply to rows that the server creates. The SQL has the same defaults (migrations/sql) for other writers.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from tortoise.exceptions import ValidationError
from tortoise.fields import RESTRICT, Field, JSONField
from tortoise.fields.relational import ForeignKeyFieldInstance

from core.clock import now_ms
from core.ids import generate_id

TEXT: Final = 'TEXT COLLATE "C"'

Value = TypeVar("Value", bound=StrEnum)


class Text(Field[str]):
    """Text of any length, compared by bytes."""

    field_type = str
    SQL_TYPE = TEXT


class Id(Text):
    """An opaque key. A new one is a UUIDv7, an imported one stays unchanged."""


class Enumerated(Field[Value]):
    """One of a closed set of values, written in lower case. The SQL has the check constraint."""

    SQL_TYPE = TEXT

    def __init__(self, enum: type[Value], **options: Any) -> None:
        super().__init__(**options)
        self.field_type = enum

    def to_db_value(self, value: Any, instance: Any) -> str | None:
        """The member's value.

        Raises:
            ValueError: `value` is not in the set.
        """
        member = super().to_db_value(value, instance)
        return None if member is None else str(member.value)


class Milliseconds(Field[int]):
    """A time in milliseconds since the epoch (UTC), within the range that a JSON number holds exactly."""

    field_type = int
    SQL_TYPE = "BIGINT"


class Integer(Field[int]):
    """A count or a code of at most 32 bits."""

    field_type = int
    SQL_TYPE = "INT"


class Flag(Field[bool]):
    """True or false."""

    field_type = bool
    SQL_TYPE = "BOOL"


class Money(Field[Decimal]):
    """An exact amount of money, with as many decimal places as it was given; never a float."""

    field_type = Decimal
    SQL_TYPE = "NUMERIC"

    def to_db_value(self, value: Any, instance: Any) -> Decimal | None:
        """The amount as a Decimal.

        Raises:
            ValidationError: `value` is a float, so its digits may differ from the intended ones.
        """
        if isinstance(value, float):
            raise ValidationError(f"{self.model_field_name}: an amount is exact, not a float")
        amount: Decimal | None = super().to_db_value(value, instance)
        return amount


class Quantity(Money):
    """An exact number of units, which may be a fraction."""


class Json(JSONField[Any]):
    """A JSON value."""

    SQL_TYPE = "JSONB"


class TextArray(Field[list[str]]):
    """A list of texts, in the given order."""

    field_type = list
    SQL_TYPE = 'TEXT[] COLLATE "C"'


def primary_key(description: str = "Opaque key; a new one is a UUIDv7.") -> Id:
    """The `id` of a table."""
    return Id(primary_key=True, default=generate_id, description=description)


def created_at() -> Milliseconds:
    """When the row was created."""
    return Milliseconds(default=now_ms, description="When the row was made.")


def updated_at() -> Milliseconds:
    """When a person or a job last changed the row."""
    return Milliseconds(default=now_ms, description="When a person or a job last changed the row.")


def deleted_at() -> Milliseconds:
    """When the row was soft-deleted; null if it was not."""
    return Milliseconds(null=True, description="When the row was soft-deleted, if it was.")


def reference(model: str, description: str, *, null: bool = False) -> Any:
    """A reference to one row of `model`; the column has the attribute's name, with `_id`.

    The foreign keys are in SQL (migrations/sql). Those between a tenant's rows include the tenant, which Tortoise
    cannot express. An additional plain foreign key would cost time at every write.
    """
    return ForeignKeyFieldInstance(
        f"models.{model}",
        related_name=False,
        on_delete=RESTRICT,
        db_constraint=False,
        null=null,
        description=description,
    )


def tenant() -> Any:
    """The tenant to which the row belongs permanently."""
    return reference("Tenant", "The tenant to which the row belongs, for ever.")
