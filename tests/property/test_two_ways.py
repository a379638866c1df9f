"""The two ways of running an operation are one behaviour: generated documents, asked both ways of one snapshot.

`DIFFERENTIAL_DOCUMENTS=50000` runs more of them than CI does, `DIFFERENTIAL_SEED=...` others. A document that fails
is shrunk and printed with who asked it, ready to be asked again.
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
from resolvers.binding import bound_schema
from tests.conftest import Seen
from tests.graph import Answer, Graph, Who, graph
from tests.property.documents import Document, Generator
from tests.property.hard_rows import write_hard_rows
from tests.property.pages import lists, next_page
from tests.property.people import Person, people
from tests.property.responses import difference, tells
from tests.property.samples import Samples, take_samples
from tests.property.shrinking import shrink
from tests.property.variations import Variations

DOCUMENTS: Final = int(os.environ.get("DIFFERENTIAL_DOCUMENTS", "1500"))
"""For each version of PostgreSQL."""

SEED: Final = os.environ.get("DIFFERENTIAL_SEED", "")

FAILURES_TOLD: Final = 5
"""How many failures are shrunk and told before the test gives up."""

_TYPES: Final = frozenset(bound_schema()[1].type_map)

_PAGED_ON: Final = 0.25
"""How often an answer with cursors is followed by its next page."""

_ASKED_AGAIN: Final = 0.4
"""How often a document is asked again with other variables."""

_CURSORS_KEPT: Final = 200


@dataclass(frozen=True)
class World:
    """A database to ask, and who asks it."""

    graph: Graph
    samples: Samples
    people: list[Person]


@pytest_asyncio.fixture(loop_scope="session")
async def world(demo_database: str) -> AsyncIterator[World]:
    connection = await asyncpg.connect(demo_database)
    try:
        viewers = await people(connection)
        for tenant_id in sorted({person.tenant_id for person in viewers}):
            await write_hard_rows(connection, tenant_id)
        await connection.execute("ANALYZE")
        samples = await take_samples(connection)
    finally:
        await connection.close()
    # An agent that went offline between two answers would be a difference that is none.
    async with graph(f"{demo_database}&app.clock_ms={now_ms()}") as made:
        yield World(made, samples, viewers)


@dataclass
class Tally:
    """What was seen, so that the test cannot pass by asking nothing."""

    asked: int = 0
    with_rows: int = 0
    paged_on: int = 0
    permitted_fields: int = 0
    compiled_fields: int = 0
    alone: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, who: Who, one: Answer, other: Answer) -> None:
        """Take down an answer."""
        self.asked += 1
        self.with_rows += tells(one.data, _TYPES)
        self.codes.update(one.codes)
        if who.label == "administrator" and not one.errors:
            self.permitted_fields += sum(not key.startswith("__") for key in one.data)
            self.compiled_fields += len(other.compiled)

    def share(self, count: int) -> float:
        """A count by the documents asked."""
        return count / max(1, self.asked)

    def __str__(self) -> str:
        compiled = self.compiled_fields / max(1, self.permitted_fields)
        return (
            f"{self.asked} documents, {self.share(self.with_rows):.0%} with rows, "
            f"{self.paged_on} paged on, {self.alone} by one statement without a transaction, "
            f"{compiled:.0%} of the permitted root fields compiled, {dict(self.codes)}"
        )


async def test_two_ways_are_one(world: World, seen: Seen) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    tally = Tally()
    run = _Run(world, tally, seed)
    await run.all(DOCUMENTS)
    seen(f"seed {seed}: {tally}")
    assert not tally.failures, "\n\n".join([f"DIFFERENTIAL_SEED={seed}", *tally.failures])
    assert tally.share(tally.with_rows) > 0.5
    assert tally.share(tally.paged_on) > 0.02
    assert tally.share(tally.alone) > 0.1
    assert {"FORBIDDEN", "BAD_USER_INPUT", "UNAUTHENTICATED"} <= set(tally.codes)
    assert tally.compiled_fields > 0.6 * tally.permitted_fields


@dataclass
class _Run:
    world: World
    tally: Tally
    seed: str
    variations: Variations = field(default_factory=Variations)

    async def all(self, count: int) -> None:
        """Ask that many documents, the next pages of their lists among them."""
        schema, everybody = self.world.graph.schema, self.world.people
        generators = [Generator(schema, self.world.samples, p.tenant_id, p.roots) for p in everybody]
        number = 0
        while self.tally.asked < count and len(self.tally.failures) < FAILURES_TOLD:
            number += 1
            chance = random.Random(f"{self.seed}:{number}")  # noqa: S311 - tests are to be repeatable
            place = chance.choices(range(len(everybody)), [person.weight for person in everybody])[0]
            who, generator = everybody[place].who, generators[place]
            document = generator.document(f"{self.seed}/{number}")
            answer = await self._ask(who, document)
            await self._ask_again(chance, [who, *(person.who for person in everybody)], document)
            while answer and answer.data and chance.random() < _PAGED_ON:
                generator.cursors.extend(_cursors(schema, document, answer.data))
                del generator.cursors[:-_CURSORS_KEPT]
                following = next_page(schema, chance, document, answer.data)
                if following is None:
                    break
                document = following
                answer = await self._ask(who, document)
                self.tally.paged_on += 1

    async def _ask_again(self, chance: random.Random, viewers: list[Who], document: Document) -> None:
        """Ask the same with other variables, and as somebody else: the plan is there already."""
        self.variations.learn(document)
        following = self.variations.vary(chance, document)
        if following and chance.random() < _ASKED_AGAIN:
            await self._ask(chance.choice(viewers[: chance.choice((1, len(viewers)))]), following)
        elif chance.random() < _ASKED_AGAIN / 3:
            await self._ask(chance.choice(viewers), document)

    async def _ask(self, who: Who, document: Document) -> Answer | None:
        one, other = await self._both(who, document)
        if not one.body and one.codes == ["QUERY_TOO_COMPLEX"]:
            self.tally.codes.update(one.codes)
            return None
        if not one.body:
            self.tally.failures.append(f"invalid: {one.errors[0]['message']}\n{document}")
            return None
        self.tally.count(who, one, other)
        if wrong := _wrong(one, other) or await self._wrong_alone(who, document, other):
            await self._tell(who, document, wrong)
        return one

    async def _wrong_alone(self, who: Who, document: Document, compiled: Answer) -> str | None:
        alone = await self.world.graph.alone(who, document.text, document.variables, document.operation_name)
        self.tally.alone += alone is not None
        return None if alone is None else _wrong(compiled, alone)

    async def _both(self, who: Who, document: Document) -> tuple[Answer, Answer]:
        return await self.world.graph.both_ways(
            who, document.text, document.variables, document.operation_name
        )

    async def _tell(self, who: Who, document: Document, wrong: str) -> None:
        async def wrong_of(asked: Document) -> str | None:
            one, other = await self._both(who, asked)
            return _wrong(one, other) or await self._wrong_alone(who, asked, other)

        async def fails(smaller: Document) -> bool:
            return await wrong_of(smaller) is not None

        shrunk = await shrink(self.world.graph.schema, document, fails)
        wrong = await wrong_of(shrunk) or wrong
        self.tally.failures.append(f"{who}:\n{wrong}\n{shrunk}")


def _wrong(one: Answer, other: Answer) -> str | None:
    """What is wrong with two answers to one question, if anything is."""
    for label, answer in (("through the loaders", one), ("compiled", other)):
        if answer.fault is not None:
            return f"{label}: {type(answer.fault).__name__}: {answer.fault}"
    found = difference(one.body, other.body)
    return found and f"loaders and compiled {list(other.compiled)} differ in {found}"


def _cursors(schema: GraphQLSchema, document: Document, data: Any) -> list[str]:
    return [paged.cursors[-1] for paged in lists(schema, document, data)]
