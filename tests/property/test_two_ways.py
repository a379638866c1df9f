"""The two ways of running an operation are one behaviour: generated documents, asked both ways of one snapshot.

`DIFFERENTIAL_DOCUMENTS=50000` runs more of them than CI does, `DIFFERENTIAL_SEED=...` others. A document that fails is
shrunk and printed with who asked it, ready to be asked again.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from graphql import GraphQLError, GraphQLSchema, parse, validate

from core.viewer import ViewerKind
from services.demo import demo_viewers
from tests.graph import Answer, Graph, Who, graph
from tests.property.documents import Document, Generator
from tests.property.hard_rows import write_hard_rows
from tests.property.pages import lists, next_page
from tests.property.responses import difference, leaves
from tests.property.samples import Samples, take_samples
from tests.property.shrinking import shrink
from tests.rows import write

DOCUMENTS: Final = int(os.environ.get("DIFFERENTIAL_DOCUMENTS", "1500"))
"""For each version of PostgreSQL."""

SEED: Final = os.environ.get("DIFFERENTIAL_SEED", "")

FAILURES_TOLD: Final = 12
"""How many failures are shrunk and told before the test gives up."""

_PAGED_ON: Final = 0.25
"""How often an answer with cursors is followed by its next page."""

_CURSORS_KEPT: Final = 200


@dataclass(frozen=True)
class World:
    """A database to ask, and who asks it.

    Attributes:
        viewers: Who asks, each with the tenant whose rows are asked for, and how often by comparison.
    """

    graph: Graph
    samples: Samples
    viewers: list[tuple[Who, str | None, int]]


@pytest_asyncio.fixture(loop_scope="session")
async def world(demo_database: str) -> AsyncIterator[World]:
    connection = await asyncpg.connect(demo_database)
    try:
        viewers = await _people(connection)
        samples = await take_samples(connection)
    finally:
        await connection.close()
    async with graph(demo_database) as made:
        yield World(made, samples, viewers)


async def _people(connection: asyncpg.Connection) -> list[tuple[Who, str | None, int]]:
    administrator, technician, neighbour = [viewer.user_id for viewer in await demo_viewers(connection)]
    tenant, other = [await _tenant_of(connection, user) for user in (administrator, neighbour)]
    await write_hard_rows(connection, tenant)
    await write_hard_rows(connection, other)
    role = await write(
        connection,
        "roles",
        {"tenant_id": tenant, "name": "", "description": "", "rights": '{"Sites.Read": true}'},
    )
    guest = {"tenant_id": tenant, "role_id": role, "email": "guest", "name": "\u2028", "status": "active"}
    guest_id = await write(connection, "users", {"id": "a guest", **guest})
    await connection.execute("ANALYZE")
    return [
        (Who("administrator", ViewerKind.USER, administrator), tenant, 40),
        (Who("technician", ViewerKind.USER, technician), tenant, 20),
        (Who("guest", ViewerKind.USER, guest_id), tenant, 6),
        (Who("neighbour", ViewerKind.USER, neighbour), other, 12),
        (Who("platform", ViewerKind.PLATFORM, tenant_id=tenant), tenant, 14),
        (Who("platform without tenant", ViewerKind.PLATFORM), tenant, 6),
        (Who("anonymous"), tenant, 2),
    ]


async def _tenant_of(connection: asyncpg.Connection, user_id: str) -> str:
    return str(await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user_id))


@dataclass
class Tally:
    """What was seen, so that the test cannot pass by asking nothing."""

    asked: int = 0
    invalid: int = 0
    with_rows: int = 0
    paged_on: int = 0
    permitted_fields: int = 0
    compiled_fields: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, who: Who, one: Answer, other: Answer) -> None:
        """Take down an answer."""
        self.asked += 1
        self.with_rows += sum(leaf not in (None, [], False, 0) for leaf in leaves(one.data)) > 2
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
            f"{self.asked} documents, {self.invalid} of them invalid, {self.share(self.with_rows):.0%} with rows, "
            f"{self.paged_on} paged on, {compiled:.0%} of the permitted root fields compiled, {dict(self.codes)}"
        )


async def test_two_ways_are_one(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    tally = Tally()
    run = _Run(world, tally, seed)
    await run.all(DOCUMENTS)
    with capsys.disabled():
        print(f"\nseed {seed}: {tally}")
    assert not tally.failures, "\n\n".join([f"DIFFERENTIAL_SEED={seed}", *tally.failures])
    assert tally.invalid == 0
    assert tally.share(tally.with_rows) > 0.5
    assert tally.share(tally.paged_on) > 0.02
    assert {"FORBIDDEN", "BAD_USER_INPUT", "UNAUTHENTICATED"} <= set(tally.codes)
    assert tally.compiled_fields > 0.6 * tally.permitted_fields


@dataclass
class _Run:
    world: World
    tally: Tally
    seed: str

    async def all(self, count: int) -> None:
        """Ask that many documents, the next pages of their lists among them."""
        schema, samples = self.world.graph.schema, self.world.samples
        makers = [
            (who, Generator(schema, samples, tenant), weight) for who, tenant, weight in self.world.viewers
        ]
        number = 0
        while self.tally.asked < count and len(self.tally.failures) < FAILURES_TOLD:
            number += 1
            chance = random.Random(f"{self.seed}:{number}")
            who, generator, _ = chance.choices(makers, [weight for *_, weight in makers])[0]
            document = generator.document(f"{self.seed}/{number}")
            answer = await self._ask(who, document)
            while answer and answer.data and chance.random() < _PAGED_ON:
                generator.cursors.extend(_cursors(schema, document, answer.data))
                del generator.cursors[:-_CURSORS_KEPT]
                following = next_page(schema, chance, document, answer.data)
                if following is None:
                    break
                document = following
                answer = await self._ask(who, document)
                self.tally.paged_on += 1

    async def _ask(self, who: Who, document: Document) -> Answer | None:
        if _invalid(self.world.graph.schema, document):
            self.tally.invalid += 1
            self.tally.failures.append(f"invalid: {_invalid(self.world.graph.schema, document)}\n{document}")
            return None
        one, other = await self._both(who, document)
        self.tally.count(who, one, other)
        if wrong := _wrong(one, other):
            await self._tell(who, document, wrong)
        return one

    async def _both(self, who: Who, document: Document) -> tuple[Answer, Answer]:
        return await self.world.graph.both_ways(
            who, document.text, document.variables, document.operation_name
        )

    async def _tell(self, who: Who, document: Document, wrong: str) -> None:
        async def fails(smaller: Document) -> bool:
            return _wrong(*await self._both(who, smaller)) is not None

        shrunk = await shrink(self.world.graph.schema, document, fails)
        wrong = _wrong(*await self._both(who, shrunk)) or wrong
        self.tally.failures.append(f"{who}:\n{wrong}\n{shrunk}")


def _wrong(one: Answer, other: Answer) -> str | None:
    """What is wrong with two answers to one question, if anything is."""
    for label, answer in (("through the loaders", one), ("compiled", other)):
        if answer.fault is not None:
            return f"{label}: {type(answer.fault).__name__}: {answer.fault}"
    found = difference(one.body, other.body)
    return found and f"loaders and compiled {list(other.compiled)} differ in {found}"


def _invalid(schema: GraphQLSchema, document: Document) -> str | None:
    try:
        errors = validate(schema, parse(document.text))
    except GraphQLError as error:
        errors = [error]
    return errors[0].message if errors else None


def _cursors(schema: GraphQLSchema, document: Document, data: Any) -> list[str]:
    return [paged.cursors[-1] for paged in lists(schema, document, data)]
