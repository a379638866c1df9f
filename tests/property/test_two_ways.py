"""The two execution strategies behave the same: generated documents run with both in one snapshot.

`DIFFERENTIAL_DOCUMENTS=50000` runs more of them than CI does, `DIFFERENTIAL_SEED=...` others. A failing
document is shrunk and printed with its viewer, ready to be run again.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import pytest_asyncio
from graphql import GraphQLSchema

from core.clock import now_ms
from resolvers.loaders.bindings import build_executable_schema
from tests.conftest import ReportLine
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, Principal, open_graphql_harness
from tests.property.document_generator import DocumentGenerator, GeneratedDocument
from tests.property.document_shrinker import shrink_document
from tests.property.hard_rows import write_hard_rows
from tests.property.next_pages import find_paged_lists, make_next_page
from tests.property.responses import contains_row_value, find_difference
from tests.property.row_samples import RowSamples, sample_rows
from tests.property.variable_variations import VariableVariations
from tests.property.viewer_cases import ViewerCase, create_viewer_cases

DOCUMENTS: Final = int(os.environ.get("DIFFERENTIAL_DOCUMENTS", "600"))
"""For each version of PostgreSQL."""

SEED: Final = os.environ.get("DIFFERENTIAL_SEED", "")

FAILURES_SHOWN: Final = 5
"""The number of failures that are shrunk and printed before the test stops."""

_TYPES: Final = frozenset(build_executable_schema()[1].type_map)

_PAGED_ON: Final = 0.25
"""How often a response with cursors is followed by its next page."""

_ASKED_AGAIN: Final = 0.4
"""How often a document runs again with other variables."""

_CURSORS_KEPT: Final = 200


@dataclass(frozen=True)
class ComparisonSetup:
    """A database and its viewers."""

    graphql: GraphqlHarness
    samples: RowSamples
    viewer_cases: list[ViewerCase]


@pytest_asyncio.fixture(loop_scope="session")
async def comparison_setup(writable_demo_database_url: str) -> AsyncIterator[ComparisonSetup]:
    connection = await asyncpg.connect(writable_demo_database_url)
    try:
        viewers = await create_viewer_cases(connection)
        for tenant_id in sorted({person.tenant_id for person in viewers}):
            await write_hard_rows(connection, tenant_id)
        await connection.execute("ANALYZE")
        samples = await sample_rows(connection)
    finally:
        await connection.close()
    # An agent that goes offline between two responses would make them differ without a fault.
    async with open_graphql_harness(f"{writable_demo_database_url}&app.clock_ms={now_ms()}") as made:
        yield ComparisonSetup(made, samples, viewers)


@dataclass
class Counts:
    """Counts, so that the test cannot pass without documents."""

    executed: int = 0
    with_rows: int = 0
    paged_on: int = 0
    permitted_fields: int = 0
    compiled_fields: int = 0
    single_statement: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add_response(self, who: Principal, one: GraphqlResponse, other: GraphqlResponse) -> None:
        """Count a response."""
        self.executed += 1
        self.with_rows += contains_row_value(one.data, _TYPES)
        self.codes.update(one.codes)
        if who.label == "administrator" and not one.errors:
            self.permitted_fields += sum(not key.startswith("__") for key in one.data)
            self.compiled_fields += len(other.compiled_fields)

    def share(self, count: int) -> float:
        """A count, divided by the number of documents."""
        return count / max(1, self.executed)

    def __str__(self) -> str:
        compiled = self.compiled_fields / max(1, self.permitted_fields)
        return (
            f"{self.executed} documents, {self.share(self.with_rows):.0%} with rows, "
            f"{self.paged_on} paged on, {self.single_statement} by one statement without a transaction, "
            f"{compiled:.0%} of the permitted root fields compiled, {dict(self.codes)}"
        )


async def test_strategies_on_generated_documents_give_equal_responses(
    comparison_setup: ComparisonSetup, report_line: ReportLine
) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    tally = Counts()
    run = _Comparison(comparison_setup, tally, seed)
    await run.run_documents(DOCUMENTS)
    report_line(f"seed {seed}: {tally}")
    assert not tally.failures, "\n\n".join([f"DIFFERENTIAL_SEED={seed}", *tally.failures])
    assert tally.share(tally.with_rows) > 0.5
    assert tally.share(tally.paged_on) > 0.02
    assert tally.share(tally.single_statement) > 0.1
    assert {"FORBIDDEN", "BAD_USER_INPUT", "UNAUTHENTICATED"} <= set(tally.codes)
    assert tally.compiled_fields > 0.6 * tally.permitted_fields


@dataclass
class _Comparison:
    world: ComparisonSetup
    counts: Counts
    seed: str
    variations: VariableVariations = field(default_factory=VariableVariations)

    async def run_documents(self, count: int) -> None:
        """Run that many documents, including the next pages of their lists."""
        schema, everybody = self.world.graphql.schema, self.world.viewer_cases
        generators = [DocumentGenerator(schema, self.world.samples, p.tenant_id, p.roots) for p in everybody]
        number = 0
        while self.counts.executed < count and len(self.counts.failures) < FAILURES_SHOWN:
            number += 1
            chance = random.Random(f"{self.seed}:{number}")  # noqa: S311 - tests are to be repeatable
            place = chance.choices(range(len(everybody)), [person.weight for person in everybody])[0]
            who, generator = everybody[place].principal, generators[place]
            document = generator.make_document(f"{self.seed}/{number}")
            answer = await self._run_document(who, document)
            await self._run_variations(chance, [who, *(person.principal for person in everybody)], document)
            while answer and answer.data and chance.random() < _PAGED_ON:
                generator.cursors.extend(_find_cursors(schema, document, answer.data))
                del generator.cursors[:-_CURSORS_KEPT]
                following = make_next_page(schema, chance, document, answer.data)
                if following is None:
                    break
                document = following
                answer = await self._run_document(who, document)
                self.counts.paged_on += 1

    async def _run_variations(
        self, chance: random.Random, viewers: list[Principal], document: GeneratedDocument
    ) -> None:
        """Run the same document with other variables and another viewer: its plan is cached by then."""
        self.variations.add_document(document)
        following = self.variations.vary_document(chance, document)
        if following and chance.random() < _ASKED_AGAIN:
            await self._run_document(chance.choice(viewers[: chance.choice((1, len(viewers)))]), following)
        elif chance.random() < _ASKED_AGAIN / 3:
            await self._run_document(chance.choice(viewers), document)

    async def _run_document(self, who: Principal, document: GeneratedDocument) -> GraphqlResponse | None:
        one, other = await self._execute_both(who, document)
        if not one.body and one.codes == ["QUERY_TOO_COMPLEX"]:
            self.counts.codes.update(one.codes)
            return None
        if not one.body:
            self.counts.failures.append(f"invalid: {one.errors[0]['message']}\n{document}")
            return None
        self.counts.add_response(who, one, other)
        if wrong := _find_difference(one, other) or await self._compare_single_statement(
            who, document, other
        ):
            await self._record_failure(who, document, wrong)
        return one

    async def _compare_single_statement(
        self, who: Principal, document: GeneratedDocument, compiled: GraphqlResponse
    ) -> str | None:
        alone = await self.world.graphql.execute_single_statement(
            who, document.text, document.variables, document.operation_name
        )
        self.counts.single_statement += alone is not None
        return None if alone is None else _find_difference(compiled, alone)

    async def _execute_both(
        self, who: Principal, document: GeneratedDocument
    ) -> tuple[GraphqlResponse, GraphqlResponse]:
        return await self.world.graphql.execute_with_both_strategies(
            who, document.text, document.variables, document.operation_name
        )

    async def _record_failure(self, who: Principal, document: GeneratedDocument, wrong: str) -> None:
        async def wrong_of(sent_document: GeneratedDocument) -> str | None:
            one, other = await self._execute_both(who, sent_document)
            return _find_difference(one, other) or await self._compare_single_statement(
                who, sent_document, other
            )

        async def fails(smaller: GeneratedDocument) -> bool:
            return await wrong_of(smaller) is not None

        shrunk = await shrink_document(self.world.graphql.schema, document, fails)
        wrong = await wrong_of(shrunk) or wrong
        self.counts.failures.append(f"{who}:\n{wrong}\n{shrunk}")


def _find_difference(one: GraphqlResponse, other: GraphqlResponse) -> str | None:
    """The difference between two responses to one query, if there is any."""
    for label, answer in (("through the loaders", one), ("compiled", other)):
        if answer.traceback is not None:
            return f"{label}: {type(answer.traceback).__name__}: {answer.traceback}"
    found = find_difference(one.body, other.body)
    return found and f"loaders and compiled {list(other.compiled_fields)} differ in {found}"


def _find_cursors(schema: GraphQLSchema, document: GeneratedDocument, data: Any) -> list[str]:
    return [paged.cursors[-1] for paged in find_paged_lists(schema, document, data)]
