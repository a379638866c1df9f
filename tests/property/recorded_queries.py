"""Queries that run repeatedly on one connection, by observed plans if they can be compiled."""

from dataclasses import dataclass, field

import asyncpg
import orjson
from graphql import GraphQLSchema

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.database.database import ReadTransaction
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.params import ParamValues
from resolvers.compiler.plan import Plan
from resolvers.compiler.planner import Planner
from resolvers.context import RequestContext
from resolvers.documents.cache import DocumentCache
from resolvers.documents.validation import RefusedOperationError
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.executor import execute_operation
from resolvers.queries import coerce_query_variables
from resolvers.sql.data_access import DataAccess, RecordedRead
from services.users.sign_in import sign_in
from tests.graphql_harness import Principal
from tests.operations import validate_text
from tests.property.document_generator import GeneratedDocument


@dataclass(frozen=True)
class RecordedAnswer:
    """A response, byte by byte, and what it was read from."""

    data: tuple[bytes | str | None, ...]
    reads: tuple[RecordedRead, ...]


@dataclass(frozen=True)
class RecordedQuery:
    """A query and its viewer.

    Attributes:
        plans: The observed plans of the root fields that can be compiled; only those run then. It is empty if
            the data loaders are to answer.
        values: The values of the plans' parameters.
    """

    document: GeneratedDocument
    operation: ExecutableOperation
    viewer: Viewer
    plans: tuple[Plan, ...]
    values: ParamValues

    async def execute(self, connection: asyncpg.Connection) -> RecordedAnswer:
        """Run it on a connection in a transaction, with the viewer's tenant set as for a request."""
        tenant = self.viewer.tenant_id or ""
        await connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
        if not self.plans:
            return await self._execute_with_loaders(connection)
        data: list[bytes] = []
        reads: list[RecordedRead] = []
        for plan in self.plans:
            statement = plan.bind_values(self.values)
            (record,) = await connection.fetch(statement.sql, *statement.arguments)
            data.append(record["data"])
            reads.extend(plan.iter_reads(self.values, record["facts"]))
        return RecordedAnswer(tuple(data), tuple(reads))

    async def _execute_with_loaders(self, connection: asyncpg.Connection) -> RecordedAnswer:
        snapshot = ReadTransaction(connection)
        rows = DataAccess(self.viewer, snapshot)
        operation = RequestContext(self.viewer, rows)
        await connection.execute("SAVEPOINT apart")
        try:
            response = await execute_operation(self.operation, operation, ExecutionStrategy.LOADERS)
        finally:
            await snapshot.end()  # after loaders that an early failure left running
            await connection.execute("ROLLBACK TO apart; RELEASE apart")
        if operation.errors.build_traceback() is not None:
            raise AssertionError(self.document) from operation.errors.build_traceback()
        return RecordedAnswer((orjson.dumps(response),), tuple(rows.reads))


@dataclass
class RecordedQueryFactory:
    """Makes queries from documents."""

    schema: GraphQLSchema
    documents: DocumentCache = field(init=False)

    def __post_init__(self) -> None:
        self.documents = DocumentCache(self.schema)

    def create_query(
        self, document: GeneratedDocument, viewer: Viewer, *, loaders: bool = False
    ) -> RecordedQuery | None:
        """The query of a document; None if the document is refused."""
        try:
            operation = validate_text(
                self.documents, document.text, document.variables, document.operation_name
            )
        except RefusedOperationError:
            return None
        variables = None if loaders else coerce_query_variables(operation)
        if variables is None:
            return RecordedQuery(document, operation, viewer, (), {})
        planning = Planner(operation, viewer, variables, track_reads=True)
        planned = planning.plan()
        plans = tuple(planned.plans.values()) if planned else ()
        return RecordedQuery(
            document, operation, viewer, tuple(plan for plan in plans if plan), planning.values
        )

    def plan_as_query(self, question: RecordedQuery) -> tuple[Plan, ...]:
        """The plans of a query's root fields, without observation."""
        coerced = coerce_query_variables(question.operation)
        assert coerced is not None
        planned = Planner(question.operation, question.viewer, coerced).plan()
        assert planned is not None
        return tuple(plan for plan in planned.plans.values() if plan)


async def sign_in_as(connection: asyncpg.Connection, principal: Principal) -> Viewer:
    """The viewer, in the transaction that the connection is in."""
    assert principal.kind is not None
    identity = Identity(ViewerKind(principal.kind), principal.subject, NEVER)
    return await sign_in(connection, identity, principal.tenant_id)
