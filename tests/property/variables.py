"""The variables of a generated document: any input value may become one, declared in every way that there is."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import GraphQLInputType, GraphQLNonNull, get_nullable_type

from tests.property.values import Refused, Variable, has_variable, literal, plain, writable


@dataclass(slots=True)
class Variables:
    """Declares variables as values ask for them.

    Attributes:
        random: Where choices come from.
        declared: What stands in the operation's head, by name.
        given: The values that are sent along.
    """

    random: Random
    declared: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    _values: list[tuple[str, str, Any]] = field(default_factory=list)

    def place(self, type_: GraphQLInputType, value: Any, *, chance: float, losable: bool = True) -> Any:
        """The value itself, or a variable in its place.

        Args:
            type_: The type of the place.
            value: The value that should stand there.
            chance: How likely it becomes a variable.
            losable: Whether the place can do without the value, as where a variable is declared and not sent.
        """
        if has_variable(value):
            return value
        if writable(value) and self.random.random() >= chance:
            return value
        known = self._known(str(type_), value) if losable else None
        return Variable(known or self._declare(type_, value, losable=losable))

    def again(self, type_: GraphQLInputType) -> Variable | None:
        """A variable of just this type that stands elsewhere, if there is one."""
        found = [name for name, declared, _ in self._values if declared == str(type_)]
        return Variable(self.random.choice(found)) if found else None

    def _known(self, declared: str, value: Any) -> str | None:
        known = (name for name, of_type, held in self._values if of_type == declared and _same(held, value))
        return next(known, None) if self.random.random() < 0.8 else None

    def _declare(self, type_: GraphQLInputType, value: Any, *, losable: bool) -> str:
        name = self.random.choice(("v", "V", "_", "in", "where", "id")) + str(len(self.declared) + 1)
        required = isinstance(type_, GraphQLNonNull)
        head = f"${name}: {type_}"
        roll = self.random.random()
        if isinstance(value, Refused) or not writable(value):
            self.given[name] = plain(value)
        elif roll < 0.3 and value is not None:
            head = self._with_default(name, type_, value, losable=losable)
        elif roll < 0.35 and losable and not required:
            self._withhold(name)
        else:
            head += "!" if not required and value is not None and roll > 0.8 else ""
            self.given[name] = plain(value)
        self.declared[name] = head
        if losable:
            self._values.append((name, str(type_), value))
        return name

    def _with_default(self, name: str, type_: GraphQLInputType, value: Any, *, losable: bool) -> str:
        """A default that is taken, or one that a sent value (null too) stands above."""
        required = isinstance(type_, GraphQLNonNull)
        roll = self.random.random()
        if roll < (0.04 if required else 0.2) and losable:
            self.given[name] = None
        elif roll < 0.4:
            self.given[name] = plain(value)
        return f"${name}: {get_nullable_type(type_)} = {literal(value)}"

    def _withhold(self, name: str) -> None:
        """Declared and not sent, or sent as null."""
        if self.random.random() < 0.5:
            self.given[name] = None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)
