"""Questions that are asked again and again of one connection, by observed plans where they can be compiled."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
from graphql import GraphQLSchema

from core.clock import NEVER
from core.database import Snapshot
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from resolvers.asked import Asked
from resolvers.documents import Document as Parsed
from resolvers.documents import Documents
from resolvers.execution import Request, run
from resolvers.operation import Operation
from resolvers.planning import Planning
from resolvers.plans import Plan, Values
from resolvers.rows import Read, Rows
from resolvers.ways import Way, coerced_variables
from services.sign_in import sign_in
from tests.graph import Who
from tests.property.documents import Document


@dataclass(frozen=True)
class Told:
    """An answer, byte by byte, and what it was made of."""

    data: tuple[bytes | str | None, ...]
    reads: tuple[Read, ...]


@dataclass(frozen=True)
class Question:
    """What is asked, and by whom.

    Attributes:
        plans: The observed plans of the root fields that can be compiled, which alone are asked then; empty where
            the data loaders are to answer.
        values: What the plans' slots are filled with.
    """

    document: Document
    parsed: Parsed
    viewer: Viewer
    plans: tuple[Plan, ...]
    values: Values

    async def ask(self, schema: GraphQLSchema, connection: asyncpg.Connection) -> Told:
        """Ask it of a connection inside of a transaction, for which the viewer's tenant is set as for a request."""
        tenant = self.viewer.tenant_id or ""
        await connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
        if not self.plans:
            return await self._through_loaders(schema, connection)
        data, reads = [], []
        for plan in self.plans:
            statement = plan.bind(self.values)
            (record,) = await connection.fetch(statement.sql, *statement.arguments)
            data.append(record["data"])
            reads.extend(plan.reads(self.values, record["facts"]))
        return Told(tuple(data), tuple(reads))

    async def _through_loaders(self, schema: GraphQLSchema, connection: asyncpg.Connection) -> Told:
        snapshot = Snapshot(connection)
        rows = Rows(self.viewer, snapshot)
        request = Request(self.document.text, self.document.variables, self.document.operation_name)
        operation = Operation(self.viewer, rows)
        await connection.execute("SAVEPOINT apart")
        try:
            response = await run(schema, self.parsed, request, operation, Way.LOADERS)
        finally:
            await (
                snapshot.end()
            )  # behind the loaders that an early failure left behind, in mid-statement perhaps
            await connection.execute("ROLLBACK TO apart; RELEASE apart")
        if operation.faults.story() is not None:
            raise AssertionError(self.document) from operation.faults.story()
        return Told((orjson.dumps(response),), tuple(rows.reads))


@dataclass
class Asking:
    """Makes questions of documents."""

    schema: GraphQLSchema
    documents: Documents = field(init=False)

    def __post_init__(self) -> None:
        self.documents = Documents(self.schema)

    def question(self, document: Document, viewer: Viewer, *, loaders: bool = False) -> Question | None:
        """The question of a document; None where the document is refused."""
        parsed = self.documents.get(document.text)
        if parsed.syntax is None:
            return None
        definition = parsed.operation(document.operation_name)
        assert definition is not None
        asked = Asked(self.schema, parsed.syntax, definition, document.variables, parsed.plans)
        variables = None if loaders else coerced_variables(asked)
        if variables is None:
            return Question(document, parsed, viewer, (), {})
        planning = Planning(asked, viewer, variables, observe=True)
        planned = planning.planned()
        plans = tuple(planned.plans.values()) if planned else ()
        return Question(document, parsed, viewer, tuple(plan for plan in plans if plan), planning.values)

    def plain(self, question: Question) -> tuple[Plan, ...]:
        """The plans of a question's root fields as queries have them."""
        assert question.parsed.syntax is not None
        definition = question.parsed.operation(question.document.operation_name)
        assert definition is not None
        variables: dict[str, Any] = question.document.variables
        asked = Asked(self.schema, question.parsed.syntax, definition, variables, question.parsed.plans)
        coerced = coerced_variables(asked)
        assert coerced is not None
        planned = Planning(asked, question.viewer, coerced).planned()
        assert planned is not None
        return tuple(plan for plan in planned.plans.values() if plan)


async def signed_in(connection: asyncpg.Connection, who: Who) -> Viewer:
    """The viewer, in the transaction that the connection is in."""
    assert who.kind is not None
    identity = Identity(ViewerKind(who.kind), who.subject, NEVER)
    return await sign_in(connection, identity, who.tenant_id)
