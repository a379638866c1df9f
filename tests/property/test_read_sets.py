"""Read sets on real rows: every write that changes an answer matches the read set of that answer.

`READ_SET_ROUNDS=2000` runs more than CI does, `READ_SET_SEED=...` others.
"""

import os
import random as random_
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.clock import now_ms
from resolvers.loaders.bindings import build_executable_schema
from subscriptions.change_log.change import Change
from subscriptions.invalidation.matcher import ChangeMatcher
from subscriptions.invalidation.read_sets import build_read_set
from tests.conftest import ReportLine
from tests.property.document_generator import DocumentGenerator
from tests.property.hard_rows import write_hard_rows
from tests.property.recorded_queries import RecordedAnswer, RecordedQuery, RecordedQueryFactory, sign_in_as
from tests.property.row_samples import sample_rows
from tests.property.single_writes import SingleWrites, load_single_writes
from tests.property.viewer_cases import ViewerCase, create_viewer_cases

pytestmark = pytest.mark.newest

ROUNDS: Final = int(os.environ.get("READ_SET_ROUNDS", "25"))
"""For each version of PostgreSQL. Each round is twelve queries and sixty writes."""

SEED: Final = os.environ.get("READ_SET_SEED", "")

_QUERIES: Final = 12
_WRITES: Final = 60
_COST_MAX: Final = 400
"""More expensive queries are left out: each query runs again after each write."""


_FOREIGN_KEYS: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) AS drop
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
"""Without these constraints any row can be written and deleted, which covers more cases."""


@dataclass
class ReadSetSetup:
    connection: asyncpg.Connection
    query_factory: RecordedQueryFactory
    viewer_cases: list[ViewerCase]
    generators: list[DocumentGenerator]
    writes: SingleWrites


@pytest_asyncio.fixture(loop_scope="session")
async def read_set_setup(writable_demo_database_url: str) -> AsyncIterator[ReadSetSetup]:
    connection = await asyncpg.connect(
        writable_demo_database_url, server_settings={"app.clock_ms": str(now_ms())}
    )
    try:
        everybody = [
            person for person in await create_viewer_cases(connection) if person.principal.kind is not None
        ]
        for tenant_id in sorted({person.tenant_id for person in everybody}):
            await write_hard_rows(connection, tenant_id)
        for statement in await connection.fetch(_FOREIGN_KEYS):
            await connection.execute(statement["drop"])
        await connection.execute("ANALYZE")
        schema, samples = build_executable_schema()[1], await sample_rows(connection)
        generators = [
            DocumentGenerator(schema, samples, person.tenant_id, person.roots) for person in everybody
        ]
        yield ReadSetSetup(
            connection,
            RecordedQueryFactory(schema),
            everybody,
            generators,
            await load_single_writes(connection),
        )
    finally:
        await connection.close()


@dataclass
class Counts:
    """Counts, so that the test cannot pass without changes."""

    queries: int = 0
    compiled: int = 0
    writes: int = 0
    pairs: int = 0
    changed: int = 0
    touched: int = 0
    missed: list[str] = field(default_factory=list)
    needless: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.queries} questions ({self.compiled} compiled), {self.writes} writes, {self.pairs} pairs: "
            f"{self.changed} answers changed, {self.touched - self.changed} touched without need"
        )


async def test_write_that_changes_an_answer_touches_its_read_set(
    read_set_setup: ReadSetSetup, report_line: ReportLine
) -> None:
    seed = SEED or str(random_.SystemRandom().randrange(10**6))
    tally = Counts()
    for number in range(ROUNDS):
        await _run_round(read_set_setup, Random(f"{seed}:{number}"), f"{seed}/{number}", tally)  # noqa: S311 - tests are to be repeatable
        if tally.missed:
            break
    report_line(f"seed {seed}: {tally}")
    assert not tally.missed, "\n\n".join([f"READ_SET_SEED={seed}", *tally.missed])
    assert tally.compiled > 0.5 * tally.queries
    assert tally.changed > 0.005 * tally.pairs
    assert tally.touched - tally.changed < 0.1 * tally.pairs


