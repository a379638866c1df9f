"""The estimated cost bounds what is read: generated documents, through the loaders, which fetch row by row."""

import os
import random
from typing import Final

import asyncpg
from graphql import OperationDefinitionNode

from core.clock import NEVER
from core.database import Database
from core.limits import COST_MAX
from core.settings import Settings
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request, run
from resolvers.operation import Operation
from resolvers.rows import Rows
from resolvers.ways import Way
from services.demo import demo_viewers
from services.sign_in import sign_in
from tests.property.documents import Document, Generator
from tests.property.samples import take_samples

DOCUMENTS: Final = int(os.environ.get("COST_DOCUMENTS", "300"))
SEED: Final = os.environ.get("COST_SEED", "")


async def test_the_cost_is_never_below_the_rows_that_are_read(demo_database_url: str) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    connection = await asyncpg.connect(demo_database_url)
    try:
        samples = await take_samples(connection)
        administrator = (await demo_viewers(connection))[0].user_id
        tenant = await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", administrator)
    finally:
        await connection.close()
    schema = bound_schema()[1]
    assert schema.query_type is not None
    generator = Generator(schema, samples, tenant, tuple(schema.query_type.fields))
    documents = Documents(schema)
    database = await Database.connect(demo_database_url, Settings())
    read = 0
    try:
        for number in range(DOCUMENTS):
            document = generator.document(f"{seed}/{number}")
            rows, cost = await _asked(database, administrator, documents, document)
            assert rows <= cost, f"COST_SEED={seed}: {rows} rows read, {cost} estimated\n{document}"
            read += rows
    finally:
        await database.close()
    assert read > 5 * DOCUMENTS  # else it would hold because nothing is asked


async def _asked(database: Database, user: str, documents: Documents, asked: Document) -> tuple[int, int]:
    """The rows that were read, and the estimate; 0 and 0 for a document that is refused."""
    document = documents.get(asked.text)
    definition: OperationDefinitionNode | None = document.operation(asked.operation_name)
    if document.errors or definition is None:
        return 0, 0
    cost = document.cost(definition).estimate(asked.variables)
    if cost > COST_MAX:
        return 0, 0
    async with database.snapshot() as snapshot:
        viewer = await sign_in(snapshot.connection, Identity(ViewerKind.USER, user, NEVER), None)
        before = snapshot.rows
        request = Request(asked.text, asked.variables, asked.operation_name)
        operation = Operation(viewer, Rows(viewer, snapshot))
        await run(documents._schema, document, request, operation, Way.LOADERS)
        return snapshot.rows - before, cost
