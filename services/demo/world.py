"""The cast of the demo: who and what the tables' rows speak of.

Tenants, people, sites and data sources are held in memory, as everything refers to them. What there is a
lot of (agents, entities, jobs) is planned for one tenant at a time and forgotten again.
Every age is in ms before the demo's now; `deleted` is the age at deletion, None for a live row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from services.demo.dice import Dice, stream
from services.demo.sizes import Plan

Row: TypeAlias = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Role:
    """A role; `tenant_id` None offers it to every tenant."""

    id: str
    tenant_id: str | None
    name: str
    description: str
    rights: tuple[str, ...]
    age: int
    deleted: int | None = None


@dataclass(slots=True, eq=False)
class User:
    """Somebody who may sign in."""

    id: str
    role: Role
    name: str
    email: str
    status: str
    age: int
    deleted: int | None


@dataclass(slots=True, eq=False)
class Source:
    """A data source: on a site, or of the tenant and mapped to `mapped` sites."""

    id: str
    integration: str
    status: str
    age: int
    deleted: int | None
    site: "Site | None" = None
    external_id: str | None = None
    mapped: list["Site"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Site:
    """A customer's site; `weight` is its part of all agents and entities."""

    id: str
    name: str
    slug: str
    prefix: str
    status: str
    age: int
    deleted: int | None
    weight: float
    psa: str | None = None
    psa_company_id: str | None = None
    psa_parent_id: str | None = None
    agents: int = 0
    entities: int = 0
    sophos: Source | None = None
    directory: Source | None = None

    @property
    def domain(self) -> str:
        """The customer's mail domain."""
        return f"{self.slug}.example"


@dataclass(slots=True, eq=False)
class Tenant:
    """A managed service provider and its own."""

    index: int
    id: str
    name: str
    slug: str
    status: str
    age: int
    deleted: int | None
    roles: list[Role] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    deleted_agents: int = 0
    deleted_entities: int = 0

    def source(self, integration: str) -> Source | None:
        """The tenant-level data source of that integration, the live one."""
        of_tenant = (s for s in self.sources if s.integration == integration and s.site is None)
        return next((s for s in of_tenant if s.deleted is None), None)

    @property
    def psa(self) -> Source:
        """Its ticket system: every tenant has one."""
        source = self.source("halopsa") or self.source("autotask")
        if source is None:
            raise LookupError(f"tenant {self.name} has no PSA")
        return source


@dataclass(frozen=True, slots=True)
class Demo:
    """One demo: what it is derived from, and its cast."""

    plan: Plan
    seed: int
    now: int
    roles: list[Role]
    tenants: list[Tenant]

    def stream(self, *path: object) -> Dice:
        """The stream of chance of that path in this demo."""
        return stream(self.seed, *path)

    def at(self, age: int | None) -> int | None:
        """The moment of an age in ms since the epoch; None stays None."""
        return None if age is None else self.now - age

    def times(
        self, age: int, deleted: int | None = None, changed: int | None = None
    ) -> tuple[int, int, int | None]:
        """created_at, updated_at and deleted_at; `changed` is the age at the last change, if there was any."""
        changed = age if changed is None else changed
        return self.now - age, self.now - (changed if deleted is None else deleted), self.at(deleted)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one table, made on demand."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Demo], Iterator[Row]]


def table(name: str, columns: str) -> Callable[[Callable[[Demo], Iterator[Row]]], Table]:
    """Makes a generator function the source of a table's rows; `columns` names its tuples' places."""
    return lambda rows: Table(name, tuple(columns.split()), rows)


def document(value: Any) -> str:
    """A value as the text of a json column, keys in order."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
