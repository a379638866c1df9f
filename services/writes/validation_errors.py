"""Validation errors of a client's input. All are collected before one exception is raised."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.case_conversion import to_camel_case, to_snake_case
from core.errors import BadUserInputError
from core.storable import require_storable_text


class ValidationErrors:
    """The bad fields of one input."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def add(self, field: str, problem: str) -> None:
        """Record an error in a field, by its column's name. The first error of a field is kept."""
        self.fields.setdefault(to_camel_case(field), problem)

    @contextmanager
    def collect(self, field: str) -> Iterator[None]:
        """Record a `ValueError` as the error of a field."""
        try:
            yield
        except ValueError as error:
            self.add(field, str(error))

    def raise_errors(self) -> None:
        """Raise an exception if there are errors.

        Raises:
            BadUserInputError: There are; it has every bad field.
        """
        if self.fields:
            said = "; ".join(f"`{name}` {problem}" for name, problem in self.fields.items())
            raise BadUserInputError(f"Invalid input: {said}", self.fields)


@contextmanager
def rename_fields(**names: str) -> Iterator[None]:
    """Rename the fields of an error to a function's arguments, given as `psa_integration_id="integration_id"`."""
    known = {to_camel_case(column): to_camel_case(name) for column, name in names.items()}
    try:
        yield
    except BadUserInputError as error:
        errors = ValidationErrors()
        errors.fields = {known.get(name, name): problem for name, problem in error.fields.items()}
        errors.raise_errors()
        raise


def require_storable_texts(**given: str | None) -> None:
    """Require that texts can be bound to SQL, before a query by them.

    Raises:
        BadUserInputError: One cannot.
    """
    errors = ValidationErrors()
    for name, text in given.items():
        if text is not None:
            with errors.collect(name):
                require_storable_text(text)
    errors.raise_errors()


def build_field_error(field: str, problem: str) -> BadUserInputError:
    """The exception for one field, by its column's name."""
    errors = ValidationErrors()
    errors.add(field, problem)
    name = to_camel_case(field)
    return BadUserInputError(f"Invalid input: `{name}` {problem}", errors.fields)


def to_python_names(given: dict[str, Any]) -> dict[str, Any]:
    """A client's input by Python names. The values stay as they are."""
    return {to_snake_case(name): value for name, value in given.items()}
