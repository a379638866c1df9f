"""What is wrong with a client's input: all of it is found before any of it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.errors import BadUserInputError
from services.writes.values import storable


class Complaints:
    """The bad fields of one input."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def add(self, field: str, problem: str) -> None:
        """Note what is wrong with a field, by its column's name; the first complaint about it stands."""
        self.fields.setdefault(graphql_name(field), problem)

    @contextmanager
    def about(self, field: str) -> Iterator[None]:
        """Note a `ValueError` as a complaint about a field."""
        try:
            yield
        except ValueError as error:
            self.add(field, str(error))

    def tell(self) -> None:
        """Go on where there is nothing to complain about.

        Raises:
            BadUserInputError: There is; it has every bad field.
        """
        if self.fields:
            said = "; ".join(f"`{name}` {problem}" for name, problem in self.fields.items())
            raise BadUserInputError(f"The input is not good: {said}", self.fields)


@contextmanager
def told_as(**names: str) -> Iterator[None]:
    """Tell of bad fields by the names of a verb's arguments: `told_as(psa_integration_id="integration_id")`."""
    known = {graphql_name(column): graphql_name(name) for column, name in names.items()}
    try:
        yield
    except BadUserInputError as error:
        complaints = Complaints()
        complaints.fields = {known.get(name, name): problem for name, problem in error.fields.items()}
        complaints.tell()
        raise


def require_storable(**given: str | None) -> None:
    """Make sure that texts can be bound to SQL, ahead of a look-up by them.

    Raises:
        BadUserInputError: One cannot.
    """
    complaints = Complaints()
    for name, text in given.items():
        if text is not None:
            with complaints.about(name):
                storable(text)
    complaints.tell()


def refuse(field: str, problem: str) -> BadUserInputError:
    """The error about one field, by its column's name."""
    complaints = Complaints()
    complaints.add(field, problem)
    name = graphql_name(field)
    return BadUserInputError(f"The input is not good: `{name}` {problem}", complaints.fields)


def graphql_name(column: str) -> str:
    """A column's name as clients know it: `site_id` is `siteId`."""
    first, *rest = column.split("_")
    return first + "".join(word.capitalize() for word in rest)


def python_name(name: str) -> str:
    """A client's name of a column or argument as we know it: `siteId` is `site_id`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def pythonic(given: dict[str, Any]) -> dict[str, Any]:
    """A client's input by our names; values stay as they are."""
    return {python_name(name): value for name, value in given.items()}
