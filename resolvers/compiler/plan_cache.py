"""The cache of compiled plans: those of one document go with it, and all together are bounded."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from operator import itemgetter

from graphql import DocumentNode, OperationDefinitionNode

from core.limits import PLAN_CACHED_CHARS_MAX, PLANS_CACHED_CHARS_MAX
from core.lru_cache import LruCache
from resolvers.compiler.plan import OperationPlans


class PlanCache:
    """The plan cache of all documents. It evicts the least recently used plans first.

    Clients choose how long the values in a plan are. So the cache is limited by weight, and not by number.
    """

    def __init__(self) -> None:
        self._plans: LruCache[tuple[DocumentPlans, Hashable], tuple[OperationPlans, int]] = LruCache(
            weight_max=PLANS_CACHED_CHARS_MAX, weigh=itemgetter(1)
        )

    def get(self, key: "tuple[DocumentPlans, Hashable]") -> OperationPlans | None:
        """The cached plans of a key."""
        found = self._plans.get(key)
        return None if found is None else found[0]

    def put(self, key: "tuple[DocumentPlans, Hashable]", planned: OperationPlans, weight: int) -> None:
        """Cache plans under a new key, unless they are too heavy."""
        if weight <= PLAN_CACHED_CHARS_MAX:
            self._plans.put(key, (planned, weight))

    def evict_document(self, document_plans: "DocumentPlans") -> None:
        """Evict all plans of one document."""
        for key in [key for key, _ in self._plans.items() if key[0] is document_plans]:
            self._plans.pop(key)


@dataclass(slots=True, eq=False)
class DocumentPlans:
    """The plans of one document. The plans refer to the document's nodes, so they are evicted together with it.

    Attributes:
        cache: The cache that this document shares with others.
        param_variables: The variables that can be parameters, by operation name. They are found once.
        live_queries: The document's subscriptions, rewritten as queries, by operation name (`documents.live`).
    """

    cache: PlanCache = field(default_factory=PlanCache)
    param_variables: dict[str | None, frozenset[str]] = field(default_factory=dict)
    live_queries: dict[str | None, tuple[DocumentNode, OperationDefinitionNode]] = field(default_factory=dict)
    _closed: bool = False

    def get(self, key: Hashable) -> OperationPlans | None:
        """The cached plans of a key."""
        return self.cache.get((self, key))

    def put(self, key: Hashable, planned: OperationPlans) -> None:
        """Cache plans, unless the document was evicted."""
        if not self._closed:
            self.cache.put((self, key), planned, len(repr(key)) + _weigh(planned))

    def close(self) -> None:
        """Evict all plans and cache none any more, although a request may still use the document."""
        self._closed = True
        if self.param_variables:  # otherwise nothing was planned
            self.cache.evict_document(self)


def _weigh(planned: OperationPlans) -> int:
    """The memory of the plans, in characters.

    Everything else that they refer to is in the key and in the document.
    """
    statements = (plan.statement for plan in planned.plans.values() if plan)
    return sum(len(statement.sql) + len(repr(statement.arguments)) for statement in statements)
