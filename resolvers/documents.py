"""Documents: parsed, checked and validated once, remembered by their text."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping_fields
from graphql.validation.validate import ValidationAbortedError

from core.errors import LimitExceededError, QueryTooComplexError
from core.limits import DOCUMENT_COMPARISONS_MAX, DOCUMENT_ERRORS_MAX, DOCUMENTS_KEPT, DOCUMENTS_KEPT_TOKENS
from resolvers.cost import Cost
from resolvers.cost_shape import CostReader
from resolvers.document_size import check_size
from resolvers.document_text import check_text
from resolvers.plans import PlanBook, Shelf
from resolvers.selection import fragments_of
from resolvers.validation_rules import rules_for

overlapping_fields.MAX_COMPLEXITY_BUDGET = DOCUMENT_COMPARISONS_MAX
_GAVE_UP: Final = "Validation aborted."
_TOO_MANY_EQUAL: Final = (
    "The request has more fields with equal response keys than can be compared with one another; "
    f"the limit comparisons allows {DOCUMENT_COMPARISONS_MAX} steps"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document, and what is wrong with it.

    Attributes:
        syntax: What to execute; None where there are errors.
        errors: Of syntax and of validation.
        operations: Those that the document has, be they valid or not.
        introspects: Whether it asks for the schema.
        costs: The cost of each operation by its name.
        weight: What keeping it takes, in tokens.
        plans: What its operations were compiled to.
        as_queries: What its live queries are run as, by their names (`live_documents`).
        suggests: Whether errors may suggest names of the schema; those of its variables, too.
    """

    syntax: DocumentNode | None
    errors: tuple[GraphQLError, ...]
    operations: tuple[OperationDefinitionNode, ...] = ()
    introspects: bool = False
    costs: Mapping[str | None, Cost] = field(default_factory=dict, compare=False)
    weight: int = 0
    plans: PlanBook = field(default_factory=PlanBook, compare=False)
    as_queries: dict[str | None, DocumentNode] = field(default_factory=dict, compare=False)
    suggests: bool = True

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of this name, or the only one; None where there is no such one."""
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((o for o in self.operations if o.name and o.name.value == name), None)

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        """The fragments that a valid document defines, by their names."""
        assert self.syntax is not None  # noqa: S101 - the document is valid
        return fragments_of(self.syntax)

    def cost(self, operation: OperationDefinitionNode) -> Cost:
        """The cost of one of its operations; only a document without errors has one."""
        return self.costs[_name(operation)]


class Documents:
    """The documents seen lately; the longest unused is forgotten first."""

    def __init__(self, schema: GraphQLSchema, *, suggest: bool = True) -> None:
        """Errors suggest names of the schema ("Did you mean ...") unless `suggest` is false."""
        self._schema = schema
        self._suggest = suggest
        self._costs = CostReader(schema)
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._weight = 0
        self._shelf = Shelf()

    def get(self, text: str) -> Document:
        """Parse, check and validate a document, or remember it."""
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        try:
            weight = check_text(text) + len(text) // 100
        except LimitExceededError as error:
            return Document(None, (_told(error),))
        plans = PlanBook(self._shelf)
        document = replace(self._read(text), weight=weight, plans=plans, suggests=self._suggest)
        self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        self._kept[text] = document
        self._weight += document.weight
        while len(self._kept) > DOCUMENTS_KEPT or self._weight > DOCUMENTS_KEPT_TOKENS:
            forgotten = self._kept.popitem(last=False)[1]
            self._weight -= forgotten.weight
            forgotten.plans.close()

    def _read(self, text: str) -> Document:
        try:
            syntax = parse(text)
            check_size(syntax)
            return self._validated(syntax, text)
        except GraphQLError as error:
            return Document(None, (error,))
        except LimitExceededError as error:
            return Document(None, (_told(error),))

    def _validated(self, syntax: DocumentNode, text: str) -> Document:
        rules = rules_for(text)
        found = validate(self._schema, syntax, rules, DOCUMENT_ERRORS_MAX, hide_suggestions=not self._suggest)
        errors = tuple(map(_refined, found))
        introspects = "__" in text and bool(
            validate(self._schema, syntax, [NoSchemaIntrospectionCustomRule], 1)
        )
        operations = tuple(d for d in syntax.definitions if isinstance(d, OperationDefinitionNode))
        if errors:
            return Document(None, errors, operations, introspects)
        fragments = fragments_of(syntax)
        costs = {_name(operation): self._costs.cost(operation, fragments) for operation in operations}
        return Document(syntax, (), operations, introspects, costs)


def _name(operation: OperationDefinitionNode) -> str | None:
    return operation.name.value if operation.name else None


def _told(error: QueryTooComplexError) -> GraphQLError:
    return GraphQLError(error.message, original_error=error)


def _refined(error: GraphQLError) -> GraphQLError:
    """An error of validation; where it gave up, what the document had too much of."""
    if isinstance(error, ValidationAbortedError) and error.message == _GAVE_UP:
        return _told(QueryTooComplexError(_TOO_MANY_EQUAL))
    return error
