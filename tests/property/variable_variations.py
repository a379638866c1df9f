"""The same document again with other variables: the plan compiled for one set of values must serve the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from graphql import NonNullTypeNode, VariableDefinitionNode, parse, print_ast

from tests.property.document_generator import GeneratedDocument
from tests.property.syntax_edits import iter_nodes

_MAX_VALUES: Final = 60


@dataclass(slots=True)
class VariableVariations:
    """Values of variables, seen in earlier documents, by the type that they were declared as."""

    values_by_type: dict[str, list[Any]] = field(default_factory=dict)

    def add_document(self, document: GeneratedDocument) -> None:
        """Record a document's values."""
        for name, definition in _variable_definitions(document).items():
            if name in document.variables:
                values = self.values_by_type.setdefault(_variable_type(definition), [])
                values.append(document.variables[name])
                del values[:-_MAX_VALUES]

    def vary_document(self, random: Random, document: GeneratedDocument) -> GeneratedDocument | None:
        """The document with other values; None where it has no variables."""
        definitions = _variable_definitions(document)
        if not definitions:
            return None
        variables = dict(document.variables)
        for name, definition in definitions.items():
            if random.random() < 0.6:
                self._vary_variable(random, variables, name, definition)
        return replace(document, variables=variables)

    def _vary_variable(
        self, random: Random, variables: dict[str, Any], name: str, definition: VariableDefinitionNode
    ) -> None:
        loose = not isinstance(definition.type, NonNullTypeNode)
        roll = random.random()
        if loose and roll < 0.08:
            variables.pop(name, None)
        elif loose and roll < 0.13:
            variables[name] = None
        elif _variable_type(definition) == "Int":  # a page's size decides how much is asked for
            held = variables.get(name)
            variables[name] = (held if isinstance(held, int) else 0) + random.choice((-1, 1))
        else:
            variables[name] = random.choice(
                self.values_by_type.get(_variable_type(definition)) or [variables.get(name)]
            )


def _variable_definitions(document: GeneratedDocument) -> Mapping[str, VariableDefinitionNode]:
    nodes = iter_nodes(parse(document.text)) if document.variables or "$" in document.text else ()
    return {n.variable.name.value: n for n in nodes if isinstance(n, VariableDefinitionNode)}


def _variable_type(definition: VariableDefinitionNode) -> str:
    return print_ast(definition.type).rstrip("!")
