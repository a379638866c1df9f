"""Read sets on real rows: whatever write changes an answer touches what the answer was read from.

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
import pytest_asyncio

from core.clock import now_ms
from resolvers.binding import bound_schema
from subscriptions.changes.change import Change
from subscriptions.matching.matcher import Matcher
from subscriptions.matching.read_sets import read_set
from tests.conftest import Seen
from tests.property.documents import Generator
from tests.property.hard_rows import write_hard_rows
from tests.property.observed import Asking, Question, Told, signed_in
from tests.property.people import Person, people
from tests.property.samples import take_samples
from tests.property.single_writes import SingleWrites, take_everywhere

ROUNDS: Final = int(os.environ.get("READ_SET_ROUNDS", "25"))
"""For each version of PostgreSQL; each is twelve questions and sixty writes."""

SEED: Final = os.environ.get("READ_SET_SEED", "")

_QUESTIONS: Final = 12
_WRITES: Final = 60
_COST_MAX: Final = 400
"""Questions that cost more are left out: each is asked again after each write."""


_FOREIGN_KEYS: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) AS drop
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
"""Without them any row can be written and deleted, which shows more."""


@dataclass
class World:
    connection: asyncpg.Connection
    asking: Asking
    people: list[Person]
    generators: list[Generator]
    writes: SingleWrites


@pytest_asyncio.fixture(loop_scope="session")
async def world(demo_database: str) -> AsyncIterator[World]:
    connection = await asyncpg.connect(demo_database, server_settings={"app.clock_ms": str(now_ms())})
    try:
        everybody = [person for person in await people(connection) if person.who.kind is not None]
        for tenant_id in sorted({person.tenant_id for person in everybody}):
            await write_hard_rows(connection, tenant_id)
        for statement in await connection.fetch(_FOREIGN_KEYS):
            await connection.execute(statement["drop"])
        await connection.execute("ANALYZE")
        schema, samples = bound_schema()[1], await take_samples(connection)
        generators = [Generator(schema, samples, person.tenant_id, person.roots) for person in everybody]
        yield World(connection, Asking(schema), everybody, generators, await take_everywhere(connection))
    finally:
        await connection.close()


@dataclass
class Tally:
    """What was seen, so that the test cannot pass by changing nothing."""

    questions: int = 0
    compiled: int = 0
    writes: int = 0
    pairs: int = 0
    changed: int = 0
    touched: int = 0
    missed: list[str] = field(default_factory=list)
    needless: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.questions} questions ({self.compiled} compiled), {self.writes} writes, {self.pairs} pairs: "
            f"{self.changed} answers changed, {self.touched - self.changed} touched without need"
        )


async def test_whatever_changes_an_answer_touches_its_read_set(world: World, seen: Seen) -> None:
    seed = SEED or str(random_.SystemRandom().randrange(10**6))
    tally = Tally()
    for number in range(ROUNDS):
        await _round(world, Random(f"{seed}:{number}"), f"{seed}/{number}", tally)  # noqa: S311 - tests are to be repeatable
        if tally.missed:
            break
    seen(f"seed {seed}: {tally}")
    assert not tally.missed, "\n\n".join([f"READ_SET_SEED={seed}", *tally.missed])
    assert tally.compiled > 0.5 * tally.questions
    assert tally.changed > 0.005 * tally.pairs
    assert tally.touched - tally.changed < 0.1 * tally.pairs


async def _round(world: World, random: Random, label: str, tally: Tally) -> None:
    """Ask some questions, then write and ask again, each write undone before the next."""
    transaction = world.connection.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        asked = await _questions(world, random, label)
        matcher: Matcher[int] = Matcher()
        for number, (question, told) in enumerate(asked):
            matcher.place(number, read_set(told.reads, question.viewer))
        matcher.validate()
        tally.questions += len(asked)
        tally.compiled += sum(bool(question.plans) for question, _ in asked)
        for _ in range(_WRITES):
            await _write(world, random, asked, matcher, tally)
    finally:
        await transaction.rollback()


async def _questions(world: World, random: Random, label: str) -> list[tuple[Question, Told]]:
    found: list[tuple[Question, Told]] = []
    number = 0
    while len(found) < _QUESTIONS:
        number += 1
        place = random.choices(range(len(world.people)), [person.weight for person in world.people])[0]
        document = world.generators[place].document(f"{label}/{number}")
        viewer = await signed_in(world.connection, world.people[place].who)
        question = world.asking.question(document, viewer, loaders=random.random() < 0.1)
        if question is None or _cost(question) > _COST_MAX:
            continue
        told = await question.ask(world.asking.schema, world.connection)
        if told.reads and (question.plans or random.random() < 0.4):
            found.append((question, told))
    return found


def _cost(question: Question) -> int:
    definition = question.parsed.operation(question.document.operation_name)
    assert definition is not None
    return question.parsed.cost(definition).estimate(question.document.variables)


async def _write(
    world: World, random: Random, asked: list[tuple[Question, Told]], matcher: Matcher[int], tally: Tally
) -> None:
    undone = world.connection.transaction()
    await undone.start()
    try:
        change = await world.writes.write(world.connection, random, *await _target(world, random, asked))
        if change is None:
            return
        touched = matcher.touched([change])
        tally.writes += 1
        for number, (question, told) in enumerate(asked):
            now = await question.ask(world.asking.schema, world.connection)
            tally.pairs += 1
            tally.changed += now.data != told.data
            tally.touched += number in touched
            if now.data != told.data and number not in touched:
                tally.missed.append(_story(question, told, now, change))
            if now.data == told.data and number in touched:
                tally.needless[change.table] += 1
    finally:
        await undone.rollback()


async def _target(
    world: World, random: Random, asked: list[tuple[Question, Told]]
) -> tuple[str, str | None, frozenset[str]]:
    """Mostly a row of a table that was read, found by the keys that it was asked for, and columns that were used."""
    question, told = random.choice(asked)
    if not told.reads or random.random() < 0.1:
        return random.choice(list(world.writes.ids)), None, frozenset()
    dependence = random.choice(read_set(told.reads, question.viewer) or (None,))
    if dependence is None:
        return random.choice(list(world.writes.ids)), None, frozenset()
    known = {name: sorted(held, key=str) for name, held in dependence.equal.items() if name.endswith("id")}
    row = None
    if known and random.random() < 0.8:
        column, held = random.choice(list(known.items()))
        sql = f"SELECT id FROM {dependence.table} WHERE {column} = ANY($1::text[]) ORDER BY id LIMIT 50"  # noqa: S608 - declared names
        found = await world.connection.fetch(sql, held)
        row = random.choice(found)["id"] if found else None
    return dependence.table, row, dependence.uses if random.random() < 0.7 else frozenset()


def _story(question: Question, told: Told, now: Told, change: Change) -> str:
    parts: list[Any] = [question.document, question.viewer, change, told.data, now.data]
    parts.extend(read_set(told.reads, question.viewer))
    return "\n".join(str(part)[:3000] for part in parts)
