"""Documents: parsed, checked and validated once, and cached by their text."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule

from core.errors import LimitExceededError, QueryTooComplexError
from core.limits import (
    DOCUMENT_CHARS_MAX,
    DOCUMENT_ERRORS_MAX,
    DOCUMENT_TOKENS_MAX,
    DOCUMENTS_CACHED_MAX,
    DOCUMENTS_CACHED_TOKENS_MAX,
)
from core.lru_cache import LruCache
from resolvers.compiler.plan_cache import DocumentPlans, PlanCache
from resolvers.limits.cost import Cost
from resolvers.limits.cost_analysis import CostAnalyzer
from resolvers.limits.depth_and_size import check_document_size
from resolvers.limits.lexer_limits import check_document_text
from resolvers.limits.validation_rules import select_rules
from resolvers.sql.selection import collect_fragments


@dataclass(frozen=True, slots=True)
class Document:
    """A document and its errors.

    Attributes:
        syntax: The syntax tree. None if there are errors.
        errors: The errors of syntax and validation.
        operations: The document's operations, valid or not.
        uses_introspection: Whether it selects introspection fields.
        costs: The cost of each operation by its name.
        weight: The memory of the cached document, in tokens.
        plans: The compiled plans of its operations.
        suggests_names: Whether errors may suggest names of the schema. This includes the errors of its variables.
    """

    syntax: DocumentNode | None
    errors: tuple[GraphQLError, ...]
    operations: tuple[OperationDefinitionNode, ...] = ()
    uses_introspection: bool = False
    costs: Mapping[str | None, Cost] = field(default_factory=dict, compare=False)
    weight: int = 0
    plans: DocumentPlans = field(default_factory=DocumentPlans, compare=False)
    suggests_names: bool = True

    def find_operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of this name, or the only operation if `name` is None. None if there is none."""
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((o for o in self.operations if o.name and o.name.value == name), None)

    def get_cost(self, operation: OperationDefinitionNode) -> Cost:
        """The cost of one of its operations. Only a document without errors has it."""
        return self.costs[_read_operation_name(operation)]


class DocumentCache:
    """The document cache. It evicts the least recently used document first."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        suggest_names: bool = True,
        chars_max: int = DOCUMENT_CHARS_MAX,
        tokens_max: int = DOCUMENT_TOKENS_MAX,
    ) -> None:
        """Errors suggest names of the schema ("Did you mean ...") unless `suggest_names` is false."""
        self._chars_max = chars_max
        self._tokens_max = tokens_max
        self._schema = schema
        self._suggest_names = suggest_names
        self._cost_analyzer = CostAnalyzer(schema)
        self._documents: LruCache[str, Document] = LruCache(
            DOCUMENTS_CACHED_MAX,
            DOCUMENTS_CACHED_TOKENS_MAX,
            weigh=attrgetter("weight"),
            on_evict=lambda _text, document: document.plans.close(),
        )
        self._plan_cache = PlanCache()

    def get_cached(self, text: str) -> Document | None:
        """A cached document. None if it is not in the cache."""
        return self._documents.get(text)

    def get_or_parse(self, text: str) -> Document:
        """Take a document from the cache, or parse, check and validate it."""
        document = self.get_cached(text)
        if document is not None:
            return document
        steps = self.read(text)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                read: Document = end.value
                return read

    def read(self, text: str) -> Generator[None, None, Document]:
        """Parse, check, validate and cache a document. The caller may do other work between two `yield`s."""
        try:
            weight = check_document_text(text, self._chars_max, self._tokens_max) + len(text) // 100
        except LimitExceededError as error:
            return Document(None, (_redact_error(error),))
        plans = DocumentPlans(self._plan_cache)
        read = yield from self._parse(text)
        document = replace(read, weight=weight, plans=plans, suggests_names=self._suggest_names)
        if self._documents.get(text) is None:
            self._documents.put(text, document)
        return document

    def _parse(self, text: str) -> Generator[None, None, Document]:
        try:
            syntax = parse(text)
            yield
            check_document_size(syntax)
            errors, introspects = self._validate(syntax, text)
            yield
            return self._with_costs(syntax, errors, introspects=introspects)
        except GraphQLError as error:
            return Document(None, (error,))
        except LimitExceededError as error:
            return Document(None, (_redact_error(error),))

    def _validate(self, syntax: DocumentNode, text: str) -> tuple[tuple[GraphQLError, ...], bool]:
        """The errors of a document, and whether it selects introspection fields."""
        rules = select_rules(text)
        errors = validate(
            self._schema, syntax, rules, DOCUMENT_ERRORS_MAX, hide_suggestions=not self._suggest_names
        )
        introspects = "__" in text and bool(
            validate(self._schema, syntax, [NoSchemaIntrospectionCustomRule], 1)
        )
        return tuple(errors), introspects

    def _with_costs(
        self, syntax: DocumentNode, errors: tuple[GraphQLError, ...], *, introspects: bool
    ) -> Document:
        operations = tuple(d for d in syntax.definitions if isinstance(d, OperationDefinitionNode))
        if errors:
            return Document(None, errors, operations, introspects)
        fragments = collect_fragments(syntax)
        costs = {
            _read_operation_name(operation): self._cost_analyzer.analyze(operation, fragments)
            for operation in operations
        }
        return Document(syntax, (), operations, introspects, costs)


def _read_operation_name(operation: OperationDefinitionNode) -> str | None:
    return operation.name.value if operation.name else None


def _redact_error(error: QueryTooComplexError) -> GraphQLError:
    return GraphQLError(error.message, original_error=error)
