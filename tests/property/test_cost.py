"""The estimated cost is an upper bound of the reads: generated documents, through the loaders."""

import os
import random
from typing import Final

import asyncpg
import pytest

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.database.database import Database
from core.settings import Settings
from demo import load_demo_viewers
from resolvers.context import RequestContext
from resolvers.documents.cache import DocumentCache
from resolvers.documents.validation import RefusedOperationError
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.executor import execute_operation
from resolvers.loaders.bindings import build_executable_schema
from resolvers.sql.data_access import DataAccess
from services.users.sign_in import sign_in
from tests.operations import validate_text
from tests.property.document_generator import DocumentGenerator, GeneratedDocument
from tests.property.row_samples import sample_rows

pytestmark = pytest.mark.newest

DOCUMENTS: Final = int(os.environ.get("COST_DOCUMENTS", "300"))
SEED: Final = os.environ.get("COST_SEED", "")


async def test_cost_of_generated_documents_is_never_below_rows_read(demo_database_url: str) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    connection = await asyncpg.connect(demo_database_url)
    try:
        samples = await sample_rows(connection)
        administrator = (await load_demo_viewers(connection))[0].user_id
        tenant = await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", administrator)
    finally:
        await connection.close()
    schema = build_executable_schema()[1]
    assert schema.query_type is not None
    generator = DocumentGenerator(schema, samples, tenant, tuple(schema.query_type.fields))
    documents = DocumentCache(schema)
    database = await Database.connect(demo_database_url, Settings())
    read = 0
    try:
        for number in range(DOCUMENTS):
            document = generator.make_document(f"{seed}/{number}")
            rows, cost = await _execute_documents(database, administrator, documents, document)
            assert rows <= cost, f"COST_SEED={seed}: {rows} rows read, {cost} estimated\n{document}"
            read += rows
    finally:
        await database.close()
    assert read > 5 * DOCUMENTS  # otherwise it would pass without any reads


async def _execute_documents(
    database: Database, user: str, documents: DocumentCache, document: GeneratedDocument
) -> tuple[int, int]:
    """The rows that were read, and the estimate; 0 and 0 for a document that is refused."""
    try:
        executable = validate_text(documents, document.text, document.variables, document.operation_name)
    except RefusedOperationError:
        return 0, 0
    async with database.read_transaction() as snapshot:
        viewer = await sign_in(snapshot.connection, Identity(ViewerKind.USER, user, NEVER), None)
        before = snapshot.rows
        operation = RequestContext(viewer, DataAccess(viewer, snapshot))
        await execute_operation(executable, operation, ExecutionStrategy.LOADERS)
        return snapshot.rows - before, executable.cost
