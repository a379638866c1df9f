"""The values of a statement. They are always bound, and never part of the SQL text."""

from collections.abc import Hashable
from typing import Any, Final, NoReturn

from core.errors import BadUserInputError
from core.storable import require_storable_text


class Param:
    """A value of one request in a plan that is good for other values, too.

    It can only be bound. Each operation of a text or a number is an error, because its result would bring the value
    of this request into the plans of all others. Parameters of one source are equal: a plan has one value of each.

    Attributes:
        source: What gives the value in each request: a variable, or the viewer's tenant.
        value: The value in the request that is compiled. Only a plan that fits no other values may depend on it.
    """

    __slots__ = ("source", "value")

    def __init__(self, source: str, value: str | int) -> None:
        self.source: Final = source
        self.value: Final = value

    def __hash__(self) -> int:
        return hash(self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Param) and other.source == self.source

    def __repr__(self) -> str:
        return f"Param({self.source!r}, {self.value!r})"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(f"the parameter {self.source!r} can only be bound, and not inspected")

    __bool__ = __str__ = __format__ = _refuse


class Parameters:
    """Collects values and returns their placeholders."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._shared: dict[Hashable, str] = {}

    def add(self, value: object, sql_type: str = "text") -> str:
        """Bind a value. Returns its placeholder with a cast, so that PostgreSQL has its type.

        Raises:
            BadUserInputError: PostgreSQL cannot store the text.
            TypeError: A list contains a `Param`. A plan replaces whole arguments only.
        """
        if isinstance(value, list):
            for each in value:
                if isinstance(each, Param):
                    raise TypeError("a list of bound values cannot contain a parameter")
                _require_bindable(each)
        else:
            _require_bindable(value.value if isinstance(value, Param) else value)
        self.values.append(value)
        return f"${len(self.values)}::{sql_type}"

    def bind_once(self, value: str | Param | None) -> str:
        """Bind a text only once, although a statement uses it in many places, such as the tenant's id."""
        return self.add_once(value, value)

    def add_once(self, key: Hashable, value: object, sql_type: str = "text") -> str:
        """Bind a value when its placeholder is first needed.

        PostgreSQL refuses a parameter that the statement does not use. `key` is unique to the value in the statement.
        """
        if key not in self._shared:
            self._shared[key] = self.add(value, sql_type)
        return self._shared[key]


def _require_bindable(value: object) -> None:
    if isinstance(value, str):
        require_bindable_text(value)


def require_bindable_text(text: str) -> None:
    """Refuse text that PostgreSQL cannot store.

    Raises:
        BadUserInputError: It has a NUL character or half of a surrogate pair.
    """
    try:
        require_storable_text(text)
    except ValueError as error:
        raise BadUserInputError(f"A text {error}") from error