async def _run_round(world: ReadSetSetup, random: Random, label: str, tally: Counts) -> None:
    """Run some queries, then write and run them again. Each write is undone before the next."""
    transaction = world.connection.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        queries = await _create_queries(world, random, label)
        matcher: ChangeMatcher[int] = ChangeMatcher()
        for number, (question, answer) in enumerate(queries):
            matcher.set_dependencies(number, build_read_set(answer.reads, question.viewer))
        matcher.validate()
        tally.queries += len(queries)
        tally.compiled += sum(bool(question.plans) for question, _ in queries)
        for _ in range(_WRITES):
            await _write_and_compare(world, random, queries, matcher, tally)
    finally:
        await transaction.rollback()


async def _create_queries(
    world: ReadSetSetup, random: Random, label: str
) -> list[tuple[RecordedQuery, RecordedAnswer]]:
    found: list[tuple[RecordedQuery, RecordedAnswer]] = []
    number = 0
    while len(found) < _QUERIES:
        number += 1
        place = random.choices(
            range(len(world.viewer_cases)), [person.weight for person in world.viewer_cases]
        )[0]
        document = world.generators[place].make_document(f"{label}/{number}")
        viewer = await sign_in_as(world.connection, world.viewer_cases[place].principal)
        question = world.query_factory.create_query(document, viewer, loaders=random.random() < 0.1)
        if question is None or _estimate_cost(question) > _COST_MAX:
            continue
        answer = await question.execute(world.connection)
        if answer.reads and (question.plans or random.random() < 0.4):
            found.append((question, answer))
    return found


def _estimate_cost(question: RecordedQuery) -> int:
    return question.operation.cost


async def _write_and_compare(
    world: ReadSetSetup,
    random: Random,
    answered: list[tuple[RecordedQuery, RecordedAnswer]],
    matcher: ChangeMatcher[int],
    tally: Counts,
) -> None:
    undone = world.connection.transaction()
    await undone.start()
    try:
        change = await world.writes.write_row(
            world.connection, random, *await _choose_target(world, random, answered)
        )
        if change is None:
            return
        touched = matcher.find_touched([change])
        tally.writes += 1
        for number, (question, answer) in enumerate(answered):
            now = await question.execute(world.connection)
            tally.pairs += 1
            tally.changed += now.data != answer.data
            tally.touched += number in touched
            if now.data != answer.data and number not in touched:
                tally.missed.append(_describe_miss(question, answer, now, change))
            if now.data == answer.data and number in touched:
                tally.needless[change.table] += 1
    finally:
        await undone.rollback()


async def _choose_target(
    world: ReadSetSetup, random: Random, answered: list[tuple[RecordedQuery, RecordedAnswer]]
) -> tuple[str, str | None, frozenset[str]]:
    """Mostly a row of a table that was read, found by the keys of that read, and columns that were used."""
    question, answer = random.choice(answered)
    if not answer.reads or random.random() < 0.1:
        return random.choice(list(world.writes.ids)), None, frozenset()
    dependence = random.choice(build_read_set(answer.reads, question.viewer) or (None,))
    if dependence is None:
        return random.choice(list(world.writes.ids)), None, frozenset()
    known = {name: sorted(held, key=str) for name, held in dependence.equals.items() if name.endswith("id")}
    row = None
    if known and random.random() < 0.8:
        column, held = random.choice(list(known.items()))
        sql = f"SELECT id FROM {dependence.table} WHERE {column} = ANY($1::text[]) ORDER BY id LIMIT 50"
        found = await world.connection.fetch(sql, held)
        row = random.choice(found)["id"] if found else None
    return dependence.table, row, dependence.uses if random.random() < 0.7 else frozenset()


def _describe_miss(
    question: RecordedQuery, before: RecordedAnswer, now: RecordedAnswer, change: Change
) -> str:
    parts: list[Any] = [question.document, question.viewer, change, before.data, now.data]
    parts.extend(build_read_set(before.reads, question.viewer))
    return "\n".join(str(part)[:3000] for part in parts)
