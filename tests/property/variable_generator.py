"""The variables of a generated document. Any input value may become one, declared in every possible way."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import GraphQLInputType, GraphQLNonNull, get_nullable_type

from tests.property.input_values import (
    RefusedValue,
    VariableReference,
    format_literal,
    has_variable,
    is_writable,
    to_json_value,
)


@dataclass(slots=True)
class VariableGenerator:
    """Declares variables on request.

    Attributes:
        random: The source of randomness.
        declared: The declarations in the operation's head, by name.
        given: The values that are sent.
    """

    random: Random
    declared: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    _values: list[tuple[str, str, Any]] = field(default_factory=list)

    def value_or_variable(
        self, type_: GraphQLInputType, value: Any, *, chance: float, losable: bool = True
    ) -> Any:
        """The value itself, or a variable in its place.

        Args:
            type_: The type of the place.
            value: The value that should stand there.
            chance: How likely it becomes a variable.
            losable: Whether the place can do without the value, as where a variable is declared and not sent.
        """
        if has_variable(value):
            return value
        if is_writable(value) and self.random.random() >= chance:
            return value
        known = self._find_variable(str(type_), value) if losable else None
        return VariableReference(known or self._declare_variable(type_, value, losable=losable))

    def reuse_variable(self, type_: GraphQLInputType) -> VariableReference | None:
        """A variable of just this type that stands elsewhere, if there is one."""
        found = [name for name, declared, _ in self._values if declared == str(type_)]
        return VariableReference(self.random.choice(found)) if found else None

    def _find_variable(self, declared: str, value: Any) -> str | None:
        known = (
            name
            for name, of_type, held in self._values
            if of_type == declared and _is_same_value(held, value)
        )
        return next(known, None) if self.random.random() < 0.8 else None

    def _declare_variable(self, type_: GraphQLInputType, value: Any, *, losable: bool) -> str:
        name = self.random.choice(("v", "V", "_", "in", "where", "id")) + str(len(self.declared) + 1)
        required = isinstance(type_, GraphQLNonNull)
        head = f"${name}: {type_}"
        roll = self.random.random()
        if isinstance(value, RefusedValue) or not is_writable(value):
            self.given[name] = to_json_value(value)
        elif roll < 0.3 and value is not None:
            head = self._declare_with_default(name, type_, value, losable=losable)
        elif roll < 0.35 and losable and not required:
            self._omit_value(name)
        else:
            head += "!" if not required and value is not None and roll > 0.8 else ""
            self.given[name] = to_json_value(value)
        self.declared[name] = head
        if losable:
            self._values.append((name, str(type_), value))
        return name

    def _declare_with_default(self, name: str, type_: GraphQLInputType, value: Any, *, losable: bool) -> str:
        """A default that is taken, or one that a sent value (null too) stands above."""
        required = isinstance(type_, GraphQLNonNull)
        roll = self.random.random()
        if roll < (0.04 if required else 0.2) and losable:
            self.given[name] = None
        elif roll < 0.4:
            self.given[name] = to_json_value(value)
        return f"${name}: {get_nullable_type(type_)} = {format_literal(value)}"

    def _omit_value(self, name: str) -> None:
        """Declared and not sent, or sent as null."""
        if self.random.random() < 0.5:
            self.given[name] = None


def _is_same_value(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)
