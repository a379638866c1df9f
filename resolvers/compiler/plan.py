"""Plans: a compiled root field that can run again with other values of the same shape.

Some values are only bound and never inspected: the tenant's id, and variables used as an id or as a filter's operand.
The compiler gets a `Param` instead of each, which remembers its source. A bound `Param` becomes a slot of the plan.
Each request fills the slots with its own values:

    compile   site(id: $id), where $id is a Param  ->  ... WHERE t.tenant_id = $2::text AND t.id = $1::text
                                                       argument 1 has the source `id`, argument 2 is the tenant
    bind      {id: "s-9"}                          ->  the same SQL with the arguments ["s-9", tenant]
    batch     {id: "s-2"}, {id: "s-5"}             ->  FROM unnest($2::text[]) WITH ORDINALITY AS b(c0, number)
                                                       the same SQL for each row of b, with t.id = b.c0
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from graphql import FieldNode

from core.storable import is_storable_text
from resolvers.compiler.params import ParamValues, bind_argument, contains_param, substitute_params
from resolvers.compiler.read_tracking import ReadNode, RecordedReads
from resolvers.sql.data_access import RecordedRead
from resolvers.sql.list_query import ListQuery, Statement
from resolvers.sql.parameters import Param

TENANT_SOURCE: Final = "the viewer's tenant"
"""The source of the tenant's id. No variable can have such a name."""

_PLACEHOLDER: Final = re.compile(r"\$(\d+)::([a-z\[\]]+)")


@dataclass(frozen=True, slots=True)
class PlanTerm:
    """One level that an answer depends on. `keys` are its keys if it is looked up by key at the root."""

    query: ListQuery
    keys: tuple[str | Param, ...] | None = None

    def to_read(self, values: ParamValues) -> RecordedRead:
        """The term as a read of one request."""
        level = self.query
        if contains_param((level.where, level.equal, level.search)):
            filters = {
                name: substitute_params(getattr(level, name), values) for name in ("where", "equal", "search")
            }
            level = replace(level, **filters)
        return RecordedRead(level, substitute_params(self.keys, values))


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled root field: a statement that returns one row with the column `data`, JSON text or NULL.

    Attributes:
        statement: The SQL, with the values of the request for which it was compiled.
        terms: Everything that it reads.
        node: The place of its root, with read tracking: the row has `facts` and `data`. Else None.
        columns: The part of a connection's SQL that gives its fields as columns. A caller that runs this part alone
            saves the copy of the answer into an object. For a large answer, the copy takes a tenth of the time of
            making it. None with read tracking.
    """

    statement: Statement
    terms: tuple[PlanTerm, ...]
    node: ReadNode | None = None
    columns: slice | None = None

    def bind_values(self, values: ParamValues) -> Statement:
        """The statement for one request."""
        return Statement(self.statement.sql, [bind_argument(a, values) for a in self.statement.arguments])

    def iter_reads(self, values: ParamValues, facts: str | None = None) -> Iterator[RecordedRead]:
        """The reads of the plan in one request. With the `facts`, they have their keys and bounds."""
        if self.node is None or facts is None:
            return (term.to_read(values) for term in self.terms)
        recorded = RecordedReads.from_facts(self.node, facts)
        return (recorded.apply_to(number, term.to_read(values)) for number, term in enumerate(self.terms))

    def build_batch(self, requests: Sequence[ParamValues]) -> Statement:
        """One statement for many requests of one tenant.

        It returns rows of `number` (from 1) and the columns of a single run.

        Raises:
            ValueError: The requests are of several tenants. Row-level security separates these.
        """
        if len({values[TENANT_SOURCE] for values in requests}) > 1:
            raise ValueError("a batch must belong to one tenant")
        writing = _BatchBuilder(self.statement, requests, tracks_reads=self.node is not None)
        return Statement(writing.build_sql(), writing.arguments)


class _BatchBuilder:
    """Turns the parameters of a statement into columns of a set.

    Values that are the same for all stay bound once.
    """

    def __init__(self, statement: Statement, requests: Sequence[ParamValues], *, tracks_reads: bool) -> None:
        self._tracks_reads = tracks_reads
        self._statement = statement
        self._requests = requests
        self._columns: dict[int, str] = {}
        self.arguments: list[object] = []

    def build_sql(self) -> str:
        one = _PLACEHOLDER.sub(self._rewrite_placeholder, self._statement.sql)
        if not self._columns:
            numbers = self._bind(list(range(1, len(self._requests) + 1)), "bigint[]")
            return self._bind_each(one, f"unnest({numbers}) AS b(number)")
        sets, names = ", ".join(self._columns.values()), ", ".join(f"c{slot}" for slot in self._columns)
        return self._bind_each(one, f"unnest({sets}) WITH ORDINALITY AS b({names}, number)")

    def _bind_each(self, one: str, requests: str) -> str:
        if self._tracks_reads:
            return f"SELECT b.number, o.data, o.facts FROM {requests} CROSS JOIN LATERAL ({one}) o"
        return f"SELECT b.number, ({one}) AS data FROM {requests}"

    def _rewrite_placeholder(self, found: re.Match[str]) -> str:
        slot, sql_type = int(found[1]) - 1, found[2]
        value = self._statement.arguments[slot]
        if not isinstance(value, Param) or value.source == TENANT_SOURCE:
            return self._bind(bind_argument(value, self._requests[0]), sql_type)
        if slot not in self._columns:
            column = [values[value.source] for values in self._requests]
            self._columns[slot] = self._bind(column, f"{sql_type}[]")
        return f"b.c{slot}"

    def _bind(self, value: object, sql_type: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{sql_type}"


@dataclass(frozen=True, slots=True)
class OperationPlans:
    """A planned operation.

    Attributes:
        roots: Its root fields by response key, in the answer's order.
        plans: The plan of each root field. None if the data loaders answer it.
        is_reusable: Whether the plans also fit other values of the parameters.
    """

    roots: Mapping[str, Sequence[FieldNode]]
    plans: Mapping[str, Plan | None]
    is_reusable: bool


def are_storable(values: ParamValues) -> bool:
    """Whether PostgreSQL can store every text among some values."""
    return all(is_storable_text(value) for value in values.values() if isinstance(value, str))
