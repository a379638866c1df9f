"""The same document once more with other values of its variables: what was compiled for one must serve the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from graphql import NonNullTypeNode, VariableDefinitionNode, parse, print_ast

from tests.property.documents import Document
from tests.property.syntax import walk

_KEPT: Final = 60


@dataclass(slots=True)
class Variations:
    """Values of variables, seen in earlier documents, by the type that they were declared as."""

    seen: dict[str, list[Any]] = field(default_factory=dict)

    def learn(self, document: Document) -> None:
        """Take down a document's values."""
        for name, definition in _definitions(document).items():
            if name in document.variables:
                values = self.seen.setdefault(_type(definition), [])
                values.append(document.variables[name])
                del values[:-_KEPT]

    def vary(self, random: Random, document: Document) -> Document | None:
        """The document with other values; None where it has no variables."""
        definitions = _definitions(document)
        if not definitions:
            return None
        variables = dict(document.variables)
        for name, definition in definitions.items():
            if random.random() < 0.6:
                self._vary(random, variables, name, definition)
        return replace(document, variables=variables)

    def _vary(
        self, random: Random, variables: dict[str, Any], name: str, definition: VariableDefinitionNode
    ) -> None:
        loose = not isinstance(definition.type, NonNullTypeNode)
        roll = random.random()
        if loose and roll < 0.08:
            variables.pop(name, None)
        elif loose and roll < 0.13:
            variables[name] = None
        elif _type(definition) == "Int":  # a page's size decides how much is asked for
            held = variables.get(name)
            variables[name] = (held if isinstance(held, int) else 0) + random.choice((-1, 1))
        else:
            variables[name] = random.choice(self.seen.get(_type(definition)) or [variables.get(name)])


def _definitions(document: Document) -> Mapping[str, VariableDefinitionNode]:
    nodes = walk(parse(document.text)) if document.variables or "$" in document.text else ()
    return {n.variable.name.value: n for n in nodes if isinstance(n, VariableDefinitionNode)}


def _type(definition: VariableDefinitionNode) -> str:
    return print_ast(definition.type).rstrip("!")
