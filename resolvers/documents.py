"""Documents: parsed and validated once, remembered by their text."""

from collections import OrderedDict
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule

from core.limits import DOCUMENT_TOKENS_MAX, DOCUMENTS_KEPT
from resolvers.plans import PlanBook


@dataclass(frozen=True, slots=True)
class Document:
    """A document, and what is wrong with it.

    Attributes:
        syntax: What to execute; None where there are errors.
        errors: Of syntax and of validation.
        operations: Those that the document has, be they valid or not.
        introspects: Whether it asks for the schema.
        plans: What its operations were compiled to.
    """

    syntax: DocumentNode | None
    errors: tuple[GraphQLError, ...]
    operations: tuple[OperationDefinitionNode, ...] = ()
    introspects: bool = False
    plans: PlanBook = field(default_factory=PlanBook, compare=False)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of this name, or the only one; None where there is no such one."""
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((o for o in self.operations if o.name and o.name.value == name), None)


class Documents:
    """The documents seen lately; the longest unused is forgotten first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """Parse and validate a document, or remember it."""
        document = self._kept.get(text)
        if document is None:
            document = self._kept[text] = self._read(text)
            if len(self._kept) > DOCUMENTS_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        return document

    def _read(self, text: str) -> Document:
        try:
            return self._validated(parse(text, max_tokens=DOCUMENT_TOKENS_MAX, no_location=False))
        except GraphQLError as error:
            return Document(None, (error,))
        except RecursionError:
            return Document(None, (GraphQLError("The document nests too deep."),))

    def _validated(self, syntax: DocumentNode) -> Document:
        errors = tuple(validate(self._schema, syntax))
        introspects = bool(validate(self._schema, syntax, [NoSchemaIntrospectionCustomRule]))
        operations = tuple(d for d in syntax.definitions if isinstance(d, OperationDefinitionNode))
        return Document(None if errors else syntax, errors, operations, introspects)
