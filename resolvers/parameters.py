"""The values of a statement: always bound, never spliced into SQL."""

from core.errors import BadUserInputError


class Parameters:
    """Collects values and hands out their placeholders."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._shared: dict[object, str] = {}

    def add(self, value: object, sql_type: str = "text") -> str:
        """Bind a value; returns its placeholder, cast so that PostgreSQL need not guess.

        Raises:
            BadUserInputError: A text that PostgreSQL cannot hold.
        """
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str):
                refuse_unstorable(text)
        self.values.append(value)
        return f"${len(self.values)}::{sql_type}"

    def share(self, value: str | None) -> str:
        """Bind a text that stands in many places of a statement, such as the tenant's id, only once."""
        if value not in self._shared:
            self._shared[value] = self.add(value)
        return self._shared[value]


def refuse_unstorable(text: str) -> None:
    """Refuse what PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs.

    Raises:
        BadUserInputError: The text has one of these.
    """
    if "\x00" in text:
        raise BadUserInputError("A text must not contain the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadUserInputError("A text must not contain half of a surrogate pair") from error
